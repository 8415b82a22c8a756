"""Our dump against `ss`, pyroute2 and `/proc/net/tcp`, on a thousand sockets in every state.

Equality, not likeness: nothing else lives in the namespace. The oracles cannot look at the same
moment, so ours looks before and after them, and what is compared is a table that did not move.
"""

import json
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connbeat.capture.dump import dump, open_diag
from connbeat.capture.tables import read_tables
from connbeat.linux.procfs import ProcFs
from connbeat.linux.sock_diag import ALL_STATES, WITHOUT_TIME_WAIT
from connbeat.model.sockets import Counters, Socket, SocketSnapshot, TcpState
from connbeat.model.targets import Target
from tests.golden import Info, Known, Row, packed
from tests.system.harness import PREFIX, Netns
from tests.system.oracles import seen_by_pyroute2, seen_by_ss

pytestmark = pytest.mark.slow

_ROUNDS = 13
_STATES = set(TcpState) - {TcpState.CLOSE, TcpState.NEW_SYN_RECV, TcpState.BOUND_INACTIVE}


class States(msgspec.Struct, frozen=True):
    """The namespace, what was made in it, and what each way of looking saw."""

    target: Target
    known: list[Known]
    ours: SocketSnapshot
    of_proc: SocketSnapshot
    of_ss: list[Row]
    of_pyroute2: list[Row]


@pytest.fixture(scope="module")
def netns() -> Iterator[Netns]:
    namespace = Netns(f"{PREFIX}-states")
    yield namespace
    namespace.close()


@pytest.fixture(scope="module")
def states(netns: Netns) -> Iterator[States]:
    program = Path(__file__).with_name("socket_states.py")
    process = netns.start(sys.executable, str(program), str(_ROUNDS))
    assert process.stdout is not None
    known = [Known(**row) for row in json.loads(process.stdout.readline())]
    target = Target(netns.inode, (process.pid,), "", is_host=False)
    yield look(netns, target, known)
    process.communicate()
    assert process.returncode == 0


def look(netns: Netns, target: Target, known: list[Known]) -> States:
    diag = open_diag(target, ProcFs().root)
    try:
        for _ in range(20):
            before = dump(diag, target.netns, 0)
            of_proc = read_tables(ProcFs(), target.netns, target.pids, 0)
            of_ss = seen_by_ss(netns)
            of_pyroute2 = seen_by_pyroute2(netns)
            if by_cookie(dump(diag, target.netns, 0).sockets) == by_cookie(before.sockets):
                return States(target, known, before, of_proc, of_ss, of_pyroute2)
        pytest.fail("the table of the namespace does not come to rest")
    finally:
        diag.close()


def by_cookie(rows: tuple[Socket, ...]) -> dict[int, Socket]:
    return {row.cookie: row for row in rows}


def expected(seen: Row) -> Socket:
    """What we have to make of a row: addresses unmapped, payload without the other side's FIN."""
    return Socket(
        family=seen.family,
        state=seen.state,
        local_ip=packed(seen.local),
        local_port=seen.local_port,
        remote_ip=packed(seen.remote),
        remote_port=seen.remote_port,
        interface=seen.interface,
        cookie=seen.cookie,
        inode=seen.inode,
        uid=seen.uid,
        rqueue=seen.rqueue,
        wqueue=seen.wqueue,
        cgroup_id=seen.cgroup_id,
        is_v6_only=seen.is_v6_only,
        counters=None if seen.info is None else expected_counters(seen.state, seen.info),
    )


def expected_counters(state: int, info: Info) -> Counters:
    has_fin = state in (TcpState.CLOSE_WAIT, TcpState.LAST_ACK, TcpState.CLOSING)
    return Counters(
        bytes_sent=info.bytes_sent - info.bytes_retrans,
        bytes_received=info.bytes_received - has_fin,
        retransmits=info.total_retrans,
        rtt_us=info.rtt,
        client_excess=None,
    )


def without_excess(row: Socket) -> Socket:
    """No oracle has an opinion on who called; `known` has."""
    if row.counters is None:
        return row
    counters = msgspec.structs.replace(row.counters, client_excess=None)
    return msgspec.structs.replace(row, counters=counters)


def test_a_thousand_sockets_are_in_every_state_and_each_is_seen_once(states: States) -> None:
    rows = states.ours.sockets
    assert len(rows) >= 1000
    assert states.ours.is_complete
    assert states.ours.malformed == 0
    assert len(by_cookie(rows)) == len(rows)
    for family in (socket.AF_INET, socket.AF_INET6):
        assert {row.state for row in rows if row.family == family} == _STATES
    mapped = [row for row in rows if row.family == socket.AF_INET6 and len(row.local_ip) == 4]
    assert {row.state for row in mapped} == _STATES - {TcpState.LISTEN}


