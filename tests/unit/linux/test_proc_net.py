"""`/proc/net/tcp` and its neighbours: golden tables, rows that lie, and what a dump is worth."""

import re
import socket
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.linux.proc_net import fingerprint, parse_opens, parse_tcp_counters, parse_tcp_table
from connbeat.model.sockets import Socket, TcpState
from tests import golden
from tests.strategies import hostile

LINUX = golden.DATA / "proc" / "linux-6.18"
TABLES: dict[int, bytes] = {
    socket.AF_INET: (LINUX / "tcp").read_bytes(),
    socket.AF_INET6: (LINUX / "tcp6").read_bytes(),
}
HEADER = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  ...\n"
ROW = (
    b"   3: 0100007F:1F90 0200007F:C35A 01 0000000A:00000014 00:00000000 00000000  1000        0"
    b" 4242 1 00000000900bf6b8 20 4 30 10 -1                     \n"
)


def parse(*lines: bytes, family: int = socket.AF_INET) -> tuple[tuple[Socket, ...], int]:
    parsed = parse_tcp_table(HEADER + b"".join(lines), family)
    return parsed.sockets, parsed.malformed


def identity(row: Socket) -> tuple[object, ...]:
    return (
        row.family, row.state, row.local_ip, row.local_port,
        row.remote_ip, row.remote_port, row.inode,
    )  # fmt: skip


# Golden tables


@pytest.mark.parametrize("family", TABLES)
def test_a_recorded_table_has_the_rows_of_the_dump_of_the_same_moment(family: int) -> None:
    """Beside `tests/data/netlink/linux-6.18-tcp`; addresses and states from there, by pyroute2."""
    parsed = parse_tcp_table(TABLES[family], family)
    assert parsed.malformed == 0
    expected = Counter(
        (
            seen.family,
            seen.state,
            golden.packed(seen.local),
            seen.local_port,
            golden.packed(seen.remote),
            seen.remote_port,
            seen.inode,
        )
        for seen in golden.read_tcp_table("linux-6.18-tcp").rows
        if seen.family == family
    )
    assert Counter(map(identity, parsed.sockets)) == expected
    assert {row.state for row in parsed.sockets} == set(TcpState) - {
        TcpState.CLOSE, TcpState.NEW_SYN_RECV, TcpState.BOUND_INACTIVE
    }  # fmt: skip


def test_recorded_queues_are_those_of_the_dump() -> None:
    """For a listener the table has no greatest backlog."""
    by_inode = {seen.inode: seen for seen in golden.read_tcp_table("linux-6.18-tcp").rows}
    for family, table in TABLES.items():
        for row in parse_tcp_table(table, family).sockets:
            if row.inode and row.state == TcpState.LISTEN:
                assert (row.rqueue, row.wqueue) == (by_inode[row.inode].rqueue, 0)
            elif row.inode and row.state not in (TcpState.CLOSE_WAIT, TcpState.CLOSING):
                assert row.rqueue == by_inode[row.inode].rqueue
                assert row.wqueue == by_inode[row.inode].wqueue


# A row


def test_a_row_has_what_the_table_tells_and_no_more() -> None:
    rows, malformed = parse(ROW)
    assert malformed == 0
    assert rows == (
        Socket(
            family=socket.AF_INET,
            state=TcpState.ESTABLISHED,
            local_ip=bytes([127, 0, 0, 1]),
            local_port=8080,
            remote_ip=bytes([127, 0, 0, 2]),
            remote_port=50010,
            interface=0,
            cookie=0,
            inode=4242,
            uid=1000,
            rqueue=20,
            wqueue=10,
            cgroup_id=0,
            is_v6_only=False,
            counters=None,
        ),
    )


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("B80D0120000000000000000001000000", "2001:db8::1"),
        ("000080FE00000000FF565002BD69B1FE", "fe80::250:56ff:feb1:69bd"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
        ("00000000000000000000000000000000", "::"),
    ],
)
def test_each_word_of_an_ipv6_address_is_in_the_machines_byte_order(text: str, packed: str) -> None:
    row = ROW.replace(b"0100007F:", f"{text}:".encode()).replace(b"0200007F:", b"0" * 32 + b":")
    (parsed,), _ = parse(row, family=socket.AF_INET6)
    assert parsed.local_ip == golden.packed(packed)


