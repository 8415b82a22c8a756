"""recvmmsg(2), with a kernel that knows the structures of 64-bit Linux by their offsets."""

import ctypes
import errno
import os
import socket
import struct
from types import SimpleNamespace

import pytest

from connbeat.errors import CaptureError
from connbeat.linux.recvmmsg import CUT, OWN_NSID, SLOT_BYTES, SLOTS, Inbox, Message

pytestmark = pytest.mark.skipif(
    ctypes.sizeof(ctypes.c_void_p) != 8, reason="of 64-bit machines alone"
)

FD = 7
#: What is sent: (data, namespace's id or None, port id of the sender), or the socket's error.
Sent = tuple[bytes, int | None, int] | int

# struct mmsghdr: name, its length, vectors, their number, control data, its length; then the
# flags at 48, the length at 56
HEADER, HEADER_BYTES = struct.Struct("=QI4xQQQQ"), 64
VECTOR = struct.Struct("=QQ")
NAME = struct.Struct("=HHII")
CONTROL = struct.Struct("=QiiI")
SOL_NETLINK, LISTEN_ALL_NSID = 270, 8


class Kernel:
    """Does what do_recvmmsg() and netlink_recvmsg() do (net/socket.c, net/netlink)."""

    def __init__(self, *sent: Sent) -> None:
        self.sent = list(sent)
        self.asked: list[int] = []

    def __call__(self, *arguments: int | None) -> int:
        fd, headers, count, flags, timeout = arguments
        assert (fd, timeout) == (FD, None)
        assert flags == socket.MSG_DONTWAIT | socket.MSG_TRUNC
        assert headers is not None
        assert count is not None
        self.asked.append(count)
        for taken in range(count):
            sent = self.sent[0] if self.sent else errno.EAGAIN
            if isinstance(sent, int) and taken:
                return taken
            del self.sent[:1]
            if isinstance(sent, int):
                ctypes.set_errno(sent)
                return -1
            self._fill(headers + taken * HEADER_BYTES, *sent)
        return count

    def _fill(self, header: int, data: bytes, nsid: int | None, port_id: int) -> None:
        name, name_bytes, vectors, vector_count, control, control_bytes = HEADER.unpack(
            ctypes.string_at(header, HEADER.size)
        )
        assert (name_bytes, vector_count) == (NAME.size, 1)
        base, size = VECTOR.unpack(ctypes.string_at(vectors, VECTOR.size))
        put(base, data[:size])
        put(name, NAME.pack(16, 0, port_id, 4))
        used = 0
        if nsid is not None:
            assert control_bytes >= 24  # CMSG_SPACE(sizeof(int))
            put(control, CONTROL.pack(20, SOL_NETLINK, LISTEN_ALL_NSID, nsid))
            used = 24
        put(header + 8, struct.pack("=I", NAME.size))
        put(header + 40, struct.pack("=Q", used))
        put(header + 48, struct.pack("=I", socket.MSG_TRUNC if len(data) > size else 0))
        put(header + 56, struct.pack("=I", len(data)))  # the whole, as MSG_TRUNC asks


def put(address: int, data: bytes) -> None:
    ctypes.memmove(address, data, len(data))


def received(inbox: Inbox, limit: int = 1000) -> tuple[list[Message], int]:
    found: list[Message] = []
    count = inbox.receive(FD, found, limit)
    return found, count


def test_each_datagram_has_its_own_length_and_namespace() -> None:
    inbox = Inbox(Kernel((b"one", None, 0), (b"longer", 7, 0), (b"", 0, 0), (b"x" * 380, 1, 0)))
    assert received(inbox) == (
        [(OWN_NSID, b"one"), (7, b"longer"), (0, b""), (1, b"x" * 380)],
        4,
    )


def test_nothing_of_one_call_is_left_for_the_next() -> None:
    kernel = Kernel(*[(b"longer", 7, 0)] * SLOTS)
    inbox = Inbox(kernel)
    before, _ = received(inbox)
    kernel.sent = [(b"one", None, 0), (b"two", 3, 0)]
    assert received(inbox) == ([(OWN_NSID, b"one"), (3, b"two")], 2)
    kernel.sent = [(b"1", None, 0)] * SLOTS
    assert received(inbox) == ([(OWN_NSID, b"1")] * SLOTS, SLOTS)
    assert before == [(7, b"longer")] * SLOTS, "copies, not views"


def test_a_call_takes_what_fits_and_no_more_than_allowed() -> None:
    kernel = Kernel(*[(bytes([index]), None, 0) for index in range(SLOTS + 10)])
    inbox = Inbox(kernel)
    first, _ = received(inbox)
    second, count = received(inbox, 7)
    assert kernel.asked == [SLOTS, 7]
    assert count == 7
    assert [data[0] for _, data in first + second] == list(range(SLOTS + 7))


def test_what_another_process_sends_is_taken_but_not_told() -> None:
    inbox = Inbox(Kernel((b"forged", None, 4711), (b"true", None, 0), (b"forged", 7, 1 << 31)))
    assert received(inbox) == ([(OWN_NSID, b"true")], 3)


@pytest.mark.parametrize("extra", [0, 1, SLOT_BYTES])
def test_a_datagram_that_was_cut_is_not_taken_for_a_whole_one(extra: int) -> None:
    whole = b"x" * (SLOT_BYTES + extra)
    inbox = Inbox(Kernel((b"one", None, 0), (whole, 7, 0), (b"two", None, 0)))
    told = whole if not extra else CUT
    assert received(inbox) == ([(OWN_NSID, b"one"), (7, told), (OWN_NSID, b"two")], 3)


def test_where_nothing_is_there_it_says_so() -> None:
    with pytest.raises(BlockingIOError):
        received(Inbox(Kernel()))


def test_an_error_in_the_middle_comes_with_the_next_call() -> None:
    inbox = Inbox(Kernel((b"one", None, 0), errno.ENOBUFS, (b"two", None, 0)))
    assert received(inbox) == ([(OWN_NSID, b"one")], 1)
    with pytest.raises(OSError, match=os.strerror(errno.ENOBUFS)) as told:
        received(inbox)
    assert told.value.errno == errno.ENOBUFS
    assert received(inbox) == ([(OWN_NSID, b"two")], 1)


def test_a_c_library_without_it_is_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    with pytest.raises(CaptureError, match="no recvmmsg"):
        Inbox()
