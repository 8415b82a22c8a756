"""conntrack: what the kernel knows of a translated connection, asked for one tuple at a time.

IPCTNL_MSG_CT_GET over NETLINK_NETFILTER (include/uapi/linux/netfilter/nfnetlink_conntrack.h). An
entry has two tuples: `original`, as the caller's packets left it, and `reply`, as the answers leave
the one who really answers. The kernel finds an entry by either of them, so each end can ask with
its own addresses. An answer costs 10 us; an entry outlives its connection by 10 s at least.
"""

import errno
import os
import socket
import struct

import msgspec

from connbeat.errors import CaptureError, Malformed, NotPermitted
from connbeat.linux import netlink
from connbeat.model.addresses import unmap
from connbeat.model.connections import FourTuple

NETLINK_NETFILTER = 12

_CTNETLINK = 1 << 8
_CT_NEW = _CTNETLINK
_CT_GET = _CTNETLINK | 1
_CT_GET_STATS = _CTNETLINK | 5
_CT_STATS = _CT_GET_STATS

CTA_TUPLE_ORIG = 1
CTA_TUPLE_REPLY = 2
_CTA_TUPLE_IP = 1
_CTA_TUPLE_PROTO = 2
#: Of IPv4, of IPv6.
_CTA_IP_SRC = (1, 3)
_CTA_IP_DST = (2, 4)
_CTA_PROTO_NUM = 1
_CTA_PROTO_SRC_PORT = 2
_CTA_PROTO_DST_PORT = 3
_CTA_STATS_GLOBAL_ENTRIES = 1
_NESTED = 0x8000

_ANSWER_BYTES = 8192

