import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from connbeat.errors import Transient
from connbeat.outputs.logstash.connection import Connection, connect
from connbeat.outputs.logstash.frames import encode_window
from connbeat.outputs.tls import ssl_context

WINDOW = encode_window([b'{"n":%d}' % number for number in range(10)])


def ack(number: int) -> bytes:
    return b"2A" + struct.pack(">I", number)


class Peer:
    """The other end of a socket pair: takes the windows, then does what the test says."""

    def __init__(self, window: bytes = WINDOW) -> None:
        self.ours, self.sock = socket.socketpair()
        self.window = window
        self._thread: threading.Thread | None = None

    def then(self, act: Callable[[socket.socket], None]) -> None:
        def run() -> None:
            taken = 0
            while taken < len(self.window):
                taken += len(self.sock.recv(1 << 16))
            act(self.sock)

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self.sock.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


def connected(peer: Peer, timeout_seconds: float = 10.0) -> Connection:
    return Connection(peer.ours, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize("answers", [(10,), (0, 0, 10), (1, 5, 10), (5, 0, 10)], ids=str)
def test_a_window_is_delivered_when_its_last_event_is_acknowledged(
    peer: Peer, answers: tuple[int, ...]
) -> None:
    peer.then(lambda sock: sock.sendall(b"".join(map(ack, answers))))
    connection = connected(peer)
    assert connection.deliver(WINDOW, 10) == (10, None)
    assert connection.is_usable()
    connection.close()


def test_what_was_acknowledged_before_the_end_is_delivered(peer: Peer) -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(ack(4))
        sock.shutdown(socket.SHUT_RDWR)

    peer.then(act)
    connection = connected(peer)
    acknowledged, error = connection.deliver(WINDOW, 10)
    assert (acknowledged, str(error)) == (
        4,
        "the server closed the connection before it acknowledged everything",
    )
    connection.close()


def test_a_server_that_goes_silent_is_given_up_after_the_timeout(peer: Peer) -> None:
    peer.then(lambda sock: sock.sendall(ack(2)))
    connection = connected(peer, 0.05)
    acknowledged, error = connection.deliver(WINDOW, 10)
    assert (acknowledged, str(error)) == (2, "silent for 0.05 s")
    connection.close()


def test_a_server_that_takes_nothing_is_given_up_after_the_timeout() -> None:
    window = encode_window([b'{"x":"%s"}' % (b"x" * (1 << 22))])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        acknowledged, error = Connection(ours, timeout_seconds=0.05).deliver(window, 1)
    assert (acknowledged, str(error)) == (0, "silent for 0.05 s")


def test_a_reset_is_told(peer: Peer) -> None:
    peer.sock.close()
    connection = connected(peer)
    acknowledged, error = connection.deliver(WINDOW, 10)
    assert (acknowledged, str(error)) == (0, "connection lost: Broken pipe")
    connection.close()


def test_another_servers_answer_is_told(peer: Peer) -> None:
    peer.then(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n"))
    connection = connected(peer)
    acknowledged, error = connection.deliver(WINDOW, 10)
    assert acknowledged == 0
    assert "not an answer of a lumberjack server" in str(error)
    connection.close()


def test_a_large_window_arrives_whole() -> None:
    window = encode_window([b'{"x":"%s"}' % (b"x" * (1 << 22))])
    peer = Peer(window)
    peer.then(lambda sock: sock.sendall(ack(1)))
    connection = connected(peer)
    assert connection.deliver(window, 1) == (1, None)
    connection.close()
    peer.close()


def test_a_connection_the_server_ended_is_not_used(peer: Peer) -> None:
    connection = connected(peer)
    assert connection.is_usable()
    peer.sock.close()
    assert not connection.is_usable()
    connection.close()
    assert not connection.is_usable()
    connection.close()


def test_a_connection_with_an_answer_nobody_waits_for_is_not_used(peer: Peer) -> None:
    connection = connected(peer)
    peer.sock.sendall(ack(10))
    assert not connection.is_usable()
    connection.close()


def test_a_connection_that_is_too_old_is_not_used(peer: Peer) -> None:
    connection = Connection(peer.ours, timeout_seconds=1, is_too_old=lambda: True)
    assert not connection.is_usable()
    connection.close()


def test_who_cannot_be_reached_is_transient() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address: tuple[str, int] = server.getsockname()[:2]
    with pytest.raises(Transient, match="Connection refused"):
        connect(address, timeout_seconds=1)


def test_a_handshake_that_is_never_answered_ends_with_the_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(Transient, match=r"TLS: .*timed out"),
    ):
        connect(server.getsockname()[:2], timeout_seconds=0.05, tls=ssl_context())


@pytest.mark.parametrize(
    ("answer", "objection"),
    [(b"220 mail", "not a lumberjack server, it says b'220 mail'"), (b"", "does it want TLS?")],
)
def test_the_beginning_of_a_window_makes_other_servers_speak(
    peer: Peer, answer: bytes, objection: str
) -> None:
    peer.sock.sendall(answer)
    peer.sock.shutdown(socket.SHUT_WR)
    connection = connected(peer)
    assert objection in connection.begin_window(5)
    connection.close()


def test_a_lumberjack_server_waits_for_the_rest(peer: Peer) -> None:
    connection = connected(peer)
    assert connection.begin_window(0.01) == ""
    connection.close()


def test_a_broken_connection_is_an_objection(peer: Peer) -> None:
    peer.sock.close()
    connection = connected(peer)
    assert connection.begin_window(5) == "connection lost: Broken pipe; does it want TLS?"
    connection.close()
