import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.direction import UNDECIDED, Decision, Evidence, decide, decide_alone
from connbeat.model.connections import Direction, DirectionSource
from connbeat.model.sockets import TcpState

IN, OUT, UNKNOWN = Direction.INBOUND, Direction.OUTBOUND, Direction.UNKNOWN
STATE, LISTENER, COUNTERS = (
    DirectionSource.STATE,
    DirectionSource.LISTENER,
    DirectionSource.COUNTERS,
)
PAIR, NONE = DirectionSource.PAIR, DirectionSource.NONE

PEERS: tuple[Decision | None, ...] = (None, (IN, LISTENER), (OUT, COUNTERS), (UNKNOWN, NONE))


def evidence(
    state: int = TcpState.ESTABLISHED,
    *,
    excess: int | None = None,
    here: bool = False,
    there: bool = False,
    older: bool = False,
    peer: Decision | None = None,
) -> Evidence:
    return Evidence(
        state=state,
        client_excess=excess,
        listens_here=here,
        listens_there=there,
        is_table_older=older,
        peer=peer,
    )


@pytest.mark.parametrize(
    ("seen", "decided"),
    [
        # A state is proof, whatever else there is.
        (evidence(TcpState.SYN_SENT, excess=0, here=True), (OUT, STATE)),
        (evidence(TcpState.SYN_RECV, excess=1, there=True), (IN, STATE)),
        # The counters overrule the listener table: a client may bind a port it also listens on.
        (evidence(excess=1), (OUT, COUNTERS)),
        (evidence(excess=1, here=True), (OUT, COUNTERS)),
        (evidence(excess=1, here=True, peer=(OUT, LISTENER)), (OUT, COUNTERS)),
        (evidence(excess=0), (IN, COUNTERS)),
        (evidence(excess=0, here=True), (IN, LISTENER)),
        (evidence(excess=0, there=True, older=True), (IN, COUNTERS)),
        # The other end, unless it does not know either.
        (evidence(peer=(IN, LISTENER)), (OUT, PAIR)),
        (evidence(peer=(OUT, COUNTERS), here=True), (IN, PAIR)),
        (evidence(peer=(IN, STATE), here=True), (OUT, PAIR)),
        (evidence(peer=(UNKNOWN, NONE), here=True), (IN, LISTENER)),
        # The listeners.
        (evidence(here=True), (IN, LISTENER)),
        (evidence(here=True, older=True), (IN, LISTENER)),
        (evidence(there=True), (OUT, LISTENER)),
        (evidence(older=True), (OUT, LISTENER)),
        (evidence(here=True, there=True), (UNKNOWN, NONE)),
        (evidence(here=True, there=True, older=True), (UNKNOWN, NONE)),
        (evidence(), (UNKNOWN, NONE)),
        (evidence(TcpState.TIME_WAIT), (UNKNOWN, NONE)),
    ],
)
def test_the_strongest_evidence_decides(seen: Evidence, decided: Decision) -> None:
    assert decide(seen) == decided


EVERYTHING = [
    evidence(state, excess=excess, here=here, there=there, older=older, peer=peer)
    for state, excess, here, there, older, peer in itertools.product(
        TcpState, (None, 0, 1), (False, True), (False, True), (False, True), PEERS
    )
]


def test_unknown_is_only_what_neither_state_counters_peer_nor_listeners_tell() -> None:
    for seen in EVERYTHING:
        direction, source = decide(seen)
        has_proof = seen.state in (TcpState.SYN_SENT, TcpState.SYN_RECV)
        has_proof |= seen.client_excess is not None
        has_proof |= seen.peer is not None and seen.peer[0] is not UNKNOWN
        is_ambiguous = seen.listens_here and seen.listens_there
        is_bare = not (seen.listens_here or seen.listens_there or seen.is_table_older)
        assert (direction is UNKNOWN) == (not has_proof and (is_ambiguous or is_bare))
        assert (source is NONE) == (direction is UNKNOWN)


def test_alone_a_socket_goes_by_its_state_and_its_counters_only() -> None:
    for seen in EVERYTHING:
        bare = evidence(seen.state, excess=seen.client_excess)
        assert decide_alone(seen)[0] is decide_alone(bare)[0]
        assert decide_alone(seen) in (UNDECIDED, decide(seen))


def test_both_ends_never_claim_the_same_with_the_same_witness() -> None:
    """What the counters and states of one end say is the opposite of what the other end says."""
    for seen in EVERYTHING:
        decided = decide(seen)
        if decided[0] is UNKNOWN:
            continue
        assert decide(evidence(peer=decided)) == ({IN: OUT, OUT: IN}[decided[0]], PAIR)


@given(st.builds(evidence, st.integers(0, 255), excess=st.none() | st.sampled_from([0, 1])))
def test_a_state_nobody_knows_raises_nothing(seen: Evidence) -> None:
    decide(seen)
