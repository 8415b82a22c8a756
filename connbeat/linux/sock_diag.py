"""sock_diag: the kernel's TCP table of a namespace, with identity and counters.

One request of the old type TCPDIAG_GETSOCK with family 0 walks IPv4 and IPv6 in one pass, half
the price of two SOCK_DIAG_BY_FAMILY dumps: the price is the walk over the global hash, not the
rows. Layouts: include/uapi/linux/{inet_diag,tcp}.h. `tcp_info` grows from kernel to kernel, so it
is read by what is there, never by a fixed size.
"""

import socket
import struct
from socket import ntohs

from connbeat.errors import DumpInterrupted, Malformed
from connbeat.linux import netlink
from connbeat.model.sockets import V4_MAPPED, Counters, Socket, TcpState

TCPDIAG_GETSOCK = 18
SOCK_DIAG_BY_FAMILY = 20
#: INET_DIAG_NOCOOKIE: whichever cookie it has.
_NO_COOKIE = (1 << 64) - 1

#: Bits of `idiag_states`: every state but the unhashed BOUND_INACTIVE, whose walk triples the cost.
ALL_STATES = 0xFFF
WITHOUT_TIME_WAIT = ALL_STATES & ~(1 << TcpState.TIME_WAIT)

_INET_DIAG_INFO = 2
_INET_DIAG_SKV6ONLY = 11
_INET_DIAG_CGROUP_ID = 21

# family state timer retrans | sport dport | src | dst | if | cookie | expires rq wq uid inode
_row = struct.Struct("=BBBBHH16s16sIQIIIII")
ROW_BYTES = _row.size
_COOKIE_OFFSET = 44
_attribute = struct.Struct("=HH")
_u32 = struct.Struct("=I")
_u64 = struct.Struct("=Q")
# tcpi_rtt, tcpi_total_retrans, tcpi_bytes_acked, tcpi_bytes_received (since 4.1) ...
_info_short = struct.Struct("=68xI28xI16xQQ")
# ... tcpi_notsent_bytes, tcpi_bytes_sent, tcpi_bytes_retrans (since 4.19)
_info_long = struct.Struct("=68xI28xI16xQQ8xI52xQQ")

#: States in which the other side's FIN has come and counts in tcpi_bytes_received.
_FIN_RECEIVED = frozenset({TcpState.CLOSE_WAIT, TcpState.LAST_ACK, TcpState.CLOSING})
#: States in which neither our FIN counts in tcpi_bytes_acked nor is the SYN still on its way.
_SYN_COUNTED = frozenset({TcpState.ESTABLISHED, TcpState.CLOSE_WAIT})


def pack_dump_request(sequence: int, states: int = ALL_STATES) -> bytes:
    extensions = 1 << (_INET_DIAG_INFO - 1)
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
        row = _parse_row(data, message.start, message.end)
        if row is None:
            malformed += 1
        else:
            sockets.append(row)
    return sockets, malformed


def _parse_row(data: bytes, start: int, end: int, *, has_fin: bool | None = None) -> Socket | None:
    (
        family, state, _, _, local_port, remote_port, local, remote,
        interface, cookie, _, rqueue, wqueue, uid, inode,
    ) = _row.unpack_from(data, start)  # fmt: skip
    if family == socket.AF_INET:
        local, remote = local[:4], remote[:4]
    elif family != socket.AF_INET6:
        return None
    else:
        if local.startswith(V4_MAPPED):
            local = local[12:]
        if remote.startswith(V4_MAPPED):
            remote = remote[12:]
    info, cgroup_id, is_v6_only = _parse_attributes(data, start + ROW_BYTES, end)
    if has_fin is None:
        has_fin = state in _FIN_RECEIVED
    elif rqueue:
        has_fin = True
    counters = None
    if info is not None:
        counters = parse_tcp_info(data, info, state, wqueue, has_fin=has_fin)
    return Socket(
        family, state, local, ntohs(local_port), remote, ntohs(remote_port),
        interface, cookie, inode, uid, rqueue, wqueue, cgroup_id, is_v6_only, counters,
    )  # fmt: skip


# netlink.iter_attributes, without its generator: this runs 40,000 times in a dump.
def _parse_attributes(data: bytes, start: int, end: int) -> tuple[slice | None, int, bool]:
    info: slice | None = None
    cgroup_id = 0
    is_v6_only = False
    unpack = _attribute.unpack_from
    while end - start >= 4:
        length, kind = unpack(data, start)
        if length < 4 or length > end - start:
            break
        if kind == _INET_DIAG_INFO:
            info = slice(start + 4, start + length)
        elif kind == _INET_DIAG_CGROUP_ID:
            if length >= 12:
                cgroup_id = _u64.unpack_from(data, start + 4)[0]
        elif kind == _INET_DIAG_SKV6ONLY and length >= 5:
            is_v6_only = bool(data[start + 4])
        start += (length + 3) & ~3
    return info, cgroup_id, is_v6_only


