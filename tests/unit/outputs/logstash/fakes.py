"""A lumberjack server of fifty lines, on loopback; it reads windows in its own way."""

import contextlib
import io
import json
import socket
import ssl
import struct
import threading
import zlib
from typing import Any, Self


class FakeLogstash:
    """Acknowledges every window, after as many signs of life as `keepalives`.

    `greeting` is said at once, as servers of other protocols do; None hangs up.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        greeting: bytes | None = b"",
        keepalives: int = 0,
    ) -> None:
        self.documents: list[dict[str, Any]] = []
        self.windows: list[int] = []
        self.connections = 0
        self._tls = tls
        self._greeting = greeting
        self._keepalives = keepalives
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                with sock, contextlib.suppress(OSError, ValueError):
                    self._serve(
                        self._tls.wrap_socket(sock, server_side=True) if self._tls else sock
                    )

    def _serve(self, sock: socket.socket) -> None:
        self._open.append(sock)
        if self._greeting is None:
            return
        sock.sendall(self._greeting)
        with sock, sock.makefile("rb") as stream:
            while True:
                count = _header(stream.read(6), b"2W")
                self._frames(stream, count)
                self.windows.append(count)
                sock.sendall(b"2A\0\0\0\0" * self._keepalives + b"2A" + struct.pack(">I", count))

    def _frames(self, stream: Any, count: int) -> None:
        kind = stream.read(2)
        if kind == b"2C":
            packed = stream.read(int.from_bytes(_exactly(stream, 4), "big"))
            stream = io.BytesIO(zlib.decompress(packed))
            kind = stream.read(2)
        for number in range(1, count + 1):
            if kind != b"2J" or int.from_bytes(_exactly(stream, 4), "big") != number:
                raise ValueError(kind)
            length = int.from_bytes(_exactly(stream, 4), "big")
            self.documents.append(json.loads(_exactly(stream, length)))
            kind = stream.read(2) if number < count else b""


def _exactly(stream: Any, size: int) -> bytes:
    data: bytes = stream.read(size)
    if len(data) < size:
        raise ValueError(data)
    return data


def _header(data: bytes, kind: bytes) -> int:
    if data[:2] != kind:
        raise ValueError(data)
    return int.from_bytes(data[2:6], "big")