def test_the_kernels_new_syn_recv_is_syn_recv() -> None:
    (row,), _ = parse(ROW.replace(b" 01 0000000A", b" 0C 0000000A"))
    assert row.state == TcpState.SYN_RECV


# Rows that lie


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"0100007F:1F90", b"0100007F"),
        (b"0100007F:1F90", b"0100007F1F90"),
        (b"0100007F:1F90", b":1F90"),
        (b"0100007F:1F90", b"010000007F:1F90"),
        (b"0100007F:1F90", b"-100007F:1F90"),
        (b"0100007F:1F90", b"0x00007F:1F90"),
        (b"0100007F:1F90", b"01_0007F:1F90"),
        (b"0100007F:1F90", b"0100007F:-F90"),
        (b"0100007F:1F90", b"0100007F:11F90"),
        (b"0100007F:1F90", b"\xff\xfe00007F:1F90"),
        (b"0200007F:C35A", b"*:*"),
        (b" 01 0000000A", b" 00 0000000A"),
        (b" 01 0000000A", b" 7F 0000000A"),
        (b" 01 0000000A", b" -1 0000000A"),
        (b":00000014", b":-0000014"),
        (b":00000014", b":" + b"F" * 40),
        (b":00000014", b""),
        (b"0000000A:", b"-000000A:"),
        (b" 4242 ", b" -42 "),
        (b" 4242 ", b" 18446744073709551616 "),
        (b" 4242 ", b" " + b"9" * 5000 + b" "),
        (b" 1000 ", b" root "),
        (b" 1000 ", b" -1 "),
    ],
)
def test_a_hostile_row_is_counted_and_the_rest_survives(good: bytes, bad: bytes) -> None:
    assert good in ROW
    rows, malformed = parse(ROW, ROW.replace(good, bad), ROW.replace(b" 4242 ", b" 7 "))
    assert [row.inode for row in rows] == [4242, 7]
    assert malformed == 1


def test_a_row_cut_anywhere_is_whole_or_counted() -> None:
    for size in range(1, len(ROW)):
        rows, malformed = parse(ROW[:size], b"\n", ROW)
        assert len(rows) + malformed == (1 if not ROW[:size].strip() else 2)
        assert all(row.local_port == 8080 for row in rows)


def test_a_row_of_the_other_family_is_malformed() -> None:
    assert parse(ROW, family=socket.AF_INET6) == ((), 1)


@pytest.mark.parametrize("table", [b"", b"\n\n", HEADER, b"\0" * 100])
def test_a_table_without_rows_has_none(table: bytes) -> None:
    assert parse_tcp_table(table, socket.AF_INET).sockets == ()


_NUMBERISH = st.text("0123456789abcdefABCDEF-+_:x. ", max_size=40).map(str.encode)


@given(
    st.one_of(
        hostile(ROW * 2),
        hostile(TABLES[socket.AF_INET6][:900]),
        st.lists(st.one_of(_NUMBERISH, st.binary(max_size=40)), max_size=14).map(b" ".join),
    ),
    st.sampled_from([socket.AF_INET, socket.AF_INET6]),
)
def test_no_table_makes_the_parser_raise_or_give_a_row_that_cannot_be(
    table: bytes, family: int
) -> None:
    for row in parse_tcp_table(table, family).sockets:
        assert len(row.local_ip) in (4, 16)
        assert len(row.remote_ip) in (4, 16)
        assert 0 <= row.local_port < 1 << 16
        assert 0 <= row.remote_port < 1 << 16
        assert 0 <= row.rqueue < 1 << 32
        assert 0 <= row.wqueue < 1 << 32
        assert 0 <= row.inode < 1 << 64


