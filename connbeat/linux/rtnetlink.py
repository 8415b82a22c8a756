"""rtnetlink: a namespace's addresses and its ids of other namespaces (rtnetlink(7))."""

import os
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from connbeat.errors import CaptureError
from connbeat.linux import netlink
from connbeat.model.addresses import Network, network_of, unmap

_T = TypeVar("_T")

_RTM_GETADDR = 22
_RTM_GETNSID = 90
_NETNSA_NSID = 1
_NETNSA_PID = 2
_NETNSA_FD = 3
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
# ifaddrmsg: family, prefix length, flags, scope, interface index
_ifaddrmsg = struct.Struct("=BBBBI")


def parse_addresses(data: bytes, frame: netlink.Datagram) -> list[bytes]:
    """Packed addresses of one datagram. Never raises."""
    found: list[bytes] = []
    for _, by_kind in _iter_addresses(data, frame):
        # IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the other end's.
        packed = by_kind.get(_IFA_LOCAL, by_kind.get(_IFA_ADDRESS, b""))
        if len(packed) in (4, 16):
            found.append(unmap(packed))
    return found


def parse_networks(data: bytes, frame: netlink.Datagram) -> list[Network]:
    """The networks that the addresses of one datagram stand in. Never raises."""
    found: list[Network] = []
    for prefix_bits, by_kind in _iter_addresses(data, frame):
        packed = by_kind.get(_IFA_ADDRESS, by_kind.get(_IFA_LOCAL, b""))
        if len(packed) in (4, 16) and prefix_bits <= len(packed) * 8:
            found.append(network_of(packed, prefix_bits))
    return found


def read_addresses() -> frozenset[bytes]:
    """Every address of the calling thread's namespace, loopback included. Raises CaptureError."""
    return frozenset(_dump_addresses(parse_addresses))


def read_networks() -> frozenset[Network]:
    """Every network that an interface of the thread's namespace is in. Raises CaptureError."""
    return frozenset(_dump_addresses(parse_networks))


def _iter_addresses(data: bytes, frame: netlink.Datagram) -> Iterator[tuple[int, dict[int, bytes]]]:
    """(bits of the prefix, attributes) of each address."""
    for message in frame.messages:
        if message.end - message.start < _ifaddrmsg.size:
            continue
        by_kind = {
            kind: data[start:end]
            for kind, start, end in netlink.iter_attributes(
                data, message.start + _ifaddrmsg.size, message.end
            )
        }
        yield _ifaddrmsg.unpack_from(data, message.start)[1], by_kind


def _dump_addresses(parse: Callable[[bytes, netlink.Datagram], list[_T]]) -> list[_T]:
    request = netlink.pack_request(_RTM_GETADDR, 1, _ifaddrmsg.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    found: list[_T] = []
    with netlink.open_socket(netlink.NETLINK_ROUTE) as opened:
        for data, frame in netlink.dump(opened, request, 1):
            found += parse(data, frame)
    return found


def read_nsid(pid: int) -> int | None:
    """The id that the calling thread's namespace has for the one of this process.

    None if it has none, or if the process is gone. RTM_GETNSID (ip-netns(8), Linux 4.4).
    """
    return _read_nsid(_NETNSA_PID, pid)


def read_nsid_at(path: Path) -> int | None:
    """The same of a namespace that is mounted at `path`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read_nsid(_NETNSA_FD, fd)
    finally:
        os.close(fd)


def _read_nsid(kind: int, value: int) -> int | None:
    # rtgenmsg: family, padded; then one attribute
    payload = struct.pack("=B3xHHI", socket.AF_UNSPEC, 8, kind, value)
    request = netlink.pack_request(_RTM_GETNSID, 1, payload, flags=0)
    try:
        with netlink.open_socket(netlink.NETLINK_ROUTE) as opened:
            answer = netlink.ask(opened, request, 1)
    except CaptureError:
        return None
    return parse_nsid(*answer) if answer is not None else None


def parse_nsid(data: bytes, frame: netlink.Datagram) -> int | None:
    """The id in an answer; None if there is none, which the kernel says with -1. Never raises."""
    for message in frame.messages:
        for kind, start, end in netlink.iter_attributes(data, message.start + 4, message.end):
            if kind == _NETNSA_NSID and end - start == 4:
                nsid: int = struct.unpack_from("=i", data, start)[0]
                return nsid if nsid >= 0 else None
    return None
