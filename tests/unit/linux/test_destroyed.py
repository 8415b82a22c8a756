"""The kernel's word that a socket is gone: read in one go and walked, it says the same."""

import socket
import struct
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.linux.destroyed import DestroyedRows
from connbeat.model.connections import Direction
from connbeat.model.sockets import Counters, Socket, TcpState
from connbeat.model.traces import Trace
from tests.strategies import (
    INET_DIAG_INFO,
    TCP_INFO_4_1,
    TCP_INFO_4_19,
    TCP_INFO_6_18,
    hostile,
    make_socket,
    pack_attribute,
    pack_message,
    pack_row,
    pack_tcp_info,
    sockets,
)
from tests.traces import RECORDINGS, Recording

FIELDS = {
    "rtt": 1500, "total_retrans": 2, "bytes_acked": 5001, "bytes_received": 700,
    "bytes_sent": 5300, "bytes_retrans": 300,
}  # fmt: skip
PROTOCOL = pack_attribute(10, b"\6")


def pack(row: Socket, *attributes: bytes) -> bytes:
    return pack_message(20, pack_row(row, *attributes), sequence=0)


def message(row: Socket, length: int = TCP_INFO_6_18, **fields: int) -> bytes:
    return pack(row, PROTOCOL, pack_attribute(INET_DIAG_INFO, pack_tcp_info(length, **fields)))


def ended(cookie: int, *, has_peer_closed: bool | None) -> dict[int, Trace]:
    trace = Trace(1, Direction.OUTBOUND, 1)
    trace.has_peer_closed = has_peer_closed
    return {cookie: trace}


def walked(data: bytes, traces: Mapping[int, Trace]) -> tuple[list[Socket], int]:
    """What one says that knows no datagram yet, and how much it counts as malformed."""
    rows = DestroyedRows()
    return list(rows.read(data, traces)), rows.malformed


def read(
    data: bytes, traces: Mapping[int, Trace] | None = None, *, after: bytes = b""
) -> tuple[list[Socket], int]:
    """The same of both: one that has just walked `after`, or this very datagram."""
    traces = traces or {}
    rows = DestroyedRows()
    rows.read(after or data, {})
    malformed = rows.malformed
    told = list(rows.read(data, traces)), rows.malformed - malformed
    assert told == walked(data, traces)
    return told


def destroyed(
    row: Socket, *, has_fin: bool | None = None, length: int = TCP_INFO_6_18, **fields: int
) -> Socket:
    """What a destroy message of this row, with these counters, says."""
    traces = ended(row.cookie, has_peer_closed=has_fin)
    (parsed,), malformed = read(message(row, length, **fields), traces)
    assert malformed == 0
    return parsed


@given(sockets())
def test_a_destroyed_socket_has_its_addresses_and_its_name_and_is_closed(row: Socket) -> None:
    gone = msgspec.structs.replace(
        row, state=TcpState.CLOSE, uid=0, inode=0, cgroup_id=0, is_v6_only=False
    )
    assert msgspec.structs.replace(destroyed(row), counters=None) == gone


@pytest.mark.parametrize("length", [TCP_INFO_4_19, TCP_INFO_6_18, TCP_INFO_6_18 + 24])
def test_a_destroyed_socket_has_its_last_counters(length: int) -> None:
    row = destroyed(make_socket(), has_fin=False, length=length, **FIELDS)
    assert row.counters == Counters(5000, 700, 2, 1500, None)


def test_before_linux_4_19_what_was_acknowledged_is_what_was_sent() -> None:
    row = destroyed(make_socket(), has_fin=False, length=TCP_INFO_4_1, **FIELDS)
    assert row.counters == Counters(5001, 700, 2, 1500, None)


def test_counters_are_never_negative() -> None:
    row = destroyed(make_socket(), has_fin=True, bytes_sent=1, bytes_retrans=2)
    assert row.counters == Counters(0, 0, 0, 0, None)


@pytest.mark.parametrize(
    ("has_fin", "unread", "received"),
    [
        (True, 0, 699),
        (True, 8, 699),
        (False, 0, 700),
        (False, 7, 700),  # aborted with bytes that nobody read, and no FIN
        (None, 0, 700),
        (None, 1, 699),  # after an orderly close() only the FIN can be left
    ],
)
def test_the_fin_counts_if_it_came(has_fin: bool | None, unread: int, received: int) -> None:
    for length in (TCP_INFO_4_1, TCP_INFO_6_18):
        row = destroyed(make_socket(rqueue=unread), has_fin=has_fin, length=length, **FIELDS)
        assert row.counters is not None
        assert row.counters.bytes_received == received


def test_the_fin_of_a_socket_without_a_trace_is_what_nobody_read() -> None:
    for unread, received in ((0, 700), (1, 699)):
        data = message(make_socket(cookie=5, rqueue=unread), **FIELDS)
        (row,), _ = read(data, ended(6, has_peer_closed=not unread))
        assert row.counters is not None
        assert row.counters.bytes_received == received


def test_a_socket_that_was_reset_on_purpose_has_lost_its_counters() -> None:
    """tcp_disconnect() sets them to 0, with the remote port: no counters is the truth."""
    assert destroyed(make_socket(remote_port=0), has_fin=None, **FIELDS).counters is None


