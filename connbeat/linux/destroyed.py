"""Destroyed sockets: the datagrams of SKNLGRP_INET_TCP_DESTROY (net/core/sock_diag.c).

Each has one row, and a kernel puts the same attributes of the same lengths into all of them. So
what stands between row and `tcp_info` is remembered, and a datagram that has the very same there is
unpacked in one go. Any other is walked, which takes twice as long; no length is trusted.
"""

import socket
import struct
from collections.abc import Mapping, Sequence
from socket import ntohs

from connbeat.errors import CaptureError, Malformed
from connbeat.linux import netlink
from connbeat.linux.sock_diag import INET_DIAG_INFO, ROW_BYTES, Span, info_long, parse_tcp_info
from connbeat.model.addresses import unmap
from connbeat.model.sockets import V4_MAPPED, Counters, Socket, TcpState
from connbeat.model.traces import Trace

_CLOSE = int(TcpState.CLOSE)

# family | sport dport | src | dst | if | cookie | rq wq: no state, no timer, no owner any more
_ROW = "B3xHH16s16sIQ4xII8x"
# tcpi_rtt, tcpi_total_retrans, tcpi_bytes_received, tcpi_bytes_sent, tcpi_bytes_retrans
_INFO = "68xI28xI24xQ64xQQ"
_row = struct.Struct("=" + _ROW)
_attribute = struct.Struct("=HH")
_u32 = struct.Struct("=I")


class DestroyedRows:
    """One owner. A row's state is CLOSE whatever it was, its uid and inode are 0.

    Whether the other side's FIN came, and counts in `tcpi_bytes_received`, the trace of the socket
    tells. Where nobody knows it did if something is left that nobody read: after an orderly close()
    that can only be the FIN. A socket that was reset on purpose (SO_LINGER 0) has lost its counters
    with its remote port: it has none.
    """

    def __init__(self) -> None:
        #: Datagrams and rows that did not follow the format.
        self.malformed = 0
        #: Of the last datagram that was walked: its length, from the row's end to `tcp_info`.
        self._bytes = -1
        self._head = b""
        self._unpack = struct.Struct("").unpack

    def read(self, data: bytes, traces: Mapping[int, Trace]) -> Sequence[Socket]:
        """The rows of a datagram; `traces` are those that ended, by cookie. Never raises."""
        if len(data) != self._bytes:
            return self._walk(data, traces)
        (
            length, family, local_port, remote_port, local, remote, interface, cookie, rqueue,
            wqueue, head, rtt, retransmits, received, sent, repeated,
        ) = self._unpack(data)  # fmt: skip
        if length != self._bytes or head != self._head:
            return self._walk(data, traces)
        if family == socket.AF_INET:
            local, remote = local[:4], remote[:4]
        elif family == socket.AF_INET6:
            # unmap(), without two calls
            local = local[12:] if local.startswith(V4_MAPPED) else local
            remote = remote[12:] if remote.startswith(V4_MAPPED) else remote
        else:
            self.malformed += 1
            return ()
        counters = None
        if remote_port:  # as parse_tcp_info has it
            if received and _has_fin(traces.get(cookie), rqueue):
                received -= 1
            sent = sent - repeated if sent > repeated else 0
            counters = Counters(sent, received, retransmits, rtt, None)
        row = Socket(
            family, _CLOSE, local, ntohs(local_port), remote, ntohs(remote_port),
            interface, cookie, 0, 0, rqueue, wqueue, 0, False, counters,
        )  # fmt: skip
        return (row,)

    def _walk(self, data: bytes, traces: Mapping[int, Trace]) -> Sequence[Socket]:
        try:
            spans = _frame(data)
        except CaptureError:
            self.malformed += 1
            return ()
        rows: list[Socket] = []
        for span in spans:
            info = _find_info(data, span)
            row = _parse(data, span, info, traces)
            if row is None:
                self.malformed += 1
                continue
            rows.append(row)
            if info is not None and span == (netlink.HEADER_BYTES, len(data)):
                self._remember(data, info)
        return rows

    def _remember(self, data: bytes, info: Span) -> None:
        """Where this datagram has its `tcp_info`, unless it is of a kernel before 4.19."""
        start, end = info
        head = data[netlink.HEADER_BYTES + ROW_BYTES : start]
        if end - start < info_long.size or (len(data), head) == (self._bytes, self._head):
            return
        self._bytes, self._head = len(data), head
        layout = f"=I12x{_ROW}{len(head)}s{_INFO}"
        rest = len(data) - struct.calcsize(layout)
        self._unpack = struct.Struct(f"{layout}{rest}x").unpack


def _frame(data: bytes) -> list[Span]:
    """Where each row of the datagram begins and ends. Raises CaptureError.

    The kernel sends one a datagram; that one needs no frame.
    """
    if len(data) > ROW_BYTES and _u32.unpack_from(data)[0] == len(data):
        return [(netlink.HEADER_BYTES, len(data))]
    frame = netlink.parse_datagram(data, 0)
    if frame.is_malformed:
        raise Malformed(f"a destroy message of {len(data)} bytes")
    return [(message.start, message.end) for message in frame.messages]


# Not netlink.iter_attributes: its generator costs 0.5 us, for every socket of a kernel before 4.19.
def _find_info(data: bytes, row: Span) -> Span | None:
    """The first `tcp_info`: nothing behind it may count where `DestroyedRows.read` looks for it."""
    start, end = row[0] + ROW_BYTES, row[1]
    while end - start >= 4:
        length, kind = _attribute.unpack_from(data, start)
        if length < 4 or length > end - start:
            break
        if kind == INET_DIAG_INFO:
            return start + 4, start + length
        start += (length + 3) & ~3
    return None


def _parse(
    data: bytes, span: Span, info: Span | None, traces: Mapping[int, Trace]
) -> Socket | None:
    """The row that begins and ends there; None if it does not follow the format."""
    start, end = span
    if end - start < ROW_BYTES:
        return None
    family, local_port, remote_port, local, remote, interface, cookie, rqueue, wqueue = (
        _row.unpack_from(data, start)
    )
    if family == socket.AF_INET:
        local, remote = local[:4], remote[:4]
    elif family == socket.AF_INET6:
        local, remote = unmap(local), unmap(remote)
    else:
        return None
    counters = None
    if remote_port and info is not None:
        fin = 1 if _has_fin(traces.get(cookie), rqueue) else 0
        counters = parse_tcp_info(data, info, fin, can_tell=False)
    return Socket(
        family, _CLOSE, local, ntohs(local_port), remote, ntohs(remote_port),
        interface, cookie, 0, 0, rqueue, wqueue, 0, False, counters,
    )  # fmt: skip


def _has_fin(trace: Trace | None, unread: int) -> bool:
    if trace is None or trace.has_peer_closed is None:
        return unread > 0
    return trace.has_peer_closed
