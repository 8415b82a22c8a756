"""Netlink: sockets and the framing that every netlink family shares.

A dump is a request with NLM_F_DUMP and a sequence number; the kernel answers with datagrams of
messages until NLMSG_DONE (include/uapi/linux/netlink.h). The framing is pure and never trusts a
length: a hostile or truncated message ends its datagram and is told.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator

import msgspec

from connbeat.errors import CaptureError, DumpInterrupted, Malformed, NotFound, NotPermitted

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4

NLM_F_REQUEST = 0x001
NLM_F_DUMP_INTR = 0x010
NLM_F_DUMP = 0x300

NLMSG_ERROR = 2
NLMSG_DONE = 3

#: What the kernel fills at most per datagram of a dump; a smaller buffer costs 8 times the calls.
RECEIVE_BYTES = 32768
HEADER_BYTES = 16

#: include/linux/err.h; what is above is no error number, and too large for strerror.
_MAX_ERRNO = 4095

_header = struct.Struct("=IHHII")
_error = struct.Struct("=i")
_attribute = struct.Struct("=HH")


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message: its type, and where its payload stands in the datagram."""

    kind: int
    start: int
    end: int


def pack_request(kind: int, sequence: int, payload: bytes, flags: int = NLM_F_DUMP) -> bytes:
    length = HEADER_BYTES + len(payload)
    return _header.pack(length, kind, NLM_F_REQUEST | flags, sequence, 0) + payload


class Datagram(msgspec.Struct, frozen=True, gc=False):
    """What one datagram of a dump holds. `is_malformed`: its rest could not be framed."""

    messages: tuple[Message, ...]
    is_done: bool
    is_interrupted: bool
    is_malformed: bool


def parse_datagram(data: bytes, sequence: int) -> Datagram:
    """The messages that answer `sequence`. Raises CaptureError for the kernel's refusals."""
    messages: list[Message] = []
    is_done = is_interrupted = is_malformed = False
    offset, end = 0, len(data)
    while offset < end and not is_done:
        if end - offset < HEADER_BYTES:
            is_malformed = True
            break
        length, kind, flags, answers, _ = _header.unpack_from(data, offset)
        if length < HEADER_BYTES or length > end - offset:
            is_malformed = True
            break
        if answers == sequence:  # otherwise left over from a dump that was given up
            is_interrupted = is_interrupted or bool(flags & NLM_F_DUMP_INTR)
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                _raise_error(data, offset + HEADER_BYTES, offset + length, kind)
                is_done = True
            else:
                messages.append(Message(kind, offset + HEADER_BYTES, offset + length))
        offset += (length + 3) & ~3
    return Datagram(tuple(messages), is_done, is_interrupted, is_malformed)


def parse_whole(data: bytes, sequence: int) -> Datagram:
    """As `parse_datagram`, and raises Malformed if a part of it cannot be framed."""
    frame = parse_datagram(data, sequence)
    if frame.is_malformed:
        raise Malformed("an answer does not follow netlink's framing")
    return frame


def _raise_error(data: bytes, start: int, end: int, kind: int) -> None:
    """NLMSG_DONE may carry an error too; without one, or with 0, all is well."""
    if end - start < _error.size:
        if kind == NLMSG_ERROR:
            raise Malformed(f"netlink error message of {end - start} bytes")
        return
    number = -_error.unpack_from(data, start)[0]
    if number == errno.ENOENT:
        raise NotFound("the kernel has no such thing")
    if number > 0:
        raise CaptureError(f"netlink request refused: {os.strerror(min(number, _MAX_ERRNO))}")


def iter_attributes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(type, start, end) of each attribute's payload; stops at the first that does not fit."""
    while end - start >= _attribute.size:
        length, kind = _attribute.unpack_from(data, start)
        if length < _attribute.size or length > end - start:
            return
        yield kind & 0x3FFF, start + _attribute.size, start + length
        start += (length + 3) & ~3


def open_socket(family: int) -> socket.socket:
    """A netlink socket of the calling thread's namespace; it stays bound to that namespace."""
    try:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
    except PermissionError as error:
        raise NotPermitted(f"netlink socket refused: {error.strerror}") from error
    except OSError as error:
        raise CaptureError(f"no netlink socket: {error.strerror}") from error
    try:
        opened.bind((0, 0))
        opened.settimeout(5)
    except OSError as error:
        opened.close()
        raise CaptureError(f"netlink socket not usable: {error.strerror}") from error
    return opened


def exchange(sock: socket.socket, request: bytes) -> Iterator[bytes]:
    """Send a request and yield each datagram the kernel answers with, until nobody asks for more.

    Blocks for at most the socket's timeout for each; raises CaptureError for anything the socket
    refuses.
    """
    try:
        sock.send(request)
        while True:
            data, _, flags, sender = sock.recvmsg(RECEIVE_BYTES)
            if sender[0] != 0:
                continue  # another process may send to us; only the kernel has port id 0
            if flags & socket.MSG_TRUNC:
                raise CaptureError("a datagram of the answer was cut")
            yield data
    except OSError as error:
        raise CaptureError(f"netlink request failed: {error.strerror or error}") from error


def dump(sock: socket.socket, request: bytes, sequence: int) -> Iterator[tuple[bytes, Datagram]]:
    """Send a dump request and yield each datagram with its frame.

    Ends after NLMSG_DONE. Raises DumpInterrupted after the last datagram if the kernel said that
    the table moved: what was yielded may repeat or lack rows. Blocks as `exchange` does; raises
    CaptureError for anything the kernel or the socket refuses.
    """
    is_interrupted = False
    for data in exchange(sock, request):
        frame = parse_whole(data, sequence)
        is_interrupted = is_interrupted or frame.is_interrupted
        yield data, frame
        if frame.is_done:
            break
    if is_interrupted:
        raise DumpInterrupted("the table moved under the dump")


def ask(sock: socket.socket, request: bytes, sequence: int) -> tuple[bytes, Datagram] | None:
    """Send a request for one thing; its answer, or None if the kernel has no such thing.

    Raises CaptureError for any other refusal. Blocks for at most the socket's timeout.
    """
    for data in exchange(sock, request):
        try:
            frame = parse_whole(data, sequence)
        except NotFound:
            return None
        if frame.messages:
            return data, frame
    return None
