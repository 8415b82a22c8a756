"""sock_diag: the kernel's TCP table of a namespace, with identity and counters.

One request of the old type TCPDIAG_GETSOCK with family 0 walks IPv4 and IPv6 in one pass, half
the price of two SOCK_DIAG_BY_FAMILY dumps: the price is the walk over the global hash, not the
rows. Layouts: include/uapi/linux/{inet_diag,tcp}.h. `tcp_info` grows from kernel to kernel, so it
is read by what is there, never by a fixed size.
"""

import socket
import struct
from socket import ntohs

from connbeat.linux import netlink
from connbeat.model.sockets import V4_MAPPED, Counters, Socket, TcpState

TCPDIAG_GETSOCK = 18
SOCK_DIAG_BY_FAMILY = 20
#: INET_DIAG_NOCOOKIE: whichever cookie it has.
_NO_COOKIE = (1 << 64) - 1

#: Bits of `idiag_states`: every state but the unhashed BOUND_INACTIVE, whose walk triples the cost.
ALL_STATES = 0xFFF
WITHOUT_TIME_WAIT = ALL_STATES & ~(1 << TcpState.TIME_WAIT)

INET_DIAG_INFO = 2
_INET_DIAG_SKV6ONLY = 11
_INET_DIAG_CGROUP_ID = 21

# family state timer retrans | sport dport | src | dst | if | cookie | expires rq wq uid inode
_row = struct.Struct("=BBBBHH16s16sIQIIIII")
ROW_BYTES = _row.size
_attribute = struct.Struct("=HH")
_u64 = struct.Struct("=Q")
# tcpi_rtt, tcpi_total_retrans, tcpi_bytes_acked, tcpi_bytes_received (since 4.1) ...
_info_short = struct.Struct("=68xI28xI16xQQ")
# ... tcpi_notsent_bytes, tcpi_bytes_sent, tcpi_bytes_retrans (since 4.19)
info_long = struct.Struct("=68xI28xI16xQQ8xI52xQQ")

#: States in which the other side's FIN has come and counts in tcpi_bytes_received.
FIN_RECEIVED = frozenset(map(int, (TcpState.CLOSE_WAIT, TcpState.LAST_ACK, TcpState.CLOSING)))
#: States in which neither our FIN counts in tcpi_bytes_acked nor is the SYN still on its way.
SYN_COUNTED = frozenset(map(int, (TcpState.ESTABLISHED, TcpState.CLOSE_WAIT)))
#: A row in any other is not understood.
STATES = frozenset(map(int, TcpState))

#: Where something begins and ends in a datagram.
Span = tuple[int, int]


def pack_dump_request(sequence: int, states: int = ALL_STATES) -> bytes:
    extensions = 1 << (INET_DIAG_INFO - 1)
    payload = struct.pack("=BBBB48xII", 0, 0, 0, extensions, states, 0)
    return netlink.pack_request(TCPDIAG_GETSOCK, sequence, payload)


def parse_rows(data: bytes, frame: netlink.Datagram) -> tuple[list[Socket], int]:
    """The sockets of one datagram, and how many rows did not follow the format. Never raises."""
    sockets: list[Socket] = []
    malformed = 0
    for message in frame.messages:
        if message.end - message.start < ROW_BYTES:
            malformed += 1
            continue
        row = parse_row(data, message.start, message.end)
        if row is None:
            malformed += 1
        else:
            sockets.append(row)
    return sockets, malformed