def test_pyroute2_sees_the_same_in_every_field(states: States) -> None:
    ours = {row.cookie: without_excess(row) for row in states.ours.sockets}
    theirs = {seen.cookie: expected(seen) for seen in states.of_pyroute2}
    assert len(theirs) == len(states.of_pyroute2)
    assert ours == theirs


def test_ss_sees_the_same_in_every_field_it_prints(states: States) -> None:
    """It prints no number of a cgroup, and nothing of a `tcp_info` that is not there."""
    nothing = Counters(0, 0, 0, 0, None)
    ours = {
        row.cookie: without_excess(
            msgspec.structs.replace(row, cgroup_id=0, counters=row.counters or nothing)
        )
        for row in states.ours.sockets
    }
    assert ours == {seen.cookie: expected(seen) for seen in states.of_ss}
    assert len(ours) == len(states.of_ss)


def test_the_table_of_proc_has_the_same_addresses_states_and_inodes(states: States) -> None:
    """It has the listener's uid on a socket in SYN_RECV, of which sock_diag has none."""

    def rows(snapshot: SocketSnapshot) -> Counter[tuple[object, ...]]:
        return Counter(
            (
                row.family,
                row.state,
                (row.local_ip, row.local_port),
                (row.remote_ip, row.remote_port),
                row.inode,
                row.uid if row.state != TcpState.SYN_RECV else 0,
            )
            for row in snapshot.sockets
        )

    assert states.of_proc.malformed == 0
    assert rows(states.of_proc) == rows(states.ours)


def test_what_the_program_knows_of_its_sockets_is_what_we_report(states: States) -> None:
    """Payload exact to the byte in every state, whatever the kernel's counters add to it."""
    rows = by_cookie(states.ours.sockets)
    assert {known.state for known in states.known} == {s.name for s in _STATES} - {"SYN_RECV"}
    for known in states.known:
        row = rows[known.cookie]
        assert TcpState(row.state).name == known.state
        if known.sent is not None:
            assert row.counters is not None
            assert row.counters.bytes_sent == known.sent, known
        if known.received is not None:
            assert row.counters is not None
            assert row.counters.bytes_received == known.received, known
        if known.caller is not None:
            assert row.counters is not None
            assert row.counters.client_excess == int(known.caller), known


def test_a_listener_has_its_backlog_and_says_whether_it_takes_ipv4(states: States) -> None:
    listeners = [row for row in states.ours.sockets if row.state == TcpState.LISTEN]
    assert {(row.rqueue, row.wqueue) for row in listeners} == {(0, 128), (2, 1)}
    v6 = {row.local_ip: row.is_v6_only for row in listeners if row.interface == 0}
    assert v6[packed("::1")]
    assert not v6[packed("::")]


def test_without_time_wait_nothing_else_is_left_out(states: States) -> None:
    diag = open_diag(states.target, ProcFs().root)
    try:
        rows, malformed, is_interrupted = diag.dump(WITHOUT_TIME_WAIT)
    finally:
        diag.close()
    assert (malformed, is_interrupted) == (0, False)
    wanted = {row.cookie for row in states.ours.sockets if row.state != TcpState.TIME_WAIT}
    # What the kernel keeps as a TIME_WAIT socket in the state FIN_WAIT2 goes with them.
    kept_small = {
        row.cookie
        for row in states.ours.sockets
        if row.state == TcpState.FIN_WAIT2 and row.counters is None
    }
    assert wanted - kept_small <= {row.cookie for row in rows} <= wanted


def test_an_open_connection_that_a_dump_did_not_have_is_found_by_its_addresses(
    states: States,
) -> None:
    """As where the kernel's walk passed it by; here it was told to."""
    lacking = (TcpState.ESTABLISHED, TcpState.SYN_SENT, TcpState.CLOSE_WAIT, TcpState.FIN_WAIT1)
    mask = ALL_STATES
    for state in lacking:
        mask &= ~(1 << state)
    diag = open_diag(states.target, ProcFs().root)
    try:
        whole, _, _ = diag.dump()
        partial, _, _ = diag.dump(mask)
        found = diag.overlooked(len(whole))
    finally:
        diag.close()
    assert {row.state for row in found} == set(lacking)
    assert {row.cookie: row for row in (*partial, *found)} == {row.cookie: row for row in whole}
