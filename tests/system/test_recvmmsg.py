"""recvmmsg(2) against the kernel: what 64 at a time say, against one after the other."""

import functools
import json
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connbeat.capture.closes import CloseSocket
from connbeat.linux import recvmmsg
from connbeat.linux.recvmmsg import CUT, OWN_NSID, Inbox, Message
from tests.system.connect_program import cookie_of
from tests.system.harness import Netns, call, wait_until

PROGRAM = Path(__file__).with_name("connect_program.py")
#: More than one call's worth, and no multiple of it.
CONNECTIONS = 150
#: Where inet_diag_msg has the cookie, after the netlink header (linux/inet_diag.h).
COOKIE, COOKIE_AT = struct.Struct("=Q"), 60


class Plain:
    """Instead of an Inbox: recvmsg(2), as Python has it."""

    def receive(self, fd: int, found: list[Message], limit: int) -> int:
        with socket.socket(fileno=socket.dup(fd)) as opened:
            data, ancillary, flags, sender = opened.recvmsg(8192, 64)
        assert limit > 0
        assert not flags & socket.MSG_TRUNC
        if not sender[0]:
            nsid = struct.unpack("=i", ancillary[0][2])[0] if ancillary else OWN_NSID
            found.append((nsid, data))
        return 1


@pytest.fixture
def linked(netns: Netns) -> Netns:
    """A namespace that has an id in ours, as a bridge container has."""
    call(*f"ip link add connbeat-t0 type veth peer name t1 netns {netns.name}".split())
    return netns


Listen = Callable[[object], CloseSocket]


@pytest.fixture
def listen() -> Iterator[Listen]:
    opened: list[CloseSocket] = []

    def start(inbox: object) -> CloseSocket:
        opened.append(CloseSocket(inbox, all_namespaces=True))  # type: ignore[arg-type]  # or a Plain
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def connect_inside(netns: Netns, count: int) -> set[int]:
    """The cookies of the sockets, all of them closed."""
    program = netns.start(sys.executable, str(PROGRAM), str(count))
    told, _ = program.communicate("go\n\n")
    return {row["cookie"] for row in json.loads(told)["sockets"]}


def connect_here(count: int) -> set[int]:
    cookies: set[int] = set()
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        for _ in range(count):
            address = listener.getsockname()[:2]
            with socket.create_connection(address) as one, listener.accept()[0] as other:
                cookies |= {cookie_of(one), cookie_of(other)}
    return cookies


def by_cookie(messages: list[Message]) -> dict[int, Message]:
    return {COOKIE.unpack_from(message[1], COOKIE_AT)[0]: message for message in messages}


def test_a_call_for_many_says_what_a_call_for_each_says(linked: Netns, listen: Listen) -> None:
    one, many = listen(Plain()), listen(Inbox())
    there, here = connect_inside(linked, CONNECTIONS), connect_here(CONNECTIONS)
    singly: list[Message] = []
    at_once: list[Message] = []

    def is_so() -> bool:
        assert one.drain(singly, 10_000) == many.drain(at_once, 10_000) == 0
        return there | here <= by_cookie(at_once).keys() & by_cookie(singly).keys()

    wait_until(is_so, 10, "every close, of here and of there")
    expected, told = by_cookie(singly), by_cookie(at_once)
    assert [told[cookie] for cookie in there | here] == [
        expected[cookie] for cookie in there | here
    ]
    assert {told[cookie][0] for cookie in here} == {OWN_NSID}
    (nsid,) = {told[cookie][0] for cookie in there}
    assert nsid >= 0
    known = [row for row in at_once if COOKIE.unpack_from(row[1], COOKIE_AT)[0] in there | here]
    assert len(known) == 4 * CONNECTIONS, "each once"


def test_a_datagram_that_is_too_long_is_cut_and_known_to_be(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recvmmsg, "SLOT_BYTES", 64)
    heard, found = listen(Inbox()), list[Message]()
    connect_here(10)
    drain = functools.partial(heard.drain, found, 1000)
    wait_until(lambda: not drain() and len(found) >= 20, 10, "every close")
    assert {data for _, data in found} == {CUT}


def test_what_another_process_sends_us_is_not_told(listen: Listen) -> None:
    heard, found = listen(Inbox()), list[Message]()
    port_id = heard._socket.getsockname()[0]
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, 4) as stranger:
        for _ in range(100):
            stranger.sendto(b"forged", (port_id, 0))
    heard.drain(found, 1000)
    assert b"forged" not in {data for _, data in found}