def parse_row(data: bytes, start: int, end: int) -> Socket | None:
    """The socket whose row, of at least `ROW_BYTES`, begins and ends there; None if it is none."""
    (
        family, state, _, _, local_port, remote_port, local, remote,
        interface, cookie, _, rqueue, wqueue, uid, inode,
    ) = _row.unpack_from(data, start)  # fmt: skip
    if state not in STATES:
        return None
    if family == socket.AF_INET:
        local, remote = local[:4], remote[:4]
    elif family != socket.AF_INET6:
        return None
    else:
        if local.startswith(V4_MAPPED):
            local = local[12:]
        if remote.startswith(V4_MAPPED):
            remote = remote[12:]
    info, cgroup_id, is_v6_only = parse_attributes(data, start + ROW_BYTES, end)
    counters = None
    if info is not None:
        fin = 1 if state in FIN_RECEIVED else 0
        counters = parse_tcp_info(data, info, fin, can_tell=state in SYN_COUNTED and not wqueue)
    return Socket(
        family, state, local, ntohs(local_port), remote, ntohs(remote_port),
        interface, cookie, inode, uid, rqueue, wqueue, cgroup_id, is_v6_only, counters,
    )  # fmt: skip


# netlink.iter_attributes, without its generator: this runs once for every row in TIME_WAIT.
def parse_attributes(data: bytes, start: int, end: int) -> tuple[Span | None, int, bool]:
    """Where `tcp_info` stands, if it does; the cgroup's id; whether it is for IPv6 only."""
    info: Span | None = None
    cgroup_id = 0
    is_v6_only = False
    unpack = _attribute.unpack_from
    while end - start >= 4:
        length, kind = unpack(data, start)
        if length < 4 or length > end - start:
            break
        if kind == INET_DIAG_INFO:
            info = start + 4, start + length
        elif kind == _INET_DIAG_CGROUP_ID:
            if length >= 12:
                cgroup_id = _u64.unpack_from(data, start + 4)[0]
        elif kind == _INET_DIAG_SKV6ONLY and length >= 5:
            is_v6_only = bool(data[start + 4])
        start += (length + 3) & ~3
    return info, cgroup_id, is_v6_only


def parse_tcp_info(data: bytes, info: Span, fin: int, *, can_tell: bool) -> Counters | None:
    """Counters from the `tcp_info` at `info`; None if it is too short to have any.

    Payload only: `tcpi_bytes_sent` has neither SYN nor FIN, `tcpi_bytes_received` counts the other
    side's FIN once it came (`fin` is 1). `can_tell`: all is acknowledged and our own FIN not under
    way; only then are the counters of one moment, and the caller's SYN shows.
    """
    start, end = info
    if end - start >= info_long.size:
        rtt, retransmits, acked, received, notsent, sent, repeated = info_long.unpack_from(
            data, start
        )
        sent = sent - repeated if sent > repeated else 0
        excess: int | None = None
        if can_tell and notsent == 0 and 0 <= acked - sent <= 1:
            excess = acked - sent
        return Counters(sent, received - fin if received else 0, retransmits, rtt, excess)
    if end - start >= _info_short.size:
        rtt, retransmits, acked, received = _info_short.unpack_from(data, start)
        return Counters(acked, received - fin if received else 0, retransmits, rtt, None)
    return None


def pack_get_request(sequence: int, wanted: Socket) -> bytes:
    """Ask for one socket by its addresses (not a dump): a look into the hash, 5 us."""
    payload = struct.pack(
        "=BBBBI2s2s16s16sIQ",
        wanted.family,
        socket.IPPROTO_TCP,
        1 << (INET_DIAG_INFO - 1),
        0,
        ALL_STATES,
        wanted.local_port.to_bytes(2),
        wanted.remote_port.to_bytes(2),
        _widened(wanted.local_ip, wanted.family),
        _widened(wanted.remote_ip, wanted.family),
        wanted.interface,
        _NO_COOKIE,
    )
    return netlink.pack_request(SOCK_DIAG_BY_FAMILY, sequence, payload, flags=0)


def _widened(ip: bytes, family: int) -> bytes:
    """16 bytes, and v4-mapped again where the socket is of IPv6."""
    if family == socket.AF_INET6 and len(ip) == 4:
        return V4_MAPPED + ip
    return ip.ljust(16, b"\0")
