"""The rows of one namespace's dumps, read quickly, and each that did not change only once.

Most sockets are as they were at the last dump. Their rows are the very same objects then, so that
whoever keeps rows keeps no second copy, and sees with one look that there is nothing new. Rows come
by the ten thousand: one loop, in which nothing is looked at twice. What is not such as the kernel
mostly writes it goes the slow way, through `netlink` and `sock_diag`; the result is the same.
"""

import struct
from socket import AF_INET, AF_INET6, ntohs

from connbeat.linux import netlink, sock_diag
from connbeat.linux.sock_diag import FIN_RECEIVED, STATES, SYN_COUNTED
from connbeat.model.addresses import unmap
from connbeat.model.sockets import Counters, Socket

# nlmsghdr: length type flags sequence | inet_diag_msg: family state | sport dport | src | dst |
# if | cookie | rqueue wqueue uid inode
_v4 = struct.Struct("=IHHI4x BBxx HH 4s12x 4s12x IQ4x IIII").unpack_from
_v6 = struct.Struct("=IHHI4x BBxx HH 16s 16s IQ4x IIII").unpack_from
_ROW = netlink.HEADER_BYTES
_ATTRIBUTES = _ROW + sock_diag.ROW_BYTES
_FAMILIES = frozenset({AF_INET, AF_INET6})
_ROW_TYPES = (sock_diag.TCPDIAG_GETSOCK, sock_diag.SOCK_DIAG_BY_FAMILY)
#: What stands before `tcp_info` differs by cgroup, mark and options: a few in a namespace.
_MAX_HEADS = 1024


class DumpRows:
    """Mutable, one owner. A dump is: `begin`, `feed` each datagram until it says done, `end`."""

    def __init__(self) -> None:
        self._sequence = 0
        self._rows: list[Socket] = []
        self._malformed = 0
        self._is_interrupted = False
        #: The rows of the last whole dump that may come again, by cookie.
        self._known: dict[int, Socket] = {}
        #: Those of the whole dump before that the last one does not have.
        self.vanished: list[Socket] = []
        #: Of this dump, each once: most rows of a busy server have its address and port.
        self._ips: dict[bytes, bytes] = {}
        self._ports: dict[int, int] = {}
        #: The cgroup and whether it is for IPv6 only, by what stands before the fields of
        #: `tcp_info`, where those are the last `_info_bytes` of the row.
        self._heads: dict[bytes, tuple[int, bool]] = {}
        self._info_bytes = 0

    def begin(self, sequence: int) -> None:
        self._sequence = sequence
        self._rows = []
        self._malformed = 0
        self._is_interrupted = False

    def feed(self, data: bytes) -> bool:
        """Take a datagram in; true if it was the last. Raises CaptureError for a refusal."""
        rest = data[self._read(data) :]
        if not rest:
            return False
        frame = netlink.parse_whole(rest, self._sequence)
        rows, malformed = sock_diag.parse_rows(rest, frame)
        self._rows += rows
        self._malformed += malformed
        self._is_interrupted |= frame.is_interrupted
        return frame.is_done

    def end(self) -> tuple[list[Socket], int, bool]:
        """The rows, how many were malformed, and whether the table moved under the dump."""
        rows, self._rows = self._rows, []
        if not self._is_interrupted:
            before = self._known
            self._known = {row.cookie: row for row in rows if row.counters is not None}
            self.vanished = _without(before, self._known, rows)
        self._ips = {}
        self._ports = {}
        return rows, self._malformed, self._is_interrupted

    def remember(self, row: Socket) -> None:
        """The last dump should have had this row."""
        self._known[row.cookie] = row

    # Here goes half of what a dump costs: `sock_diag.parse_row` without its calls, 0.6 us less.
    def _read(self, data: bytes) -> int:
        """Read rows from the beginning; where the first message stands that is none."""
        sequence, heads, known = self._sequence, self._heads.get, self._known.get
        add, share, unpack_info = self._rows.append, self._share, sock_diag.info_long.unpack_from
        at, size, all_flags = 0, len(data), 0
        while size - at >= _ATTRIBUTES:
            family = data[at + _ROW]
            (
                length, kind, flags, answers, _, state, local_port, remote_port, local_ip,
                remote_ip, interface, cookie, rqueue, wqueue, uid, inode,
            ) = (_v4 if family == AF_INET else _v6)(data, at)  # fmt: skip
            end = at + length
            if answers != sequence or kind not in _ROW_TYPES or length < _ATTRIBUTES or end > size:
                break
            all_flags |= flags
            info = end - self._info_bytes
            head = heads(data[at + _ATTRIBUTES : info]) if info > at and state in STATES else None
            at = end + (-length & 3)
            if head is None or family not in _FAMILIES:
                self._read_slowly(data, end - length + _ROW, end)
                continue
            cgroup_id, is_v6_only = head
            if family == AF_INET6:
                local_ip, remote_ip = unmap(local_ip), unmap(remote_ip)
            rtt, retransmits, acked, received, notsent, sent, repeated = unpack_info(data, info)
            sent = sent - repeated if sent > repeated else 0
            if received and state in FIN_RECEIVED:
                received -= 1
            is_settled = state in SYN_COUNTED and not wqueue and not notsent
            excess = acked - sent if is_settled and 0 <= acked - sent <= 1 else None
            row = Socket(
                family, state, local_ip, ntohs(local_port), remote_ip, ntohs(remote_port),
                interface, cookie, inode, uid, rqueue, wqueue, cgroup_id, is_v6_only,
                Counters(sent, received, retransmits, rtt, excess),
            )  # fmt: skip
            old = known(cookie)
            add(old if row == old else share(row))
        self._is_interrupted |= bool(all_flags & netlink.NLM_F_DUMP_INTR)
        return at

    def _read_slowly(self, data: bytes, start: int, end: int) -> None:
        """A row whose attributes were not seen before; from now on they are, if they are usual."""
        row = sock_diag.parse_row(data, start, end)
        if row is None:
            self._malformed += 1
            return
        self._rows.append(row)
        info = sock_diag.parse_attributes(data, start + sock_diag.ROW_BYTES, end)[0]
        if info is None or info[1] != end or end - info[0] < sock_diag.info_long.size:
            return
        begin = info[0]
        if end - begin != self._info_bytes or len(self._heads) >= _MAX_HEADS:
            self._info_bytes = end - begin
            self._heads.clear()
        self._heads[data[start + sock_diag.ROW_BYTES : begin]] = row.cgroup_id, row.is_v6_only

    def _share(self, row: Socket) -> Socket:
        """The row, with the addresses and ports of others where they are the same."""
        ips, ports = self._ips, self._ports
        return Socket(
            row.family, row.state,
            ips.setdefault(row.local_ip, row.local_ip),
            ports.setdefault(row.local_port, row.local_port),
            ips.setdefault(row.remote_ip, row.remote_ip),
            ports.setdefault(row.remote_port, row.remote_port),
            row.interface, row.cookie, row.inode, row.uid, row.rqueue, row.wqueue,
            row.cgroup_id, row.is_v6_only, row.counters,
        )  # fmt: skip


def _without(
    before: dict[int, Socket], known: dict[int, Socket], rows: list[Socket]
) -> list[Socket]:
    """The rows of `before` whose sockets are not among `rows`, of which `known` are some."""
    gone = [cookie for cookie in before if cookie not in known]
    if not gone:
        return []
    dying = {row.cookie for row in rows if row.counters is None}
    return [before[cookie] for cookie in gone if cookie not in dying]
