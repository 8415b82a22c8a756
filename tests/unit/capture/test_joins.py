"""Close messages and traces of the same sockets, whichever comes first, late, twice or never."""

import socket
import struct

import pytest
from hypothesis import given

from connbeat.capture import joins as module
from connbeat.capture.joins import CloseJoiner
from connbeat.linux.recvmmsg import CUT
from connbeat.model.connections import Direction
from connbeat.model.sockets import Socket
from connbeat.model.traces import Close, Trace
from tests.builders import HOST_NETNS, process
from tests.strategies import (
    INET_DIAG_INFO,
    hostile,
    make_socket,
    pack_attribute,
    pack_message,
    pack_row,
    pack_tcp_info,
)

SECOND = 1_000_000_000
NOW = 100 * SECOND
CONTAINER, OTHER = 77, 78


def message(row: Socket, **counters: int) -> bytes:
    info = pack_attribute(INET_DIAG_INFO, pack_tcp_info(**counters))
    return pack_message(20, pack_row(row, info), sequence=0)


def trace(cookie: int, *, closed_ns: int = NOW, pid: int = 0) -> Trace:
    """Of the connection that `make_socket` is; in the host's namespace if it has a process."""
    made = Trace(1, Direction.OUTBOUND, NOW - SECOND)
    made.family = socket.AF_INET
    made.local_ip, made.local_port = bytes([192, 0, 2, 1]), 40000
    made.remote_ip, made.remote_port = bytes([198, 51, 100, 2]), 443
    made.cookie, made.closed_ns = cookie, closed_ns
    made.process = process(pid) if pid else None
    return made


class House:
    """A joiner, the traces that wait in it, and the namespaces whose closes are heard."""

    def __init__(self) -> None:
        self.heard = {HOST_NETNS, CONTAINER}
        self.joiner = CloseJoiner(lambda netns: netns in self.heard)
        self.waiting: dict[int, Trace] = {}

    def wait(self, *traces: Trace) -> None:
        self.waiting |= {trace.cookie: trace for trace in traces}

    def join(
        self,
        *messages: bytes,
        where: int = HOST_NETNS,
        may_repeat: bool = False,
        after_ns: int = SECOND,
    ) -> list[Close]:
        heard = [(where, data, may_repeat) for data in messages]
        return self.joiner.join(heard, self.waiting, NOW + after_ns)

    def late(self, after_ns: int, *, are_heard: bool = True) -> list[Close]:
        return self.joiner.late(self.waiting, NOW + after_ns, are_heard=are_heard)


@pytest.fixture
def house() -> House:
    return House()


def test_a_message_and_its_trace_are_one_close(house: House) -> None:
    mine, other = trace(5), trace(6)
    house.wait(mine, other)
    (close,) = house.join(message(make_socket(cookie=5), bytes_sent=10), where=CONTAINER)
    assert (close.netns, close.closed_ns, close.trace) == (CONTAINER, mine.closed_ns, mine)
    assert close.socket.cookie == 5
    assert close.socket.counters is not None
    assert close.socket.counters.bytes_sent == 10
    assert house.waiting == {6: other}


def test_a_message_without_a_trace_is_told_as_it_is(house: House) -> None:
    (close,) = house.join(message(make_socket(cookie=5)))
    assert (close.netns, close.closed_ns, close.trace) == (HOST_NETNS, NOW + SECOND, None)


@pytest.mark.parametrize(
    ("has_peer_closed", "unread", "received"),
    [(True, 0, 99), (False, 7, 100), (None, 0, 100), (None, 1, 99)],
)
def test_what_the_trace_knows_of_the_fin_makes_the_bytes_exact(
    house: House, has_peer_closed: bool | None, unread: int, received: int
) -> None:
    mine = trace(5)
    mine.has_peer_closed = has_peer_closed
    house.wait(mine)
    (close,) = house.join(message(make_socket(cookie=5, rqueue=unread), bytes_received=100))
    assert close.socket.counters is not None
    assert close.socket.counters.bytes_received == received


@pytest.mark.parametrize(("unread", "received"), [(0, 99), (7, 100)])
def test_what_was_left_unread_by_one_that_gave_up_is_no_fin(
    house: House, unread: int, received: int
) -> None:
    mine = trace(5)
    mine.has_peer_closed = mine.may_be_abandoned = True
    house.wait(mine)
    (close,) = house.join(message(make_socket(cookie=5, rqueue=unread), bytes_received=100))
    assert close.socket.counters is not None
    assert close.socket.counters.bytes_received == received


