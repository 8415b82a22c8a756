"""The TCP table as sock_diag gives it: golden rows, every age of `tcp_info`, hostile bytes."""

import socket
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import CaptureError
from connbeat.linux.netlink import parse_datagram
from connbeat.linux.sock_diag import (
    WITHOUT_TIME_WAIT,
    pack_dump_request,
    pack_get_request,
    parse_rows,
)
from connbeat.model.sockets import Counters, Socket, TcpState
from tests import golden
from tests.strategies import (
    INET_DIAG_CGROUP_ID,
    INET_DIAG_INFO,
    INET_DIAG_SKV6ONLY,
    SOCK_DIAG_TYPE,
    TCP_INFO_4_1,
    TCP_INFO_4_19,
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

GOLDEN = golden.read_datagrams("linux-6.18-tcp")
FIN_CAME = (TcpState.CLOSE_WAIT, TcpState.LAST_ACK, TcpState.CLOSING)


def decode(*datagrams: bytes, sequence: int = 1) -> list[Socket]:
    rows: list[Socket] = []
    for data in datagrams:
        found, malformed = parse_rows(data, parse_datagram(data, sequence))
        assert malformed == 0
        rows += found
    return rows


def decode_row(row: Socket, *attributes: bytes) -> Socket:
    (decoded,) = decode(pack_message(SOCK_DIAG_TYPE, pack_row(row, *attributes)))
    return decoded


def counters_of(
    state: int = TcpState.ESTABLISHED,
    *,
    length: int = TCP_INFO_6_18,
    wqueue: int = 0,
    **fields: int,
) -> Counters | None:
    """What is read from a `tcp_info` of that length with these fields."""
    info = pack_attribute(INET_DIAG_INFO, pack_tcp_info(length, **fields))
    return decode_row(make_socket(state=state, wqueue=wqueue), info).counters


# What a kernel said


@pytest.fixture(params=golden.TCP_RECORDINGS)
def recording(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_recorded_row_is_decoded_as_pyroute2_decodes_it(recording: str) -> None:
    table = golden.read_tcp_table(recording)
    rows = decode(*golden.read_datagrams(recording), sequence=table.sequence)
    assert len(rows) == len(table.rows)
    for row, seen in zip(rows, table.rows, strict=True):
        assert msgspec.structs.replace(row, counters=None) == Socket(
            family=seen.family,
            state=seen.state,
            local_ip=golden.packed(seen.local),
            local_port=seen.local_port,
            remote_ip=golden.packed(seen.remote),
            remote_port=seen.remote_port,
            interface=seen.interface,
            cookie=seen.cookie,
            inode=seen.inode,
            uid=seen.uid,
            rqueue=seen.rqueue,
            wqueue=seen.wqueue,
            cgroup_id=seen.cgroup_id,
            is_v6_only=seen.is_v6_only,
            counters=None,
        )
        assert (row.counters is None) == (seen.info is None)
        if row.counters is not None and seen.info is not None:
            assert row.counters.bytes_sent == seen.info.bytes_sent - seen.info.bytes_retrans
            assert row.counters.bytes_received == seen.info.bytes_received - (
                seen.state in FIN_CAME
            )
            assert row.counters.retransmits == seen.info.total_retrans
            assert row.counters.rtt_us == seen.info.rtt


def test_recorded_counters_are_the_payload_that_the_program_counted(recording: str) -> None:
    table = golden.read_tcp_table(recording)
    rows = {
        row.cookie: row
        for row in decode(*golden.read_datagrams(recording), sequence=table.sequence)
    }
    known = [known for known in table.known if known.received is not None]
    assert {known.state for known in known} >= {
        "ESTABLISHED", "SYN_SENT", "FIN_WAIT1", "FIN_WAIT2", "CLOSE_WAIT", "LAST_ACK", "CLOSING"
    }  # fmt: skip
    for socket_ in known:
        row = rows[socket_.cookie]
        assert TcpState(row.state).name == socket_.state
        assert row.counters is not None
        assert row.counters.bytes_received == socket_.received
        assert socket_.sent in (None, row.counters.bytes_sent)
        assert socket_.caller in (None, bool(row.counters.client_excess))


def test_a_recording_has_every_state_in_both_families_and_mapped(recording: str) -> None:
    rows = decode(
        *golden.read_datagrams(recording), sequence=golden.read_tcp_table(recording).sequence
    )
    reachable = set(TcpState) - {TcpState.CLOSE, TcpState.NEW_SYN_RECV, TcpState.BOUND_INACTIVE}
    for family in (socket.AF_INET, socket.AF_INET6):
        assert {row.state for row in rows if row.family == family} == reachable
    assert any(row.family == socket.AF_INET6 and len(row.local_ip) == 4 for row in rows)


# Requests


def test_a_dump_is_asked_for_in_both_families_with_tcp_info() -> None:
    """inet_diag_req: family 0, extension 1 << (INFO - 1), 48 bytes of any, states, no dbs."""
    assert pack_dump_request(3).hex() == (
        "4c000000" "1200" "0103" "03000000" "00000000"
        "00000002" + "00" * 48 + "ff0f0000" "00000000"
    )  # fmt: skip


def test_the_states_that_are_asked_for_are_a_mask_of_tcp_states() -> None:
    (states,) = struct.unpack_from("=I", pack_dump_request(1, WITHOUT_TIME_WAIT), 16 + 52)
    assert states == sum(1 << state for state in range(12) if state != 6)


@given(sockets())
def test_a_socket_is_asked_for_by_the_addresses_it_has_on_the_wire(row: Socket) -> None:
    """inet_diag_req_v2: family, protocol, ext, pad, states, then ports and addresses."""
    request = pack_get_request(1, row)
    wire = pack_row(row)
    assert struct.unpack_from("=IHH", request) == (72, 20, 1)
    assert request[16:18] == bytes([row.family, socket.IPPROTO_TCP])
    assert request[24:64] == wire[4:44]  # both ports, both addresses, the interface
    assert request[64:72] == b"\xff" * 8


# Rows


@given(sockets())
def test_a_row_is_decoded_field_by_field(row: Socket) -> None:
    attributes = [pack_attribute(INET_DIAG_CGROUP_ID, struct.pack("=Q", row.cgroup_id))]
    if row.is_v6_only:
        attributes.append(pack_attribute(INET_DIAG_SKV6ONLY, b"\x01"))
    assert decode_row(row, *attributes) == row


def test_a_mapped_address_is_ipv4_at_both_ends_and_keeps_its_family() -> None:
    row = make_socket(family=socket.AF_INET6)
    wire = pack_row(row)
    assert wire[8:24].hex() == "00000000000000000000ffffc0000201"
    assert decode_row(row) == row


def test_a_row_of_another_family_is_malformed_and_the_rest_survives() -> None:
    stranger = bytearray(pack_row(make_socket()))
    stranger[0] = socket.AF_UNIX
    data = pack_message(SOCK_DIAG_TYPE, bytes(stranger)) + pack_message(
        SOCK_DIAG_TYPE, pack_row(make_socket(inode=7))
    )
    rows, malformed = parse_rows(data, parse_datagram(data, 1))
    assert [row.inode for row in rows] == [7]
    assert malformed == 1


@pytest.mark.parametrize("size", range(0, 72, 4))
def test_a_truncated_row_is_counted_and_the_rest_survives(size: int) -> None:
    data = pack_message(SOCK_DIAG_TYPE, pack_row(make_socket())[:size]) + pack_message(
        SOCK_DIAG_TYPE, pack_row(make_socket(inode=7))
    )
    rows, malformed = parse_rows(data, parse_datagram(data, 1))
    assert [row.inode for row in rows] == [7]
    assert malformed == 1


def test_an_attribute_that_lies_about_its_length_costs_what_follows_in_its_row_alone() -> None:
    liar = struct.pack("=HH", 400, INET_DIAG_SKV6ONLY) + bytes(4)
    info = pack_attribute(INET_DIAG_INFO, pack_tcp_info(rtt=5))
    row = decode_row(make_socket(), info, liar)
    assert row.counters is not None
    assert not row.is_v6_only
    assert decode_row(make_socket(), liar, info).counters is None


@pytest.mark.parametrize("payload", [b"", b"\x01", bytes(7)])
def test_a_short_cgroup_id_is_no_cgroup_id(payload: bytes) -> None:
    assert decode_row(make_socket(), pack_attribute(INET_DIAG_CGROUP_ID, payload)).cgroup_id == 0


def test_unknown_attributes_are_passed_over() -> None:
    strange = pack_attribute(4711, b"from the future")
    v6_only = pack_attribute(INET_DIAG_SKV6ONLY, b"\x01")
    assert decode_row(make_socket(), strange, v6_only).is_v6_only


# tcp_info


FIELDS = {
    "rtt": 1500,
    "total_retrans": 2,
    "bytes_acked": 5001,
    "bytes_received": 700,
    "bytes_sent": 5600,
    "bytes_retrans": 600,
}


@pytest.mark.parametrize("length", [TCP_INFO_4_19, 216, 232, TCP_INFO_6_18, 281, 400])
def test_since_linux_4_19_there_is_everything_however_long_it_grows(length: int) -> None:
    assert counters_of(length=length, **FIELDS) == Counters(5000, 700, 2, 1500, 1)


@pytest.mark.parametrize("length", [TCP_INFO_4_1, 144, 192, 215])
def test_since_linux_4_1_there_are_bytes_but_nobody_knows_who_called(length: int) -> None:
    """Acknowledged bytes instead of sent ones: one more at the end that called, for its SYN."""
    assert counters_of(length=length, **FIELDS) == Counters(5001, 700, 2, 1500, None)


@pytest.mark.parametrize("length", [0, 1, 72, 104, 135])
def test_before_linux_4_1_there_are_no_counters(length: int) -> None:
    assert counters_of(length=length, **FIELDS) is None


@pytest.mark.parametrize("state", list(TcpState))
def test_the_other_sides_fin_is_no_payload_once_it_came(state: TcpState) -> None:
    counters = counters_of(state, bytes_received=51)
    assert counters is not None
    assert counters.bytes_received == (50 if state in FIN_CAME else 51)


@pytest.mark.parametrize("length", [TCP_INFO_4_1, TCP_INFO_6_18])
def test_counters_are_never_negative(length: int) -> None:
    """A repaired socket (TCP_REPAIR, a migrated container) starts with counters of 0."""
    counters = counters_of(TcpState.LAST_ACK, length=length, bytes_retrans=9)
    assert counters is not None
    assert (counters.bytes_sent, counters.bytes_received) == (0, 0)


@pytest.mark.parametrize(
    ("acked", "excess"), [(1000, 0), (1001, 1), (1002, None), (999, None), (0, None)]
)
def test_one_byte_too_many_acknowledged_is_the_callers_syn(acked: int, excess: int | None) -> None:
    fields = {"bytes_acked": acked, "bytes_sent": 1100, "bytes_retrans": 100}
    for state in (TcpState.ESTABLISHED, TcpState.CLOSE_WAIT):
        counters = counters_of(state, **fields)
        assert counters is not None
        assert counters.client_excess == excess


@pytest.mark.parametrize(
    "state", sorted(set(TcpState) - {TcpState.ESTABLISHED, TcpState.CLOSE_WAIT})
)
def test_who_called_is_not_told_once_our_own_fin_may_count(state: TcpState) -> None:
    counters = counters_of(state, bytes_acked=1001, bytes_sent=1000)
    assert counters is not None
    assert counters.client_excess is None


@pytest.mark.parametrize("waiting", [{"wqueue": 1}, {"notsent_bytes": 1}])
def test_who_called_is_not_told_while_something_is_on_its_way(waiting: dict[str, int]) -> None:
    counters = counters_of(bytes_acked=1001, bytes_sent=1000, **waiting)
    assert counters is not None
    assert counters.client_excess is None


# Bytes that are almost right


def test_a_dump_cut_at_any_byte_gives_a_prefix_of_its_rows() -> None:
    data = GOLDEN[-1]
    whole = decode(data)
    for size in range(len(data)):
        cut = data[:size]
        rows, malformed = parse_rows(cut, parse_datagram(cut, 1))
        assert rows == whole[: len(rows)]
        assert malformed == 0


@given(hostile(GOLDEN[-1][:1300] + pack_done()))
def test_hostile_bytes_give_rows_or_our_error_and_nothing_else(data: bytes) -> None:
    try:
        frame = parse_datagram(data, 1)
    except CaptureError:
        return
    rows, malformed = parse_rows(data, frame)
    assert len(rows) + malformed == len(frame.messages)
    assert all(len(row.local_ip) in (4, 16) and 0 <= row.local_port < 65536 for row in rows)


@given(st.binary(max_size=400), st.integers(1, 12))
def test_any_attributes_give_a_row(attributes: bytes, state: int) -> None:
    row = decode_row(make_socket(state=state), attributes)
    assert msgspec.structs.replace(
        row, counters=None, cgroup_id=0, is_v6_only=False
    ) == make_socket(state=state)
