"""A Redis of forty lines: it speaks RESP 2 on loopback, keeps lists, and answers as it is told."""

import contextlib
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Self


class FakeRedis:
    """`answers` has a reply by command, in bytes; None hangs up instead of answering."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, bytes | None] = {}
        self.lists: dict[bytes, list[bytes]] = defaultdict(list)
        self.commands: list[str] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self._thread.join()

    def hang_up(self) -> None:
        """End every connection that is open now."""
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                with sock, contextlib.suppress(OSError):
                    self._serve(
                        self._tls.wrap_socket(sock, server_side=True) if self._tls else sock
                    )

    def _serve(self, sock: socket.socket) -> None:
        self._open.append(sock)
        with sock, sock.makefile("rb") as stream:
            for name, *arguments in _commands(stream):
                self.commands.append(name.decode())
                answer = self._answer(name.decode(), arguments)
                if answer is None:
                    return
                sock.sendall(answer)

    def _answer(self, name: str, arguments: list[bytes]) -> bytes | None:
        if name in self.answers:
            return self.answers[name]
        if name == "RPUSH":
            self.lists[arguments[0]] += arguments[1:]
            return b":%d\r\n" % len(self.lists[arguments[0]])
        if name == "PUBLISH":
            return b":0\r\n"
        if name == "INFO":
            return b"$27\r\n# Server\r\nredis_version:7.0\r\n"
        return b"+OK\r\n"


def _commands(stream: Any) -> Iterator[list[bytes]]:
    while line := stream.readline():
        command = []
        for _ in range(int(line[1:])):
            length = int(stream.readline()[1:])
            command.append(stream.read(length + 2)[:-2])
        yield command
