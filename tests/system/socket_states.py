"""A program that holds TCP sockets in every state loopback can reach, and says what it made.

    ip netns exec NAME python tests/system/socket_states.py ROUNDS

It prints one line of JSON when all stand, and ends when its input does. No packet filter and no
raw socket is needed:

* FIN_WAIT1, LAST_ACK, CLOSING: the FIN waits behind data that the other end does not read;
* SYN_SENT: the accept queue of the listener is full, so that the kernel drops the SYN;
* SYN_RECV: TCP_DEFER_ACCEPT, with which the handshake ends only when data comes.

The line lists each socket whose figures are known exactly: the cookie that the kernel tells its
owner (SO_COOKIE), the state, payload bytes each way as counted here, and which end called.
"""

import contextlib
import dataclasses
import json
import os
import socket
import struct
import sys

SO_COOKIE = 57
_UP, _DOWN = 1000, 50
_ROOM = 16384


@dataclasses.dataclass(frozen=True)
class Family:
    """How one kind of connection is made: `mapped` has IPv4 on one end, `::ffff:` on the other."""

    name: str
    listen_family: int
    listen_ip: str
    connect_family: int
    connect_ip: str
    uid: int = 0


FAMILIES = (
    Family("v4", socket.AF_INET, "127.0.0.1", socket.AF_INET, "127.0.0.1"),
    Family("v6", socket.AF_INET6, "::1", socket.AF_INET6, "::1"),
    Family("mapped", socket.AF_INET6, "::", socket.AF_INET, "127.0.0.1"),
    Family("mapped-both", socket.AF_INET6, "::", socket.AF_INET6, "::ffff:127.0.0.1", uid=65534),
)


@dataclasses.dataclass(frozen=True)
class Known:
    """A socket whose row is known beforehand. `caller` is None where the counters do not tell."""

    cookie: int
    state: str
    sent: int | None = None
    received: int | None = None
    caller: bool | None = None


def cookie_of(sock: socket.socket) -> int:
    return int(struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0])


class Zoo:
    """Everything that was made. What is in `_kept` stays open."""

    def __init__(self) -> None:
        self._kept: list[socket.socket] = []
        self.known: list[Known] = []

    def keep(self, *socks: socket.socket) -> None:
        self._kept.extend(socks)

    def know(
        self,
        sock: socket.socket,
        state: str,
        *,
        sent: int | None = None,
        received: int | None = None,
        caller: bool | None = None,
    ) -> None:
        self.known.append(Known(cookie_of(sock), state, sent, received, caller))

    def listen(self, family: Family, backlog: int = 128) -> socket.socket:
        server = socket.socket(family.listen_family)
        if family.listen_family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(family.name == "v6"))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)  # and of what it accepts
        server.bind((family.listen_ip, 0))
        server.listen(backlog)
        self.keep(server)
        self.know(server, "LISTEN")
        return server

    def connect(self, family: Family, server: socket.socket) -> socket.socket:
        client = socket.socket(family.connect_family)
        client.connect((family.connect_ip, server.getsockname()[1]))
        return client


def pair(zoo: Zoo, family: Family, server: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection over which each end has sent and read something."""
    client = zoo.connect(family, server)
    accepted, _ = server.accept()
    client.sendall(b"u" * _UP)
    assert len(accepted.recv(_UP, socket.MSG_WAITALL)) == _UP
    accepted.sendall(b"d" * _DOWN)
    assert len(client.recv(_DOWN, socket.MSG_WAITALL)) == _DOWN
    return client, accepted


def fill(sock: socket.socket) -> None:
    """Send more than the other end has room for: what comes next has to wait."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _ROOM)
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"x" * _ROOM)


def make_established(zoo: Zoo, family: Family, server: socket.socket) -> None:
    client, accepted = pair(zoo, family, server)
    zoo.keep(client, accepted)
    zoo.know(client, "ESTABLISHED", sent=_UP, received=_DOWN, caller=True)
    zoo.know(accepted, "ESTABLISHED", sent=_DOWN, received=_UP, caller=False)


def make_half_closed(zoo: Zoo, family: Family, server: socket.socket) -> None:
    client, accepted = pair(zoo, family, server)
    client.shutdown(socket.SHUT_WR)
    zoo.keep(client, accepted)
    zoo.know(client, "FIN_WAIT2", sent=_UP, received=_DOWN)
    zoo.know(accepted, "CLOSE_WAIT", sent=_DOWN, received=_UP, caller=False)
    client, accepted = pair(zoo, family, server)
    accepted.shutdown(socket.SHUT_WR)
    zoo.keep(client, accepted)
    zoo.know(client, "CLOSE_WAIT", sent=_UP, received=_DOWN, caller=True)
    zoo.know(accepted, "FIN_WAIT2", sent=_DOWN, received=_UP)