def test_a_destroyed_socket_without_tcp_info_has_no_counters() -> None:
    (row,), malformed = read(pack(make_socket()))
    assert row.counters is None
    assert malformed == 0


def test_several_messages_in_one_datagram_are_told_apart() -> None:
    data = b"".join(message(make_socket(cookie=cookie)) for cookie in (5, 6))
    rows, malformed = read(data)
    assert [row.cookie for row in rows] == [5, 6]
    assert malformed == 0


@pytest.mark.parametrize("size", range(0, 72, 4))
def test_a_short_row_is_malformed_and_the_next_survives(size: int) -> None:
    short = pack_message(20, pack_row(make_socket())[:size], sequence=0)
    rows, malformed = read(short + message(make_socket(cookie=6)))
    assert [row.cookie for row in rows] == [6]
    assert malformed == 1


def test_a_destroyed_socket_of_another_family_is_malformed() -> None:
    good = message(make_socket())
    stranger = bytearray(good)
    stranger[16] = socket.AF_UNIX
    assert read(bytes(stranger), after=good) == ([], 1)


def test_news_that_are_an_error_are_malformed() -> None:
    assert read(pack_message(2, struct.pack("=i", -1), sequence=0)) == ([], 1)


@pytest.mark.parametrize("data", [b"", b"cut", struct.pack("=I", 4), bytes(380)])
def test_what_is_no_message_is_no_row(data: bytes) -> None:
    assert read(data, after=message(make_socket()))[0] == []


# In one go, and walked


def test_a_length_that_lies_is_not_believed_even_where_all_else_is_usual() -> None:
    good = message(make_socket(), **FIELDS)
    for length in (0, 15, 16, len(good) - 1, len(good) + 1, 1 << 31):
        read(struct.pack("=I", length) + good[4:], after=good)


def test_tcp_info_that_moved_is_found_where_it_is_now() -> None:
    """Neither the old place nor the old length holds."""
    info = pack_attribute(INET_DIAG_INFO, pack_tcp_info(**FIELDS))
    before = pack(make_socket(), PROTOCOL, info, pack_attribute(21, bytes(8)))
    after = pack(make_socket(), pack_attribute(21, bytes(8)), PROTOCOL, info)
    assert len(before) == len(after)
    (row,), _ = read(after, ended(make_socket().cookie, has_peer_closed=False), after=before)
    assert row.counters == Counters(5000, 700, 2, 1500, None)


def test_of_two_tcp_infos_the_first_counts_wherever_they_came_from() -> None:
    info = pack_attribute(INET_DIAG_INFO, pack_tcp_info(**FIELDS))
    before = pack(make_socket(), info, pack_attribute(21, bytes(8)))
    (row,), _ = read(
        pack(make_socket(), info, pack_attribute(INET_DIAG_INFO, bytes(8))), after=before
    )
    assert row.counters is not None


#: Of few kinds and lengths, so that one datagram is often as long as another.
ATTRIBUTES = st.lists(
    st.one_of(
        st.builds(
            lambda length, sent, received: pack_attribute(
                INET_DIAG_INFO,
                pack_tcp_info(length, **FIELDS | {"bytes_sent": sent, "bytes_received": received}),
            ),
            st.sampled_from([8, TCP_INFO_4_1, TCP_INFO_4_19, TCP_INFO_6_18]),
            st.integers(0, 1000),
            st.integers(0, 2),
        ),
        st.sampled_from(
            [
                PROTOCOL,
                pack_attribute(21, bytes(8)),
                pack_attribute(21, struct.pack("=HHI", 4 + TCP_INFO_4_19, INET_DIAG_INFO, 0)),
                struct.pack("=HH", 3, INET_DIAG_INFO),
            ]
        ),
    ),
    max_size=4,
)


@given(ATTRIBUTES, st.data())
def test_in_whatever_order_attributes_come_one_go_says_what_the_walk_says(
    attributes: list[bytes], data: st.DataObject
) -> None:
    other = data.draw(st.one_of(st.permutations(attributes), ATTRIBUTES))
    before = pack(make_socket(rqueue=1), *attributes)
    read(pack(make_socket(), *other), after=before)
    read(before, ended(make_socket().cookie, has_peer_closed=False))


@given(st.lists(hostile(message(make_socket(), **FIELDS)), max_size=8))
def test_hostile_news_say_the_same_after_whatever_came_before(datagrams: list[bytes]) -> None:
    rows = DestroyedRows()
    for data in [message(make_socket()), *datagrams]:
        malformed = rows.malformed
        told = list(rows.read(data, {}))
        assert (told, rows.malformed - malformed) == walked(data, {})
        assert all(len(row.local_ip) in (4, 16) for row in told)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_what_a_kernel_sent_needs_one_walk_alone(
    recording: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = DestroyedRows()
    first, *others = Recording(recording).messages()
    rows.read(first, {})
    expected = [walked(data, {})[0] for data in others]

    def walk(*_: object) -> None:
        raise AssertionError("walked again")

    monkeypatch.setattr(DestroyedRows, "_walk", walk)
    assert [list(rows.read(data, {})) for data in others] == expected
    assert rows.malformed == 0
