"""A proxy before the Docker engine that counts what is asked, and can cut the line.

It listens on a UNIX socket and forwards bytes, both ways, to the engine's. What a client sends is
read along as HTTP, just far enough to know where each request begins.
"""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Self

ENGINE = Path("/var/run/docker.sock")

_CHUNK = 65536


class RequestCounter:
    """Finds the requests in what one client sends: GETs, and bodies with a length."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._head = b""
        self._body_left = 0

    def feed(self, data: bytes) -> None:
        while data:
            if self._body_left:
                taken = min(self._body_left, len(data))
                self._body_left -= taken
                data = data[taken:]
                continue
            head, is_whole, data = (self._head + data).partition(b"\r\n\r\n")
            if not is_whole:
                self._head = head
                return
            self._head = b""
            self._take(head.decode("latin-1"))

    def _take(self, head: str) -> None:
        first, *fields = head.split("\r\n")
        self.requests.append(first.removesuffix(" HTTP/1.1"))
        for field in fields:
            name, _, value = field.partition(":")
            if name.lower() == "content-length":
                self._body_left = int(value)


class DockerProxy:
    """Use it with `with`; `environ` points a client here."""

    def __init__(self, path: Path, engine: Path = ENGINE) -> None:
        self.environ = {"DOCKER_HOST": f"unix://{path}"}
        self._engine = engine
        self._counters: list[RequestCounter] = []
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()  # guards the two lists above
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def requests(self) -> list[str]:
        """Every request so far, `GET /v1.41/containers/json?...`, by connection."""
        with self._lock:
            return [request for counter in self._counters for request in counter.requests]

    def cut(self) -> None:
        """End every connection there is; new ones are taken."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        # New ones can come until the accepting thread is gone.
        self._threads[0].join(10)
        self.cut()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        for end in [self._listener, *self._open]:
            end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            counter = RequestCounter()
            engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with self._lock:
                self._open += [client, engine]
                self._counters.append(counter)
            try:
                engine.connect(str(self._engine))
            except OSError:
                client.shutdown(socket.SHUT_RDWR)
                continue
            self._start(client, engine, counter)
            self._start(engine, client, None)

    def _start(
        self, source: socket.socket, target: socket.socket, counter: RequestCounter | None
    ) -> None:
        thread = threading.Thread(target=_pump, args=(source, target, counter), daemon=True)
        self._threads.append(thread)
        thread.start()


def _pump(source: socket.socket, target: socket.socket, counter: RequestCounter | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            if counter is not None:
                counter.feed(data)
            target.sendall(data)
    # A half that is over ends the other: HTTP clients here never close only one.
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
