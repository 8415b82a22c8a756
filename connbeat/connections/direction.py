"""Who called? The evidence in the order of its strength.

A port number proves nothing: a client may bind the port it also listens on, and an accepted
connection's listener may be gone. The kernel's counters do prove it where they are of one moment
(`Counters.client_excess`), so they overrule the listener table.
"""

import msgspec

from connbeat.model.connections import Direction, DirectionSource
from connbeat.model.sockets import TcpState

Decision = tuple[Direction, DirectionSource]

_OPPOSITE = {Direction.INBOUND: Direction.OUTBOUND, Direction.OUTBOUND: Direction.INBOUND}
UNDECIDED: Decision = (Direction.UNKNOWN, DirectionSource.NONE)


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What is known of one end.

    `listens_here`: a listener of the namespace accepts connections to the local address.
    `listens_there`: one accepts connections to the remote address. `is_table_older`: the listener
    table was known before the connection was, so that a listener missing from it never was; to
    be left false where the other end is here, too, and the same could be said of that one.
    `peer` is the decision for the other end, if that end is on this host.
    """

    state: int
    client_excess: int | None
    listens_here: bool
    listens_there: bool
    is_table_older: bool
    peer: Decision | None


def decide(evidence: Evidence) -> Decision:
    """The direction and where it is known from; (unknown, none) rather than a guess."""
    alone = decide_alone(evidence)
    if alone is not UNDECIDED:
        return alone
    return _from_peer(evidence) or _from_listeners(evidence)


def decide_alone(evidence: Evidence) -> Decision:
    """What the socket itself proves: the other end may go by it, and by no listener then."""
    if evidence.state == TcpState.SYN_SENT:
        return Direction.OUTBOUND, DirectionSource.STATE
    if evidence.state == TcpState.SYN_RECV:
        return Direction.INBOUND, DirectionSource.STATE
    return _from_counters(evidence)


def _from_counters(evidence: Evidence) -> Decision:
    if evidence.client_excess is None:
        return UNDECIDED
    if evidence.client_excess == 1:
        return Direction.OUTBOUND, DirectionSource.COUNTERS
    # Two witnesses: the name of the one that people know.
    source = DirectionSource.LISTENER if evidence.listens_here else DirectionSource.COUNTERS
    return Direction.INBOUND, source


def _from_peer(evidence: Evidence) -> Decision | None:
    if evidence.peer is None:
        return None
    opposite = _OPPOSITE.get(evidence.peer[0])
    return (opposite, DirectionSource.PAIR) if opposite else None


def _from_listeners(evidence: Evidence) -> Decision:
    if evidence.listens_here and evidence.listens_there:
        return UNDECIDED
    if evidence.listens_here:
        return Direction.INBOUND, DirectionSource.LISTENER
    if evidence.listens_there or evidence.is_table_older:
        return Direction.OUTBOUND, DirectionSource.LISTENER
    return UNDECIDED
