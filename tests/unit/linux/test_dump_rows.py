"""Rows read quickly are the rows that are read slowly, and those that did not change are kept."""

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import CaptureError
from connbeat.linux import dump_rows as module
from connbeat.linux.dump_rows import DumpRows
from connbeat.linux.netlink import parse_whole
from connbeat.linux.sock_diag import parse_rows
from connbeat.model.sockets import Counters, Socket, TcpState
from tests import golden
from tests.strategies import (
    INET_DIAG_CGROUP_ID,
    INET_DIAG_INFO,
    INET_DIAG_SKV6ONLY,
    NLM_F_DUMP_INTR,
    SOCK_DIAG_TYPE,
    TCP_INFO_4_1,
    TCP_INFO_6_18,
    hostile,
    make_socket,
    pack_attribute,
    pack_done,
    pack_message,
    pack_row,
    pack_tcp_info,
    sockets,
)

#: Rows, how many were malformed, and whether the table moved.
Dump = tuple[list[Socket], int, bool]


def read(reader: DumpRows, *datagrams: bytes, sequence: int = 1) -> Dump:
    reader.begin(sequence)
    for data in datagrams:
        if reader.feed(data):
            break
    return reader.end()


def read_slowly(*datagrams: bytes, sequence: int = 1) -> Dump:
    rows: list[Socket] = []
    malformed = 0
    is_interrupted = False
    for data in datagrams:
        frame = parse_whole(data, sequence)
        found, bad = parse_rows(data, frame)
        rows += found
        malformed += bad
        is_interrupted |= frame.is_interrupted
        if frame.is_done:
            break
    return rows, malformed, is_interrupted


def packed(row: Socket, *, length: int = TCP_INFO_6_18, flags: int = 2, **info: int) -> bytes:
    """The message of this row, as the kernel writes it: `tcp_info` is the last attribute."""
    attributes = [pack_attribute(8, b"\0"), pack_attribute(15, bytes(4))]
    if row.cgroup_id:
        attributes.append(pack_attribute(INET_DIAG_CGROUP_ID, struct.pack("=Q", row.cgroup_id)))
    if row.is_v6_only:
        attributes.append(pack_attribute(INET_DIAG_SKV6ONLY, b"\1"))
    attributes.append(pack_attribute(INET_DIAG_INFO, pack_tcp_info(length, **info)))
    return pack_message(SOCK_DIAG_TYPE, pack_row(row, *attributes), flags=flags)


COUNTERS = {"rtt": 3000, "bytes_sent": 500, "bytes_acked": 501, "bytes_received": 70}
ROW = make_socket(cookie=7)
OTHER = make_socket(cookie=8, local_port=40001)


# The same as slowly


@pytest.mark.parametrize("recording", golden.TCP_RECORDINGS)
def test_what_a_kernel_said_is_read_as_slowly(recording: str) -> None:
    datagrams = golden.read_datagrams(recording)
    sequence = golden.read_tcp_table(recording).sequence
    reader = DumpRows()
    for _ in range(3):
        told = read(reader, *datagrams, sequence=sequence)
        assert told == read_slowly(*datagrams, sequence=sequence)
        assert len(told[0]) > 50


# A few names, so that sockets come again with other counters, states and attributes.
MESSAGES = st.builds(
    lambda row, cookie, length, info, sequence: packed(
        msgspec.structs.replace(row, cookie=cookie), length=length, **info
    ).replace(struct.pack("=HI", 2, 1), struct.pack("=HI", 2, sequence), 1),
    st.sampled_from([ROW, OTHER]) | sockets(),
    st.integers(1, 4),
    st.sampled_from([TCP_INFO_6_18, TCP_INFO_6_18, TCP_INFO_4_1, 216, 0]),
    st.sampled_from([COUNTERS, {}, {"bytes_retrans": 9}, {**COUNTERS, "notsent_bytes": 1}]),
    st.sampled_from([1, 1, 1, 2]),
)


@given(st.lists(st.lists(MESSAGES, max_size=6), max_size=4))
def test_any_dumps_are_read_as_slowly(dumps: list[list[bytes]]) -> None:
    reader = DumpRows()
    for messages in dumps:
        data = b"".join(messages) + pack_done()
        assert read(reader, data) == read_slowly(data)


def test_a_row_of_another_family_is_malformed_also_where_its_attributes_are_known() -> None:
    reader = DumpRows()
    read(reader, packed(ROW, **COUNTERS))
    strange = packed(msgspec.structs.replace(ROW, family=0), **COUNTERS)
    assert read(reader, strange + pack_done()) == ([], 1, False)


@given(st.lists(hostile(packed(ROW, **COUNTERS) * 2 + packed(OTHER) + pack_done()), max_size=4))
def test_hostile_bytes_are_read_as_slowly_or_refused_as_well(datagrams: list[bytes]) -> None:
    reader = DumpRows()
    read(reader, packed(ROW, **COUNTERS), packed(OTHER))
    try:
        expected = read_slowly(*datagrams)
    except CaptureError:
        with pytest.raises(CaptureError):
            read(reader, *datagrams)
        return
    assert read(reader, *datagrams) == expected


def test_attributes_that_lie_elsewhere_in_a_row_as_long_are_found() -> None:
    """The same attributes in another order: what is remembered of the one is not of the other."""
    info = pack_attribute(INET_DIAG_INFO, pack_tcp_info(TCP_INFO_6_18, **COUNTERS))
    cgroup = pack_attribute(INET_DIAG_CGROUP_ID, struct.pack("=Q", 99))
    one = pack_message(SOCK_DIAG_TYPE, pack_row(ROW, cgroup, info))
    other = pack_message(SOCK_DIAG_TYPE, pack_row(OTHER, info, cgroup))
    reader = DumpRows()
    for _ in range(2):
        rows, _, _ = read(reader, one, other, one)
        assert [row.cgroup_id for row in rows] == [99, 99, 99]
        assert len({row.counters for row in rows}) == 1


