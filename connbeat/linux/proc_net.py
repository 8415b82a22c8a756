"""`/proc/<pid>/net/*`: the tables and counters of the namespace that the process lives in.

`tcp` and `tcp6` are the fallback where sock_diag cannot be used; they need no privilege, even for
another namespace, but have no cookie and no counters. `snmp`, `sockstat` and `sockstat6` are small
and tell whether a dump would show anything new. Row format: net/ipv4/tcp_ipv4.c,
`get_tcp4_sock`; Documentation/networking/proc_net_tcp.rst.
"""

import socket
import struct
from binascii import unhexlify

import msgspec

from connbeat.model.addresses import unmap
from connbeat.model.sockets import Socket, TcpState

# As printed, and as the socket has it: one word for IPv4, four for IPv6.
_WORDS: dict[int, tuple[struct.Struct, struct.Struct]] = {
    socket.AF_INET: (struct.Struct(">I"), struct.Struct("=I")),
    socket.AF_INET6: (struct.Struct(">4I"), struct.Struct("=4I")),
}


class ParsedTable(msgspec.Struct, frozen=True, gc=False):
    """The rows of one table, and how many lines did not follow the format."""

    sockets: tuple[Socket, ...]
    malformed: int


def parse_tcp_table(table: bytes, family: int) -> ParsedTable:
    """Parse the content of `tcp` (AF_INET) or `tcp6` (AF_INET6). Never raises."""
    sockets: list[Socket] = []
    malformed = 0
    for line in table.splitlines():
        fields = line.split(None, 10)
        if not fields or fields[0] == b"sl":
            continue
        try:
            sockets.append(_parse_row(fields, family))
        except (ValueError, IndexError):
            malformed += 1
    return ParsedTable(tuple(sockets), malformed)


def _parse_row(fields: list[bytes], family: int) -> Socket:
    local_ip, local_port = _parse_address(fields[1], family)
    remote_ip, remote_port = _parse_address(fields[2], family)
    state = TcpState(_parse_hex(fields[3], 2))
    tx, _, rx = fields[4].partition(b":")
    return Socket(
        family=family,
        state=TcpState.SYN_RECV if state is TcpState.NEW_SYN_RECV else state,
        local_ip=local_ip,
        local_port=local_port,
        remote_ip=remote_ip,
        remote_port=remote_port,
        interface=0,
        cookie=0,
        inode=_parse_decimal(fields[9]),
        uid=_parse_decimal(fields[7]),
        rqueue=_parse_hex(rx, 8),
        wqueue=0 if state is TcpState.LISTEN else _parse_hex(tx, 8),
        cgroup_id=0,
        is_v6_only=False,
        counters=None,
    )


def _parse_decimal(text: bytes) -> int:
    value = int(text)
    if not 0 <= value < 1 << 64:
        raise ValueError(text)
    return value


def _parse_hex(text: bytes, digits: int) -> int:
    """Digits alone: `int` would take signs, blanks, underscores and any length as well."""
    if len(text) != digits:
        raise ValueError(text)
    return int.from_bytes(unhexlify(text))


def _parse_address(text: bytes, family: int) -> tuple[bytes, int]:
    """`0100007F:1F90`: each 32-bit word in the machine's byte order, the port in big-endian."""
    digits, _, port = text.partition(b":")
    printed, packed = _WORDS[family]
    if len(digits) != printed.size * 2:
        raise ValueError(text)
    return unmap(packed.pack(*printed.unpack(unhexlify(digits)))), _parse_hex(port, 4)


def parse_tcp_counters(snmp: bytes) -> tuple[tuple[str, int], ...]:
    """The `Tcp:` pair of lines of `snmp` as (name, value). Empty if there is none."""
    rows = [line.split()[1:] for line in snmp.splitlines() if line.startswith(b"Tcp:")]
    if len(rows) != 2:
        return ()
    try:
        return tuple(
            (name.decode("ascii", "replace"), int(value)) for name, value in zip(*rows, strict=True)
        )
    except ValueError:
        return ()


def parse_opens(snmp: bytes) -> int:
    """Connects and accepts since the namespace began: ActiveOpens + PassiveOpens; 0 if not told."""
    counters = dict(parse_tcp_counters(snmp))
    return counters.get("ActiveOpens", 0) + counters.get("PassiveOpens", 0)


def fingerprint(snmp: bytes, sockstat: bytes, sockstat6: bytes) -> bytes:
    """What has to change in a namespace before a dump can show anything new.

    Only what belongs to the namespace: its `Tcp:` counters and the numbers of sockets in use. The
    rest of `sockstat` (orphan, tw, alloc, mem) is the whole machine's.
    """
    parts = [line for line in snmp.splitlines() if line.startswith(b"Tcp:")]
    for stat, name in ((sockstat, b"TCP: inuse "), (sockstat6, b"TCP6: inuse ")):
        parts += [line.split(b" ", 3)[2] for line in stat.splitlines() if line.startswith(name)]
    return b"\n".join(parts)
