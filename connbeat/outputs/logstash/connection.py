"""One connection to a lumberjack server: a window goes out, its acknowledgements come in."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from connbeat.errors import Transient
from connbeat.outputs.logstash.frames import AckReader
from connbeat.outputs.tls import describe_tls_error

# One `send` of TLS is all or nothing for its timeout; pieces let progress count.
_PIECE_BYTES = 256 * 1024
_READ_BYTES = 4096
# Long enough for a server that wants TLS to see that this is none.
_ONE_EVENT = b"2W\0\0\0\1"


def connect(
    address: tuple[str, int], *, timeout_seconds: float, tls: ssl.SSLContext | None = None
) -> socket.socket:
    """Raises Transient. The timeout is for each step."""
    try:
        plain = socket.create_connection(address, timeout_seconds)
    except OSError as error:
        raise Transient(error.strerror or str(error) or "no answer") from error
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if tls is None:
        return plain
    try:
        return tls.wrap_socket(plain, server_hostname=address[0])
    except OSError as error:
        plain.close()
        raise Transient(f"TLS: {describe_tls_error(error)}") from error


class Connection:
    """Owns a connected socket, with or without TLS. One thread uses it.

    The timeout is for silence, not for the whole: a server that takes bytes, or says that it is
    still at work, may take as long as it likes.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        timeout_seconds: float,
        is_too_old: Callable[[], bool] = lambda: False,
    ) -> None:
        self._sock = sock
        self._timeout_seconds = timeout_seconds
        self._is_too_old = is_too_old

    def is_usable(self) -> bool:
        """Nobody hung up since the last window, as Logstash does after a minute of silence."""
        if self._is_too_old():
            return False
        try:
            self._sock.settimeout(0.0)
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False  # the end, or an answer nobody asked for

    def deliver(self, window: bytes, count: int) -> tuple[int, Transient | None]:
        """How many of the window's events are acknowledged, and what stopped the rest.

        After an error the connection is of no use: a late acknowledgement could be taken for that
        of the next window.
        """
        acks = AckReader(count)
        self._sock.settimeout(self._timeout_seconds)
        try:
            self._send(window)
            while not acks.is_complete:
                acks.feed(self._receive())
        except Transient as error:
            return acks.acknowledged, error
        except TimeoutError:
            return acks.acknowledged, Transient(f"silent for {self._timeout_seconds:g} s")
        except OSError as error:
            return acks.acknowledged, Transient(f"connection lost: {error.strerror or error}")
        return count, None

    def begin_window(self, seconds: float) -> str:
        """Announce one event and say no more: what the server has against it, "" if it waits.

        The connection is of no use afterwards.
        """
        self._sock.settimeout(seconds)
        try:
            self._sock.sendall(_ONE_EVENT)
            answer = self._sock.recv(_READ_BYTES)
        except TimeoutError:
            return ""
        except OSError as error:
            return f"connection lost: {error.strerror or error}; does it want TLS?"
        if not answer:
            return "the server closed the connection; does it want TLS?"
        return f"not a lumberjack server, it says {answer[:40]!r}"

    def close(self) -> None:
        with suppress(OSError):
            self._sock.close()

    def _send(self, window: bytes) -> None:
        rest = memoryview(window)
        while rest:
            rest = rest[self._sock.send(rest[:_PIECE_BYTES]) :]

    def _receive(self) -> bytes:
        data = self._sock.recv(_READ_BYTES)
        if not data:
            raise Transient("the server closed the connection before it acknowledged everything")
        return data
