"""A real HTTP server for tests: keeps what it was sent, answers as it was told.

    with HttpServer() as server:
        server.answers.append(Answer(503, headers={"Retry-After": "2"}))

Each answer is used once; after the last one everything is taken with 200.
"""

import gzip
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """What arrived; `body` is unpacked."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    client: tuple[str, int]


@dataclass(frozen=True)
class Answer:
    """What is sent back, after a while if need be."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, so the handshake holds up nobody."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that end badly are what the tests are about."""


class HttpServer:
    """Listens on a free port of loopback until closed."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        port: int = 0,
        judge: Callable[[Request], Answer | None] | None = None,
    ) -> None:
        """`judge`, if there is one, may answer by what was asked; None leaves it to `answers`."""
        self.requests: list[Request] = []
        self.answers: deque[Answer] = deque()
        self._judge = judge
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._server.tls = tls
        self.port: int = self._server.server_address[1]
        self.address = ("127.0.0.1", self.port)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def bodies(self) -> list[bytes]:
        """Of what was taken (answered with 2xx), in the order it came."""
        return [request.body for request in self.requests]

    def answer(self, request: Request) -> Answer:
        with self._lock:
            answer = self._judge(request) if self._judge else None
            if answer is None:
                answer = self.answers.popleft() if self.answers else Answer()
            if 200 <= answer.status < 300:
                self.requests.append(request)
        return answer


def _handler(server: HttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = Request(
                self.command, self.path, dict(self.headers.items()), body, self.client_address
            )
            answer = server.answer(request)
            time.sleep(answer.delay)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = _serve  # noqa: N815  the library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's
            """Silence."""

    return Handler
