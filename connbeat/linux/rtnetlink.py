"""rtnetlink: a namespace's addresses and its ids of other namespaces (rtnetlink(7))."""

import socket
import struct

from connbeat.errors import CaptureError
from connbeat.linux import netlink
from connbeat.model.addresses import unmap

_RTM_GETADDR = 22
_RTM_GETNSID = 90
_NETNSA_NSID = 1
_NETNSA_PID = 2
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
# ifaddrmsg: family, prefix length, flags, scope, interface index
_ifaddrmsg = struct.Struct("=BBBBI")


def parse_addresses(data: bytes, frame: netlink.Datagram) -> list[bytes]:
    """Packed addresses of one datagram. Never raises."""
    found: list[bytes] = []
    for message in frame.messages:
        if message.end - message.start < _ifaddrmsg.size:
            continue
        by_kind = {
            kind: data[start:end]
            for kind, start, end in netlink.iter_attributes(
                data, message.start + _ifaddrmsg.size, message.end
            )
        }
        # IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the other end's.
        packed = by_kind.get(_IFA_LOCAL, by_kind.get(_IFA_ADDRESS, b""))
        if len(packed) in (4, 16):
            found.append(unmap(packed))
    return found


def read_addresses() -> frozenset[bytes]:
    """Every address of the calling thread's namespace, loopback included. Raises CaptureError."""
    request = netlink.pack_request(_RTM_GETADDR, 1, _ifaddrmsg.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    found: set[bytes] = set()
    with netlink.open_socket(netlink.NETLINK_ROUTE) as opened:
        for data, frame in netlink.dump(opened, request, 1):
            found.update(parse_addresses(data, frame))
    return frozenset(found)


def read_nsid(pid: int) -> int | None:
    """The id that the calling thread's namespace has for the one of this process.

    None if it has none, or if the process is gone. RTM_GETNSID (ip-netns(8), Linux 4.4).
    """
    # rtgenmsg: family, padded; then NETNSA_PID
    payload = struct.pack("=B3x", socket.AF_UNSPEC) + struct.pack("=HHI", 8, _NETNSA_PID, pid)
    request = netlink.pack_request(_RTM_GETNSID, 1, payload, flags=0)
    with netlink.open_socket(netlink.NETLINK_ROUTE) as opened:
        try:
            answer = netlink.ask(opened, request, 1)
        except CaptureError:
            return None
    if answer is None:
        return None
    data, frame = answer
    message = frame.messages[0]
    for kind, start, end in netlink.iter_attributes(data, message.start + 4, message.end):
        if kind == _NETNSA_NSID and end - start == 4:
            nsid = struct.unpack_from("=i", data, start)[0]
            return nsid if nsid >= 0 else None
    return None
