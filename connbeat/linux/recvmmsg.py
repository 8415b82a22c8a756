"""recvmmsg(2): many datagrams of a netlink socket with one call, and where each is from.

The structures are those of <sys/socket.h> and <linux/netlink.h>; ctypes lays them out.
"""

import ctypes
import mmap
import os
import socket
from collections.abc import Callable

from connbeat.errors import CaptureError

#: Datagrams a call: more make it no cheaper.
SLOTS = 64
#: A close message has 380 bytes in Linux 6.18, 56 more than in 4.19.
SLOT_BYTES = 1024
#: Of the socket's own namespace (the kernel's NETNSA_NSID_NOT_ASSIGNED).
OWN_NSID = -1
#: Instead of a datagram that was longer than a slot: too short to be taken for anything.
CUT = b"cut"

#: From which namespace (its id as the socket's own sees it, or OWN_NSID), and the datagram.
Message = tuple[int, bytes]
#: recvmmsg(2) of the C library: descriptor, address of the headers, their number, flags, timeout.
Call = Callable[[int, int, int, int, None], int]


class _Name(ctypes.Structure):
    """The kernel's `struct sockaddr_nl`."""

    _fields_ = (
        ("family", ctypes.c_uint16),
        ("pad", ctypes.c_uint16),
        ("port_id", ctypes.c_uint32),
        ("groups", ctypes.c_uint32),
    )


class _Control(ctypes.Structure):
    """`struct cmsghdr`, and what NETLINK_LISTEN_ALL_NSID has it carry."""

    _fields_ = (
        ("length", ctypes.c_size_t),
        ("level", ctypes.c_int),
        ("kind", ctypes.c_int),
        ("nsid", ctypes.c_int),
    )


class _Vector(ctypes.Structure):
    """The kernel's `struct iovec`."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """The kernel's `struct msghdr`."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Entry(ctypes.Structure):
    """The kernel's `struct mmsghdr`."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint32))


class _Area(ctypes.Structure):
    """All that a call writes beside the datagrams."""

    _fields_ = (
        ("entries", _Entry * SLOTS),
        ("names", _Name * SLOTS),
        ("controls", _Control * SLOTS),
    )


class Inbox:
    """Room for one call's datagrams. Sockets may share it, one thread uses it.

    Raises CaptureError where the C library has no recvmmsg, or the system no memory.
    """

    def __init__(self, call: Call | None = None) -> None:
        self._call = call if call is not None else _load()
        try:
            self._slots = mmap.mmap(-1, SLOTS * SLOT_BYTES, mmap.MAP_PRIVATE)
        except OSError as error:
            raise CaptureError(f"no room for close messages: {error.strerror}") from error
        self._vectors = (_Vector * SLOTS)()
        area = _Area()
        self._address = ctypes.addressof(area)
        self._address_them(area)
        self._bytes = memoryview(area).cast("B")
        #: The area as it has to be before each call, which writes over lengths and control data.
        self._fresh = bytes(self._bytes)
        ints = self._bytes.cast("i")
        self._lengths = _column(ints, _Area.entries.offset + _Entry.length.offset, _Entry)
        self._port_ids = _column(ints, _Area.names.offset + _Name.port_id.offset, _Name)
        self._nsids = _column(ints, _Area.controls.offset + _Control.nsid.offset, _Control)

    def receive(self, fd: int, found: list[Message], limit: int) -> int:
        """Append what the kernel sent, at most `limit` of it; how much was there, in one call.

        What other processes sent is there and not appended. Never blocks; raises OSError:
        BlockingIOError where nothing is there, any other that the socket has.
        """
        self._bytes[:] = self._fresh
        # MSG_TRUNC asks for the whole length of a datagram that was cut
        flags = socket.MSG_DONTWAIT | socket.MSG_TRUNC
        count = self._call(fd, self._address, min(limit, SLOTS), flags, None)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        slots = self._slots
        found += [
            (nsid, slots[start : start + length] if length <= SLOT_BYTES else CUT)
            for start, length, nsid, port_id in zip(
                range(0, count * SLOT_BYTES, SLOT_BYTES),
                self._lengths[:count].tolist(),
                self._nsids[:count].tolist(),
                self._port_ids[:count].tolist(),
                strict=True,
            )
            if not port_id  # only the kernel has 0
        ]
        return count

    def _address_them(self, area: _Area) -> None:
        """Let each entry lead to its name, its control data and its slot."""
        slots = ctypes.addressof(ctypes.c_char.from_buffer(self._slots))
        for index in range(SLOTS):
            vector = self._vectors[index]
            vector.base, vector.length = slots + index * SLOT_BYTES, SLOT_BYTES
            area.controls[index].nsid = OWN_NSID
            header = area.entries[index].header
            header.name = ctypes.addressof(area.names[index])
            header.name_length = ctypes.sizeof(_Name)
            header.vectors, header.vector_count = ctypes.addressof(vector), 1
            header.control = ctypes.addressof(area.controls[index])
            header.control_length = ctypes.sizeof(_Control)


def _column(ints: memoryview, offset: int, row: type[ctypes.Structure]) -> memoryview:
    """One field of each element of an array."""
    step = ctypes.sizeof(row) // 4
    first = offset // 4
    return ints[first : first + SLOTS * step : step]


def _load() -> Call:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        call = libc.recvmmsg
    except AttributeError as error:
        raise CaptureError("the C library has no recvmmsg") from error
    call.argtypes = (
        ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p,
    )  # fmt: skip
    return call
