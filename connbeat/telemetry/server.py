"""Server: the thread of the monitoring endpoint.

One thread for all connections, so that however many ask, capture competes with one more thread and
no more. A connection has one request and a few seconds, however slowly its other side reads or
writes; when there are too many, the oldest goes.
"""

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from connbeat.clock import Clock
from connbeat.telemetry.http_message import (
    Refused,
    Request,
    Response,
    failure,
    read_request,
    write_response,
)
from connbeat.telemetry.listening import ListenAddress, is_local, listen
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metric, Metrics

#: Answers a request, in the server's thread. What it raises becomes status 500.
Route = Callable[[Request], Response]

_MAX_CONNECTIONS = 32
_SECONDS = 5.0
_READ_BYTES = 4096
_CLOSING_SECONDS = 2.0
#: A listener that fails (no descriptors left, say) is tried again after so long.
_ACCEPT_AGAIN_SECONDS = 1.0

_log = logging.getLogger(__name__)


class _Connection:
    """What is in and out of one connection."""

    __slots__ = ("channel", "deadline_ns", "received", "unsent")

    def __init__(self, channel: socket.socket, deadline_ns: int) -> None:
        self.channel = channel
        self.deadline_ns = deadline_ns
        self.received = b""
        self.unsent = memoryview(b"")


class HttpServer:
    """`open`, then `start`, then `close`, by one thread; each once."""

    def __init__(
        self, address: ListenAddress, routes: Mapping[str, Route], metrics: Metrics, clock: Clock
    ) -> None:
        self._address = address
        self._routes = routes
        self._metrics = metrics
        self._clock = clock
        self._lines = RateLimited(_log, clock)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._resources = contextlib.ExitStack()
        # The thread's own, in the order they came.
        self._connections: dict[socket.socket, _Connection] = {}

    def open(self) -> None:
        """Take the address. Raises OSError."""
        self._listener = listen(self._address)
        self._resources.callback(self._leave_address)
        self._wake, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for one in (self._wake, self._waker, self._selector):
            self._resources.callback(one.close)
        if not is_local(self._listener):
            _log.warning(
                "The monitoring endpoint can be reached from other machines; nobody is asked for a"
                " password. address=%s",
                self._address,
            )
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def start(self) -> None:
        _log.info("The monitoring endpoint listens. address=%s", self._address)
        self._thread.start()

    def close(self) -> None:
        """End the thread, leave nothing behind. Harmless if nothing was opened."""
        if self._thread.is_alive():
            self._waker.close()
            self._thread.join(_CLOSING_SECONDS)
        self._resources.close()

    def _leave_address(self) -> None:
        self._listener.close()
        if self._address.path:
            Path(self._address.path).unlink(missing_ok=True)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception:  # noqa: BLE001  the top of a thread: the agent lives on without its endpoint
            _log.exception("The monitoring endpoint failed and is gone.")
        finally:
            for connection in list(self._connections.values()):
                self._end(connection)

    def _turn(self) -> bool:
        """Serve whoever is ready; false if it was the last time."""
        for key, _ in self._selector.select(self._patience()):
            if key.fileobj is self._wake:
                return False
            if key.fileobj is self._listener:
                self._accept(self._listener)
            elif isinstance(key.data, _Connection) and key.data.channel in self._connections:
                self._serve(key.data)
        now_ns = self._clock.monotonic_ns()
        for late in [one for one in self._connections.values() if one.deadline_ns <= now_ns]:
            self._end(late)
        return True

    def _patience(self) -> float | None:
        """Until the first deadline: that of the connection that came first."""
        first = next(iter(self._connections.values()), None)
        if first is None:
            return None
        return max(0.0, (first.deadline_ns - self._clock.monotonic_ns()) / 1e9)

    def _accept(self, listener: socket.socket) -> None:
        try:
            channel, _ = listener.accept()
        except BlockingIOError:  # it went away again
            return
        except OSError as error:
            self._lines.warning("The monitoring endpoint takes no connection. error=%s", error)
            self._clock.wait(threading.Event(), _ACCEPT_AGAIN_SECONDS)
            return
        channel.setblocking(False)
        if len(self._connections) >= _MAX_CONNECTIONS:
            self._end(next(iter(self._connections.values())))
        connection = _Connection(channel, self._clock.monotonic_ns() + int(_SECONDS * 1e9))
        self._connections[channel] = connection
        self._selector.register(channel, selectors.EVENT_READ, connection)

    def _serve(self, connection: _Connection) -> None:
        try:
            is_over = self._send(connection) if connection.unsent else self._receive(connection)
        except BlockingIOError:
            return
        except OSError:  # the other side is gone
            is_over = True
        if is_over:
            self._end(connection)

    def _receive(self, connection: _Connection) -> bool:
        """Whether the connection is over."""
        more = connection.channel.recv(_READ_BYTES)
        connection.received += more
        answer = self._answer(connection.received)
        if answer is None:
            return not more
        connection.unsent = memoryview(answer)
        self._selector.modify(connection.channel, selectors.EVENT_WRITE, connection)
        return self._send(connection)

    def _send(self, connection: _Connection) -> bool:
        sent = connection.channel.send(connection.unsent)
        connection.unsent = connection.unsent[sent:]
        return not connection.unsent

    def _answer(self, received: bytes) -> bytes | None:
        """What to send, None while the request is not whole."""
        is_head = False
        try:
            request = read_request(received)
            if request is None:
                return None
            is_head = request.is_head
            response = self._respond(request)
        except Refused as refused:
            response = refused.response
        self._metrics.add(Metric.HTTP_REQUESTS, code=str(response.status))
        return write_response(response, is_head=is_head)

    def _respond(self, request: Request) -> Response:
        route = self._routes.get(request.path.rstrip("/") or "/")
        if route is None:
            return failure(404)
        try:
            return route(request)
        except Exception as error:  # noqa: BLE001  one answer's bug is not the endpoint's end
            self._lines.error(
                "A request could not be answered. path=%s error=%r", request.path, error
            )
            return failure(500)

    def _end(self, connection: _Connection) -> None:
        del self._connections[connection.channel]
        self._selector.unregister(connection.channel)
        with contextlib.suppress(OSError):
            connection.channel.shutdown(socket.SHUT_RDWR)
        connection.channel.close()
