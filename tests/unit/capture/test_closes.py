"""The socket that hears closes, with a script instead of a kernel (tests/system has one)."""

import errno
import os
import socket
import struct
from collections.abc import Sequence
from typing import cast

import pytest

from connbeat.capture.closes import CloseSocket, Message
from connbeat.errors import CaptureError, NotPermitted
from connbeat.linux import netlink

SOL_NETLINK, LISTEN_ALL_NSID, ADD_MEMBERSHIP = 270, 8, 1
SO_RCVBUFFORCE = 33
Option = tuple[int, int]
#: What a capability is needed for.
CAPABILITIES = ((SOL_NETLINK, LISTEN_ALL_NSID), (socket.SOL_SOCKET, SO_RCVBUFFORCE))

EMPTY = BlockingIOError(errno.EAGAIN, "nothing there")
FULL = OSError(errno.ENOBUFS, "no buffer space")

#: What one receive gives: an error, or (data, namespace's id or None, port id of the sender).
Received = OSError | tuple[bytes, int | None, int]


class FakeSocket:
    """Refuses the options it is told to, and gives one thing after the other."""

    def __init__(self, received: Sequence[Received] = (), refused: Sequence[Option] = ()) -> None:
        self._received = list(received)
        self._refused = refused
        self.options: list[tuple[int, int, int]] = []
        self.is_closed = False

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if (level, option) in self._refused:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        self.options.append((level, option, value))

    def recvmsg_into(
        self, buffers: list[bytearray], size: int
    ) -> tuple[int, list[tuple[int, int, bytes]], int, tuple[int, int]]:
        next_ = self._received.pop(0) if self._received else EMPTY
        if isinstance(next_, OSError):
            raise next_
        data, nsid, sender = next_
        buffers[0][: len(data)] = data
        assert size >= 20
        ancillary = [] if nsid is None else [(SOL_NETLINK, LISTEN_ALL_NSID, struct.pack("i", nsid))]
        return len(data), ancillary, 0, (sender, 0)

    def close(self) -> None:
        self.is_closed = True


def opened(
    monkeypatch: pytest.MonkeyPatch,
    *received: Received,
    refused: Sequence[Option] = (),
    all_namespaces: bool = True,
) -> tuple[CloseSocket, FakeSocket]:
    fake = FakeSocket(received, refused)

    def open_socket(family: int) -> socket.socket:
        assert family == netlink.NETLINK_SOCK_DIAG
        return cast(socket.socket, fake)

    monkeypatch.setattr(netlink, "open_socket", open_socket)
    return CloseSocket(all_namespaces=all_namespaces, buffer_bytes=1 << 20), fake


def test_both_groups_are_heard_in_all_namespaces_with_a_buffer_beyond_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closes, fake = opened(monkeypatch)
    assert closes.hears_all
    assert fake.options == [
        (socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20),
        (SOL_NETLINK, ADD_MEMBERSHIP, 1),
        (SOL_NETLINK, ADD_MEMBERSHIP, 3),
        (SOL_NETLINK, LISTEN_ALL_NSID, 1),
    ]


def test_one_inside_a_namespace_hears_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    closes, fake = opened(monkeypatch, all_namespaces=False)
    assert not closes.hears_all
    assert (SOL_NETLINK, LISTEN_ALL_NSID, 1) not in fake.options


def test_without_capabilities_it_hears_its_own_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    closes, fake = opened(monkeypatch, refused=CAPABILITIES)
    assert not closes.hears_all
    assert (socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20) in fake.options


def test_a_kernel_without_the_groups_is_our_error_and_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeSocket(refused=[(SOL_NETLINK, ADD_MEMBERSHIP)])
    monkeypatch.setattr(netlink, "open_socket", lambda _: fake)
    with pytest.raises(CaptureError, match="destroy groups refused"):
        CloseSocket(all_namespaces=True)
    assert fake.is_closed


def test_a_socket_that_is_refused_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise NotPermitted("no netlink here")

    monkeypatch.setattr(netlink, "open_socket", refuse)
    with pytest.raises(NotPermitted):
        CloseSocket(all_namespaces=True)


def test_messages_are_drained_with_their_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    closes, _ = opened(monkeypatch, (b"one", None, 0), (b"longer", 7, 0), (b"two", 0, 0))
    found: list[Message] = []
    assert closes.drain(found, 10) == 0
    assert found == [(None, b"one"), (7, b"longer"), (0, b"two")]
    assert closes.drain(found, 10) == 0


def test_no_more_is_drained_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    closes, _ = opened(monkeypatch, *[(b"one", None, 0)] * 5)
    found: list[Message] = []
    closes.drain(found, 3)
    assert len(found) == 3
    closes.drain(found, 3)
    assert len(found) == 5


def test_an_overrun_is_counted_and_the_rest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    closes, _ = opened(monkeypatch, (b"one", None, 0), FULL, (b"two", None, 0), FULL)
    found: list[Message] = []
    assert closes.drain(found, 10) == 2
    assert [data for _, data in found] == [b"one", b"two"]


def test_what_another_process_sends_is_not_the_kernels_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closes, _ = opened(monkeypatch, (b"forged", None, 4711), (b"true", None, 0))
    found: list[Message] = []
    closes.drain(found, 10)
    assert found == [(None, b"true")]


def test_any_other_failure_is_our_error_and_what_came_before_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closes, fake = opened(monkeypatch, (b"one", None, 0), OSError(errno.EBADF, "gone"))
    found: list[Message] = []
    with pytest.raises(CaptureError, match="destroy groups failed"):
        closes.drain(found, 10)
    assert found == [(None, b"one")]
    closes.close()
    assert fake.is_closed
