"""The socket that hears closes, with a script instead of a kernel (tests/system has one)."""

import errno
import os
import socket
from collections.abc import Sequence
from typing import cast

import pytest

from connbeat.capture.closes import CloseSocket
from connbeat.errors import CaptureError, NotPermitted
from connbeat.linux import netlink
from connbeat.linux.recvmmsg import OWN_NSID, Inbox, Message

SOL_NETLINK, LISTEN_ALL_NSID, ADD_MEMBERSHIP = 270, 8, 1
SO_RCVBUFFORCE = 33
Option = tuple[int, int]
#: What a capability is needed for.
CAPABILITIES = ((SOL_NETLINK, LISTEN_ALL_NSID), (socket.SOL_SOCKET, SO_RCVBUFFORCE))

EMPTY = BlockingIOError(errno.EAGAIN, "nothing there")
FULL = OSError(errno.ENOBUFS, "no buffer space")

DESCRIPTOR = 7


class FakeSocket:
    """Refuses the options it is told to."""

    def __init__(self, refused: Sequence[Option] = ()) -> None:
        self._refused = refused
        self.options: list[tuple[int, int, int]] = []
        self.is_closed = False

    def fileno(self) -> int:
        return DESCRIPTOR

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if (level, option) in self._refused:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        self.options.append((level, option, value))

    def close(self) -> None:
        self.is_closed = True


class FakeInbox:
    """Two messages a call, until an error comes."""

    def __init__(self, received: Sequence[Message | OSError] = ()) -> None:
        self._received = list(received)

    def receive(self, fd: int, found: list[Message], limit: int) -> int:
        assert fd == DESCRIPTOR
        taken = 0
        while taken < min(limit, 2):
            next_ = self._received[0] if self._received else EMPTY
            if isinstance(next_, OSError) and taken:
                break
            del self._received[:1]
            if isinstance(next_, OSError):
                raise next_
            found.append(next_)
            taken += 1
        return taken


def opened(
    monkeypatch: pytest.MonkeyPatch,
    *received: Message | OSError,
    refused: Sequence[Option] = (),
    all_namespaces: bool = True,
) -> tuple[CloseSocket, FakeSocket]:
    fake = FakeSocket(refused)

    def open_socket(family: int) -> socket.socket:
        assert family == netlink.NETLINK_SOCK_DIAG
        return cast(socket.socket, fake)

    monkeypatch.setattr(netlink, "open_socket", open_socket)
    inbox = cast(Inbox, FakeInbox(received))
    return CloseSocket(inbox, all_namespaces=all_namespaces, buffer_bytes=1 << 20), fake


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
        CloseSocket(cast(Inbox, FakeInbox()), all_namespaces=True)
    assert fake.is_closed


def test_a_socket_that_is_refused_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise NotPermitted("no netlink here")

    monkeypatch.setattr(netlink, "open_socket", refuse)
    with pytest.raises(NotPermitted):
        CloseSocket(cast(Inbox, FakeInbox()), all_namespaces=True)


ONE, TWO, THREE = (OWN_NSID, b"one"), (7, b"longer"), (0, b"three")


def test_messages_are_drained_until_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    closes, _ = opened(monkeypatch, ONE, TWO, THREE)
    found: list[Message] = []
    assert closes.drain(found, 10) == 0
    assert found == [ONE, TWO, THREE]
    assert closes.drain(found, 10) == 0


def test_no_more_is_drained_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    closes, _ = opened(monkeypatch, *[ONE] * 5)
    found: list[Message] = []
    closes.drain(found, 3)
    assert len(found) == 3
    closes.drain(found, 3)
    assert len(found) == 5


def test_neither_others_nor_errors_without_end_keep_us(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strangers(FakeInbox):
        def receive(self, fd: int, found: list[Message], limit: int) -> int:
            del fd, found
            return min(limit, 64)

    closes, _ = opened(monkeypatch, *[FULL] * 1001)
    assert closes.drain([], 1000) == 1000
    closes.inbox = cast(Inbox, Strangers())
    assert closes.drain([], 1000) == 0


def test_an_overrun_is_counted_and_the_rest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    closes, _ = opened(monkeypatch, ONE, FULL, TWO, FULL)
    found: list[Message] = []
    assert closes.drain(found, 10) == 2
    assert found == [ONE, TWO]


def test_any_other_failure_is_our_error_and_what_came_before_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closes, fake = opened(monkeypatch, ONE, OSError(errno.EBADF, "gone"))
    found: list[Message] = []
    with pytest.raises(CaptureError, match="destroy groups failed"):
        closes.drain(found, 10)
    assert found == [ONE]
    closes.close()
    assert fake.is_closed