def make_fin_wait1(zoo: Zoo, family: Family, server: socket.socket) -> None:
    client, accepted = pair(zoo, family, server)
    fill(client)
    client.shutdown(socket.SHUT_WR)
    zoo.keep(client, accepted)
    zoo.know(client, "FIN_WAIT1", received=_DOWN)
    zoo.know(accepted, "ESTABLISHED", sent=_DOWN)


def make_orphan(zoo: Zoo, family: Family, server: socket.socket) -> None:
    """FIN_WAIT1 without a process: its inode is 0."""
    client, accepted = pair(zoo, family, server)
    fill(client)
    zoo.know(client, "FIN_WAIT1", received=_DOWN)
    client.close()
    zoo.keep(accepted)


def make_last_ack(zoo: Zoo, family: Family, server: socket.socket) -> None:
    client, accepted = pair(zoo, family, server)
    accepted.shutdown(socket.SHUT_WR)
    fill(client)
    client.shutdown(socket.SHUT_WR)
    zoo.keep(client, accepted)
    zoo.know(client, "LAST_ACK", received=_DOWN)
    zoo.know(accepted, "FIN_WAIT2", sent=_DOWN)


def make_closing(zoo: Zoo, family: Family, server: socket.socket) -> None:
    client, accepted = pair(zoo, family, server)
    fill(client)
    client.shutdown(socket.SHUT_WR)
    accepted.shutdown(socket.SHUT_WR)
    zoo.keep(client, accepted)
    zoo.know(client, "CLOSING", received=_DOWN)
    zoo.know(accepted, "FIN_WAIT2", sent=_DOWN)


def make_time_wait(zoo: Zoo, family: Family, server: socket.socket) -> None:
    client, accepted = pair(zoo, family, server)
    zoo.know(client, "TIME_WAIT")
    client.close()
    accepted.close()


def make_fin_wait2_without_process(zoo: Zoo, family: Family, server: socket.socket) -> None:
    """The kernel keeps it as a small TIME_WAIT socket with the state FIN_WAIT2."""
    client, accepted = pair(zoo, family, server)
    zoo.know(client, "FIN_WAIT2")
    client.close()
    zoo.keep(accepted)
    zoo.know(accepted, "CLOSE_WAIT", sent=_DOWN, received=_UP, caller=False)


def make_syn_recv(zoo: Zoo, family: Family, server: socket.socket) -> None:
    """The other end of it thinks that it is connected."""
    client = zoo.connect(family, server)
    zoo.keep(client)
    zoo.know(client, "ESTABLISHED", sent=0, received=0, caller=True)


def make_syn_sent(zoo: Zoo, family: Family, server: socket.socket) -> None:
    client = socket.socket(family.connect_family)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect((family.connect_ip, server.getsockname()[1]))
    zoo.keep(client)
    zoo.know(client, "SYN_SENT", sent=0, received=0)


def make_backlog(zoo: Zoo, family: Family) -> socket.socket:
    """A listener whose accept queue is full: two where one was asked for."""
    server = zoo.listen(family, backlog=1)
    for _ in range(2):
        client = zoo.connect(family, server)
        zoo.keep(client)
        zoo.know(client, "ESTABLISHED", sent=0, received=0, caller=True)
    return server


_EVERY_ROUND = (
    make_established,
    make_half_closed,
    make_fin_wait1,
    make_orphan,
    make_last_ack,
    make_closing,
    make_time_wait,
    make_fin_wait2_without_process,
)


def make_twins(zoo: Zoo, family: Family) -> None:
    """Two listeners at one address, bound to an interface."""
    port = 0
    for _ in range(2):
        server = socket.socket(family.listen_family)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        server.bind((family.listen_ip, port))
        server.listen()
        port = server.getsockname()[1]
        zoo.keep(server)
        zoo.know(server, "LISTEN")


def make(zoo: Zoo, rounds: int) -> None:
    for family in FAMILIES:
        make_twins(zoo, family)
        os.seteuid(family.uid)
        server = zoo.listen(family)
        full = make_backlog(zoo, family)
        deferred = zoo.listen(family)
        deferred.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 120)
        for _ in range(rounds):
            for make_one in _EVERY_ROUND:
                make_one(zoo, family, server)
            make_syn_recv(zoo, family, deferred)
            make_syn_sent(zoo, family, full)
        os.seteuid(0)


def main() -> None:
    zoo = Zoo()
    make(zoo, int(sys.argv[1]))
    sys.stdout.write(json.dumps([dataclasses.asdict(known) for known in zoo.known]) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