@given(st.integers(0, 3), st.sampled_from([b"0100007F", b"1F90", b"01", b"00000014"]))
def test_a_minus_sign_in_any_number_is_malformed(at: int, field: bytes) -> None:
    at = min(at, len(field) - 1)
    row = ROW.replace(field, field[:at] + b"-" + field[at + 1 :], 1)
    assert parse(row, ROW)[1] == 1


# Counters of a namespace

SNMP = (LINUX / "snmp").read_bytes()
SOCKSTAT = (LINUX / "sockstat").read_bytes()
SOCKSTAT6 = (LINUX / "sockstat6").read_bytes()


def test_recorded_counters_are_read_by_their_names() -> None:
    counters = dict(parse_tcp_counters(SNMP))
    recorded = re.findall(rb"^Tcp: (.*)$", SNMP, re.MULTILINE)
    assert counters["MaxConn"] == -1
    assert " ".join(counters).encode() == recorded[0]
    assert " ".join(map(str, counters.values())).encode() == recorded[1]


@pytest.mark.parametrize(
    "snmp",
    [b"", b"Tcp: A B\n", b"Tcp: A B\nTcp: 1\n", b"Tcp: A\nTcp: x\n", b"Tcp: A\nTcp: 1\nTcp: 2\n"],
)
def test_counters_without_names_are_none(snmp: bytes) -> None:
    assert parse_tcp_counters(snmp) == ()


def test_a_fingerprint_changes_with_what_belongs_to_the_namespace() -> None:
    before = fingerprint(SNMP, SOCKSTAT, SOCKSTAT6)
    # ActiveOpens is the fifth counter of the line, and the first that a connection moves.
    opened = re.sub(
        rb"^(Tcp: \d+ \d+ \d+ -1) (\d+)",
        lambda m: m[1] + b" " + str(int(m[2]) + 1).encode(),
        SNMP,
        flags=re.MULTILINE,
    )
    assert opened != SNMP
    assert fingerprint(opened, SOCKSTAT, SOCKSTAT6) != before
    assert fingerprint(SNMP, re.sub(rb"TCP: inuse \d+", b"TCP: inuse 1", SOCKSTAT), SOCKSTAT6) != (
        before
    )
    assert fingerprint(
        SNMP, SOCKSTAT, re.sub(rb"TCP6: inuse \d+", b"TCP6: inuse 1", SOCKSTAT6)
    ) != (before)


def test_a_fingerprint_does_not_change_with_what_belongs_to_the_machine() -> None:
    before = fingerprint(SNMP, SOCKSTAT, SOCKSTAT6)
    busy = re.sub(rb"orphan \d+ tw \d+ alloc \d+ mem \d+", b"orphan 9 tw 9 alloc 9 mem 9", SOCKSTAT)
    busy = re.sub(rb"sockets: used \d+", b"sockets: used 9", busy)
    assert busy != SOCKSTAT
    assert fingerprint(SNMP.replace(b"Udp: 0", b"Udp: 1"), busy, SOCKSTAT6) == before


@given(hostile(SNMP), hostile(SOCKSTAT), hostile(SOCKSTAT6))
def test_no_text_makes_the_counters_raise(snmp: bytes, sockstat: bytes, sockstat6: bytes) -> None:
    parse_tcp_counters(snmp)
    assert isinstance(parse_opens(snmp), int)
    assert isinstance(fingerprint(snmp, sockstat, sockstat6), bytes)


def test_connects_and_accepts_are_counted_together() -> None:
    counters = dict(parse_tcp_counters(SNMP))
    assert counters["PassiveOpens"] > 0
    assert parse_opens(SNMP) == counters["ActiveOpens"] + counters["PassiveOpens"]


@pytest.mark.parametrize("snmp", [b"", b"Tcp: RtoMin\nTcp: 200\n", b"Tcp: ActiveOpens\nTcp: x\n"])
def test_a_kernel_that_does_not_count_them_counted_none(snmp: bytes) -> None:
    assert parse_opens(snmp) == 0