@pytest.mark.parametrize("size", range(0, 76, 4))
def test_a_truncated_row_is_read_as_slowly(size: int) -> None:
    reader = DumpRows()
    read(reader, packed(ROW))
    data = pack_message(SOCK_DIAG_TYPE, pack_row(ROW)[:size]) + packed(OTHER)
    assert read(reader, data) == read_slowly(data)


def test_a_row_in_a_state_that_nobody_knows_is_malformed_and_the_rest_survives() -> None:
    reader = DumpRows()
    strange = packed(msgspec.structs.replace(ROW, state=99), **COUNTERS)
    datagram = packed(OTHER, **COUNTERS) + strange + pack_done()
    for _ in range(2):
        rows, malformed, _ = read(reader, datagram)
        assert ([row.cookie for row in rows], malformed) == ([OTHER.cookie], 1)
    assert read_slowly(datagram)[1] == 1


def test_an_interruption_that_any_row_tells_of_is_told() -> None:
    reader = DumpRows()
    for flags, is_interrupted in ((2, False), (NLM_F_DUMP_INTR, True)):
        data = packed(ROW) + packed(OTHER, flags=flags)
        assert read(reader, data, pack_done())[2] is is_interrupted


def test_more_kinds_of_attributes_than_are_remembered_are_read_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MAX_HEADS", 2)
    reader = DumpRows()
    data = [packed(make_socket(cookie=n, cgroup_id=n)) for n in range(1, 8)]
    for _ in range(2):
        assert read(reader, *data) == read_slowly(*data)


# Kept


def test_a_row_that_did_not_change_is_the_same_object() -> None:
    reader = DumpRows()
    data = packed(ROW, **COUNTERS)
    last_data_sent = len(data) - TCP_INFO_6_18 + 44  # which we do not report
    later = data[:last_data_sent] + b"\5" + data[last_data_sent + 1 :]
    (first,), _, _ = read(reader, data)
    for again in (data, later, data):
        (row,), _, _ = read(reader, again)
        assert row is first


@pytest.mark.parametrize(
    "change",
    [
        {"state": TcpState.CLOSE_WAIT},
        {"local_ip": b"\x0a\0\0\1"},
        {"local_port": 1},
        {"remote_ip": b"\x0a\0\0\1"},
        {"remote_port": 1},
        {"interface": 2},
        {"cookie": 9},
        {"inode": 1},
        {"uid": 1},
        {"rqueue": 1},
        {"wqueue": 1},
        {"cgroup_id": 5},
        {"is_v6_only": True},
        *({name: value + 1} for name, value in COUNTERS.items()),
        {"total_retrans": 1},
    ],
    ids=str,
)
def test_a_row_of_which_anything_changed_is_told_as_it_is(change: dict[str, int]) -> None:
    reader = DumpRows()
    (first,), _, _ = read(reader, packed(ROW, **COUNTERS))
    of_row = {name: value for name, value in change.items() if name in ROW.__struct_fields__}
    of_info = {name: value for name, value in change.items() if name not in of_row}
    data = packed(msgspec.structs.replace(ROW, **of_row), **{**COUNTERS, **of_info})
    (second,), _, _ = read(reader, data)
    assert second != first
    assert [second] == read_slowly(data)[0]


def test_rows_share_the_addresses_and_ports_that_they_have_in_common() -> None:
    reader = DumpRows()
    rows = [make_socket(cookie=n, remote_ip=bytes([10, 0, 0, n])) for n in range(1, 4)]
    read(reader, packed(rows[0]))  # the first of its kind is read slowly
    found, _, _ = read(reader, *map(packed, rows[1:]))
    assert found[0].local_ip is found[1].local_ip
    assert found[0].remote_port is found[1].remote_port


# Vanished


def test_a_row_that_is_missing_is_told_until_the_next_dump() -> None:
    reader = DumpRows()
    read(reader, packed(ROW), packed(OTHER))
    assert reader.vanished == []
    read(reader, packed(OTHER))
    assert [row.cookie for row in reader.vanished] == [ROW.cookie]
    read(reader, packed(OTHER))
    assert reader.vanished == []


def test_a_socket_that_lost_its_counters_has_not_vanished() -> None:
    reader = DumpRows()
    read(reader, packed(ROW))
    waits = pack_row(msgspec.structs.replace(ROW, state=TcpState.TIME_WAIT, inode=0))
    read(reader, pack_message(SOCK_DIAG_TYPE, waits))
    assert reader.vanished == []


def test_a_dump_that_was_interrupted_makes_nothing_vanish() -> None:
    reader = DumpRows()
    read(reader, packed(ROW), packed(OTHER))
    read(reader, packed(OTHER, flags=NLM_F_DUMP_INTR))
    assert reader.vanished == []
    read(reader, packed(OTHER))
    assert [row.cookie for row in reader.vanished] == [ROW.cookie]


def test_a_row_that_is_found_again_can_vanish_once_more() -> None:
    reader = DumpRows()
    read(reader, packed(ROW, **COUNTERS))
    read(reader, packed(OTHER))
    (gone,) = reader.vanished
    assert gone.counters == Counters(500, 70, 0, 3000, 1)
    reader.remember(gone)
    read(reader, packed(OTHER))
    assert reader.vanished == [gone]