def parse_tcp_info(
    data: bytes, info: slice, state: int, wqueue: int, *, has_fin: bool
) -> Counters | None:
    """Counters from the `tcp_info` at `info`; None if it is too short to have any.

    Payload only: `tcpi_bytes_sent` has neither SYN nor FIN, `tcpi_bytes_received` counts the other
    side's FIN once it came (`has_fin`). `wqueue` (bytes not yet acknowledged) tells whether all was
    acknowledged: only then are the counters of one moment, and the caller's SYN shows.
    """
    size = info.stop - info.start
    if size >= _info_long.size:
        rtt, retransmits, acked, received, notsent, sent, repeated = _info_long.unpack_from(
            data, info.start
        )
        excess: int | None = None
        if state in _SYN_COUNTED and wqueue == 0 and notsent == 0:
            difference = acked - (sent - repeated)
            excess = difference if difference in (0, 1) else None
        return Counters(
            max(0, sent - repeated), max(0, received - has_fin), retransmits, rtt, excess
        )
    if size >= _info_short.size:
        rtt, retransmits, acked, received = _info_short.unpack_from(data, info.start)
        payload = received - 1 if has_fin and received else received
        return Counters(acked, payload, retransmits, rtt, None)
    return None


def frame_destroyed(data: bytes) -> list[tuple[int, int]]:
    """Where each row of a SKNLGRP_INET_TCP_DESTROY datagram begins and ends. Raises CaptureError.

    The kernel sends one a datagram; that one needs no frame.
    """
    if len(data) > ROW_BYTES and _u32.unpack_from(data)[0] == len(data):
        return [(netlink.HEADER_BYTES, len(data))]
    frame = netlink.parse_datagram(data, 0)
    if frame.is_malformed:
        raise Malformed(f"a destroy message of {len(data)} bytes")
    return [(message.start, message.end) for message in frame.messages]


def cookie_of(data: bytes, start: int, end: int) -> int:
    """The cookie of a row, before anything else of it is looked at; 0 if the row is too short."""
    return _u64.unpack_from(data, start + _COOKIE_OFFSET)[0] if end - start >= ROW_BYTES else 0


def parse_destroyed(data: bytes, start: int, end: int, *, has_fin: bool) -> Socket | None:
    """The row of a destroyed socket; None if it does not follow the format.

    Its state is CLOSE whatever it was, uid and inode are 0. `has_fin`: the other side's FIN is
    known to have come, and counts in `tcpi_bytes_received`. So it did if something is left that
    nobody read: after a close() that can only be the FIN, or data that came after it.
    """
    return _parse_row(data, start, end, has_fin=has_fin) if end - start >= ROW_BYTES else None


def pack_get_request(sequence: int, wanted: Socket) -> bytes:
    """Ask for one socket by its addresses (not a dump): a look into the hash, 5 us."""
    payload = struct.pack(
        "=BBBBI2s2s16s16sIQ",
        wanted.family,
        socket.IPPROTO_TCP,
        1 << (_INET_DIAG_INFO - 1),
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


class DiagSocket:
    """The sock_diag socket of one namespace, opened by a thread that is inside it.

    One thread uses it. It pins the namespace for as long as it is open: close it as soon as the
    namespace has no process left.
    """

    def __init__(self) -> None:
        self._socket = netlink.open_socket(netlink.NETLINK_SOCK_DIAG)
        self._sequence = 0

    def dump(self, states: int = ALL_STATES) -> tuple[list[Socket], int, bool]:
        """All sockets in those states, the malformed rows, and whether the table moved.

        Rows may repeat (the caller keys by cookie). Raises CaptureError.
        """
        self._sequence += 1
        request = pack_dump_request(self._sequence, states)
        sockets: list[Socket] = []
        malformed = 0
        try:
            for data, frame in netlink.dump(self._socket, request, self._sequence):
                rows, bad = parse_rows(data, frame)
                sockets += rows
                malformed += bad
        except DumpInterrupted:
            return sockets, malformed, True
        return sockets, malformed, False

    def get(self, wanted: Socket) -> Socket | None:
        """The socket that has these addresses now; None if there is none. Raises CaptureError."""
        self._sequence += 1
        data = netlink.ask(self._socket, pack_get_request(self._sequence, wanted), self._sequence)
        if data is None:
            return None
        rows, _ = parse_rows(*data)
        return rows[0] if rows else None

    def close(self) -> None:
        self._socket.close()