def test_a_reset_gets_the_addresses_back_that_it_lost(house: House) -> None:
    house.wait(trace(5))
    reset = make_socket(cookie=5, remote_port=0, remote_ip=bytes(4), local_port=0)
    (close,) = house.join(message(reset, bytes_sent=10))
    whole = make_socket(cookie=5)
    for name in ("local_ip", "local_port", "remote_ip", "remote_port"):
        assert getattr(close.socket, name) == getattr(whole, name)
    assert close.socket.counters is None, "it lost them, too"


def test_a_listener_that_was_there_before_us_keeps_its_address(house: House) -> None:
    before = Trace(1, Direction.UNKNOWN, 0)
    before.cookie, before.closed_ns = 5, NOW
    house.wait(before)
    listener = make_socket(cookie=5, local_port=80, remote_port=0, remote_ip=bytes(4))
    (close,) = house.join(message(listener))
    assert (close.socket.local_ip, close.socket.local_port) == (listener.local_ip, 80)


# Where it was


def test_where_nobody_knows_the_namespace_it_is_its_process(house: House) -> None:
    house.wait(trace(5, pid=500), trace(6))
    first, second = house.join(
        message(make_socket(cookie=5)), message(make_socket(cookie=6)), where=0
    )
    assert (first.netns, second.netns) == (HOST_NETNS, 0)


def test_a_message_with_an_unknown_id_is_from_none_of_the_namespaces_that_are_known(
    house: House,
) -> None:
    """Its process came from one of those, and made its own."""
    house.joiner.see([HOST_NETNS], NOW)
    house.wait(trace(5, pid=500))
    (close,) = house.join(message(make_socket(cookie=5)), where=0)
    assert close.netns == 0


def test_an_id_that_was_given_to_a_new_namespace_is_believed_less_than_the_process(
    house: House,
) -> None:
    """The id still names a namespace that is gone; the process' own is not heard by name yet."""
    house.heard = {CONTAINER}
    house.wait(trace(5, pid=500))
    (close,) = house.join(message(make_socket(cookie=5)), where=CONTAINER)
    assert close.netns == HOST_NETNS


def test_a_process_that_holds_a_socket_of_another_namespace_does_not_move_it(house: House) -> None:
    """As docker-proxy and all that entered one to open a socket there."""
    house.wait(trace(5, pid=500))
    (close,) = house.join(message(make_socket(cookie=5)), where=CONTAINER)
    assert close.netns == CONTAINER


# Late, lost, twice


def test_a_trace_whose_message_does_not_come_is_told_without_counters(house: House) -> None:
    mine = trace(5, pid=500)
    house.wait(mine)
    assert house.late(5 * SECOND - 1) == []
    (close,) = house.late(5 * SECOND)
    assert (close.netns, close.closed_ns, close.trace) == (HOST_NETNS, NOW, mine)
    assert close.socket.counters is None
    assert (close.socket.remote_port, close.socket.cookie) == (443, 5)
    assert house.waiting == {}


@pytest.mark.parametrize(
    ("known_ns", "lost_ns", "where"),
    [
        (NOW - 1, 0, 0),
        (NOW + 1, 0, HOST_NETNS),  # nobody heard it then
        (NOW - 1, NOW + 1, HOST_NETNS),  # its message was lost
        (NOW - 1, NOW - 1, 0),
    ],
)
def test_one_whose_message_did_not_come_is_not_from_where_every_close_is_heard(
    house: House, known_ns: int, lost_ns: int, where: int
) -> None:
    """A namespace that was made and gone before anybody looked: its process came from ours."""
    house.joiner.see([HOST_NETNS], known_ns)
    house.joiner.see([HOST_NETNS, OTHER], NOW + 2)  # the first time counts
    house.joiner.lose(lost_ns)
    house.join(message(make_socket(cookie=9)), after_ns=-SECOND)
    house.wait(trace(5, pid=500))
    (close,) = house.late(5 * SECOND)
    assert close.netns == where