_header = struct.Struct("=IHHII")
#: nfgenmsg: family, is_v6, resource id.
_nfgenmsg = struct.Struct("=BBH")
_ATTRIBUTES = _header.size + _nfgenmsg.size
_error = struct.Struct("=i")
_count = struct.Struct("!I")
_port = struct.Struct("!H")
# CTA_TUPLE_ORIG or _REPLY { CTA_TUPLE_IP { source, destination }, CTA_TUPLE_PROTO { number, source
# port, destination port } }. Ports are big-endian, lengths and types are not: so ports go as bytes.
_tuple_v4 = struct.Struct("=HH HH HH4s HH4s HH HHB3x HH2s2x HH2s2x")
_tuple_v6 = struct.Struct("=HH HH HH16s HH16s HH HHB3x HH2s2x HH2s2x")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One tracked connection. Each tuple is (ip, port) of the sender, (ip, port) it sends to."""

    original: FourTuple
    reply: FourTuple


def pack_tuple(kind: int, ends: FourTuple) -> bytes:
    """A tuple as the kernel writes it, too; `kind` is CTA_TUPLE_ORIG or CTA_TUPLE_REPLY."""
    source, source_port, destination, destination_port = ends
    is_v6 = len(source) == 16
    layout = _tuple_v6 if is_v6 else _tuple_v4
    ip_bytes = 4 + len(source)
    return layout.pack(
        layout.size, kind | _NESTED,
        4 + 2 * ip_bytes, _CTA_TUPLE_IP | _NESTED,
        ip_bytes, _CTA_IP_SRC[is_v6], source,
        ip_bytes, _CTA_IP_DST[is_v6], destination,
        28, _CTA_TUPLE_PROTO | _NESTED,
        5, _CTA_PROTO_NUM, socket.IPPROTO_TCP,
        6, _CTA_PROTO_SRC_PORT, _port.pack(source_port),
        6, _CTA_PROTO_DST_PORT, _port.pack(destination_port),
    )  # fmt: skip


def pack_get(sequence: int, ends: FourTuple) -> bytes:
    """A request for the entry that has this tuple, in either direction."""
    asked = pack_tuple(CTA_TUPLE_ORIG, ends)
    family = socket.AF_INET if len(ends[0]) == 4 else socket.AF_INET6
    return netlink.pack_request(_CT_GET, sequence, _nfgenmsg.pack(family, 0, 0) + asked, flags=0)


def is_untranslated(data: bytes, ends: FourTuple) -> bool:
    """Whether an answer says at first sight that these ends see each other's own addresses.

    Compares bytes, for most entries are of this kind and reading one takes 7 us. False is "read
    it": another kernel may write the same in another order.
    """
    local_ip, local_port, remote_ip, remote_port = ends
    answers = pack_tuple(CTA_TUPLE_REPLY, (remote_ip, remote_port, local_ip, local_port))
    asked = pack_tuple(CTA_TUPLE_ORIG, ends)
    return data.startswith(asked + answers, _ATTRIBUTES)


def parse_entry(data: bytes, sequence: int) -> Entry | None:
    """The entry in an answer; None where the kernel has none.

    Raises NotPermitted, Malformed, or CaptureError for another refusal.
    """
    start, end = _payload(data, sequence, _CT_NEW)
    if not start:
        return None
    original = reply = None
    for kind, at, until in netlink.iter_attributes(data, start, end):
        if kind == CTA_TUPLE_ORIG:
            original = _tuple(data, at, until)
        elif kind == CTA_TUPLE_REPLY:
            reply = _tuple(data, at, until)
            break  # the kernel writes them first
    if original is None or reply is None:
        raise Malformed(f"a conntrack entry without its tuples: {data[:96].hex()}")
    return Entry(original, reply)


def parse_count(data: bytes, sequence: int) -> int:
    """How many entries the namespace has, from the answer to a request for statistics."""
    start, end = _payload(data, sequence, _CT_STATS)
    for kind, at, until in netlink.iter_attributes(data, start, end):
        if kind == _CTA_STATS_GLOBAL_ENTRIES and until - at == _count.size:
            return int(_count.unpack_from(data, at)[0])
    raise Malformed(f"conntrack statistics without a count: {data[:64].hex()}")


def _payload(data: bytes, sequence: int, wanted: int) -> tuple[int, int]:
    """Where the attributes of the only message are; (0, 0) if the kernel has no such thing."""
    if len(data) < _header.size + 4:
        raise Malformed(f"conntrack answer of {len(data)} bytes")
    length, kind, _, answers, _ = _header.unpack_from(data)
    if not _header.size + 4 <= length <= len(data) or answers != sequence:
        raise Malformed(f"conntrack answer not framed: {data[:16].hex()}")
    if kind == netlink.NLMSG_ERROR:
        number = -_error.unpack_from(data, _header.size)[0]
        if number == errno.ENOENT:
            return 0, 0
        raise _refusal(number)
    if kind != wanted:
        raise Malformed(f"conntrack answer of type {kind}")
    return _ATTRIBUTES, length


def _refusal(number: int) -> CaptureError:
    if number == errno.EPERM:
        return NotPermitted("translations need CAP_NET_ADMIN")
    if number in (errno.EINVAL, errno.EOPNOTSUPP):  # no module answers for this subsystem
        return CaptureError("the kernel has no nf_conntrack_netlink")
    return CaptureError(
        f"conntrack refused: {os.strerror(number) if 0 < number < 4096 else number}"
    )


def _tuple(data: bytes, start: int, end: int) -> FourTuple | None:
    """None if a part of it is missing or of another size than it can have."""
    parts = {
        (kind, inner): data[first:last]
        for kind, at, until in netlink.iter_attributes(data, start, end)
        for inner, first, last in netlink.iter_attributes(data, at, until)
    }
    is_v6 = (_CTA_TUPLE_IP, _CTA_IP_SRC[1]) in parts
    source = parts.get((_CTA_TUPLE_IP, _CTA_IP_SRC[is_v6]), b"")
    destination = parts.get((_CTA_TUPLE_IP, _CTA_IP_DST[is_v6]), b"")
    source_port = parts.get((_CTA_TUPLE_PROTO, _CTA_PROTO_SRC_PORT), b"")
    destination_port = parts.get((_CTA_TUPLE_PROTO, _CTA_PROTO_DST_PORT), b"")
    ip_bytes = 16 if is_v6 else 4
    sizes = [len(part) for part in (source, destination, source_port, destination_port)]
    if sizes != [ip_bytes, ip_bytes, 2, 2]:
        return None
    return (
        unmap(source),
        int.from_bytes(source_port),
        unmap(destination),
        int.from_bytes(destination_port),
    )


class ConntrackSocket:
    """The connection tracking of the namespace it was made in. One thread uses it.

    Making it raises NotPermitted or CaptureError where that is not possible.
    """

    def __init__(self) -> None:
        self._socket = netlink.open_socket(NETLINK_NETFILTER)
        # The kernel answers within `send`: there is nothing to wait for.
        self._socket.setblocking(False)
        self._sequence = 0

    def get(self, ends: FourTuple) -> Entry | None:
        """The entry of which one tuple is these ends; None if there is none, or none that says
        anything else than these ends. Raises CaptureError.
        """  # noqa: D205  one thought
        data = self._ask(pack_get(self._next(), ends))
        return None if is_untranslated(data, ends) else parse_entry(data, self._sequence)

    def count(self) -> int:
        """How many entries there are. Raises CaptureError."""
        head = _nfgenmsg.pack(socket.AF_UNSPEC, 0, 0)
        request = netlink.pack_request(_CT_GET_STATS, self._next(), head, flags=0)
        return parse_count(self._ask(request), self._sequence)

    def close(self) -> None:
        self._socket.close()

    def _next(self) -> int:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        return self._sequence

    def _ask(self, request: bytes) -> bytes:
        try:
            self._socket.send(request)
            while True:
                data, sender = self._socket.recvfrom(_ANSWER_BYTES)
                if sender[0] == 0:  # another process may send to us; only the kernel is 0
                    return data
        except OSError as error:
            raise CaptureError(f"conntrack request failed: {error.strerror or error}") from error