def test_where_no_message_ever_came_that_one_did_not_proves_nothing(house: House) -> None:
    """The socket can be had also where the kernel has nothing that sends to it."""
    house.joiner.see([HOST_NETNS], NOW - 1)
    house.wait(trace(5, pid=500))
    assert [close.netns for close in house.late(5 * SECOND)] == [HOST_NETNS]


def test_where_nothing_is_heard_a_message_that_did_not_come_proves_nothing(house: House) -> None:
    house.joiner.see([HOST_NETNS], NOW - 1)
    house.wait(trace(5, pid=500))
    assert [close.netns for close in house.late(0, are_heard=False)] == [HOST_NETNS]


def test_a_trace_is_late_when_later_ones_had_their_messages(house: House) -> None:
    house.wait(trace(5), trace(6, closed_ns=NOW + 3 * SECOND), trace(7, closed_ns=NOW + 4 * SECOND))
    house.join(message(make_socket(cookie=6)), after_ns=4 * SECOND)
    assert house.late(4 * SECOND) == []
    house.join(message(make_socket(cookie=7)), after_ns=4 * SECOND)
    assert [close.socket.cookie for close in house.late(4 * SECOND)] == [5]


def test_a_trace_is_not_late_while_the_messages_of_earlier_ones_still_come(house: House) -> None:
    """The kernel's worker is behind, by however much."""
    house.wait(*(trace(cookie, closed_ns=NOW + cookie) for cookie in range(1, 20)))
    for cookie in range(1, 19):
        house.join(message(make_socket(cookie=cookie)), after_ns=cookie * SECOND)
        assert house.late(cookie * SECOND) == []
    assert house.late(23 * SECOND - 1) == []
    assert [close.socket.cookie for close in house.late(23 * SECOND)] == [19]


def test_where_nothing_is_heard_no_trace_waits(house: House) -> None:
    house.wait(trace(5), trace(6))
    assert [close.socket.cookie for close in house.late(0, are_heard=False)] == [5, 6]


def test_a_trace_that_waits_is_not_told_before_its_time(house: House) -> None:
    house.wait(trace(5), trace(6, closed_ns=NOW + 2 * SECOND))
    assert [close.socket.cookie for close in house.late(5 * SECOND)] == [5]
    assert house.waiting.keys() == {6}


def test_a_message_that_comes_after_its_trace_was_told_is_not_told_again(house: House) -> None:
    house.wait(trace(5))
    house.late(5 * SECOND)
    assert house.join(message(make_socket(cookie=5))) == []


def test_a_message_that_two_sockets_heard_is_told_once(house: House) -> None:
    """A namespace we are inside of got an id that nobody has learnt yet."""
    house.wait(trace(5))
    data = message(make_socket(cookie=5))
    assert [close.netns for close in house.join(data, where=CONTAINER, may_repeat=True)] == [
        CONTAINER
    ]
    assert house.join(data, where=0, may_repeat=True) == []


def test_cookies_are_remembered_within_a_bound(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TOLD", 2)
    messages = [message(make_socket(cookie=cookie)) for cookie in (5, 6, 7)]
    house.join(*messages, may_repeat=True)
    assert [close.socket.cookie for close in house.join(*messages)] == [5]


# Bytes that are almost right


def test_a_message_that_makes_no_sense_is_counted_and_costs_no_other(house: House) -> None:
    good = message(make_socket(cookie=5))
    short = pack_message(20, pack_row(make_socket(cookie=6))[:40], sequence=0)
    closes = house.join(b"", good[:-3], struct.pack("=I", 4), short, good)
    assert [close.socket.cookie for close in closes] == [5]
    assert house.joiner.malformed == 3


def test_a_message_that_was_cut_is_counted(house: House) -> None:
    assert house.join(CUT) == []
    assert house.joiner.malformed == 1


def test_a_row_that_makes_no_sense_does_not_take_the_trace_away(house: House) -> None:
    house.wait(trace(5))
    stranger = bytearray(message(make_socket(cookie=5)))
    stranger[16] = socket.AF_UNIX
    assert house.join(bytes(stranger)) == []
    assert house.joiner.malformed == 1
    assert house.waiting.keys() == {5}


@given(hostile(message(make_socket(cookie=5))))
def test_any_message_is_told_or_counted(data: bytes) -> None:
    house = House()
    house.wait(trace(5))
    closes = house.join(data)
    assert all(close.socket.remote_port or close.socket.counters is None for close in closes)
