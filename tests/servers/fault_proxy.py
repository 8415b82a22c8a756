"""A TCP proxy that breaks things on demand, between an output and its real server.

    with FaultProxy(("127.0.0.1", server_port)) as proxy:
        proxy.fault = Reset(after_bytes=100)

A fault applies to what happens from then on, also on connections that are open, in one direction:
`down` is from the server to the output. `None` lets everything through.
"""

import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import Self

_CHUNK = 65536


@dataclass(frozen=True)
class Delay:
    """Every piece of data waits before it goes on."""

    seconds: float


@dataclass(frozen=True)
class Stall:
    """The connection is accepted, and what is sent goes nowhere, until the fault is lifted."""

    after_bytes: int = 0


@dataclass(frozen=True)
class Refuse:
    """A new connection is reset before anything was said."""


@dataclass(frozen=True)
class Reset:
    """Both sides get an RST once so many bytes have gone through."""

    after_bytes: int = 0


@dataclass(frozen=True)
class Truncate:
    """So many bytes go through, then the connection ends in good order (FIN)."""

    after_bytes: int


@dataclass(frozen=True)
class HalfClose:
    """So many bytes go through, then FIN in this direction alone; the other one stays open."""

    after_bytes: int = 0


Fault = Delay | Stall | Refuse | Reset | Truncate | HalfClose


class FaultProxy:
    """Listens on a free port of loopback until closed. Set `fault` and `direction` at any time."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.fault: Fault | None = None
        self.direction = "down"
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self.port = self.address[1]
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """Reset every connection that is open now."""
        with self._lock:
            for sock in self._open:
                _reset(sock)
            self._open.clear()

    def close(self) -> None:
        self._is_closed.set()
        with contextlib.suppress(OSError):  # wakes the accept
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def _run(self, body: object, *arguments: object) -> None:
        thread = threading.Thread(target=body, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if isinstance(self.fault, Refuse):
                _reset(client)
                continue
            self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.upstream, 5)
        except OSError:
            _reset(client)
            return
        with self._lock:
            self._open += (client, server)
        self._run(self._relay, client, server)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        up = threading.Thread(target=self._pump, args=(client, server, "up"), daemon=True)
        up.start()
        self._pump(server, client, "down")
        up.join()
        with self._lock:
            self._open = [sock for sock in self._open if sock not in (client, server)]
        client.close()
        server.close()

    def _pump(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        passed = 0
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed meanwhile, fd -1
            while not self._is_closed.is_set():
                if not select.select((source,), (), (), 0.1)[0]:
                    if self._is_due(direction, passed) and self._end(source, target):
                        return
                    continue
                data = source.recv(_CHUNK)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                allowed = self._allowed(direction, passed, data)
                target.sendall(data[:allowed])
                passed += allowed
                if allowed < len(data) and self._end(source, target):
                    return

    def _is_due(self, direction: str, passed: int) -> bool:
        """Whether the fault strikes now, without another byte."""
        after = getattr(self.fault, "after_bytes", None)
        return direction == self.direction and after is not None and passed >= after > 0

    def _allowed(self, direction: str, passed: int, data: bytes) -> int:
        fault = self.fault
        if fault is None or direction != self.direction or isinstance(fault, Refuse):
            return len(data)
        if isinstance(fault, Delay):
            time.sleep(fault.seconds)
            return len(data)
        return max(0, min(len(data), fault.after_bytes - passed))

    def _end(self, source: socket.socket, target: socket.socket) -> bool:
        """What the fault does to the connection; false if it goes on."""
        fault = self.fault
        if isinstance(fault, Stall):
            while isinstance(self.fault, Stall) and not self._is_closed.wait(0.02):
                pass
            return True  # what was withheld is lost: nobody may believe that it arrived
        with self._lock:
            if isinstance(fault, Reset):
                _reset(source)
                _reset(target)
            elif isinstance(fault, Truncate):
                target.shutdown(socket.SHUT_RDWR)
                source.shutdown(socket.SHUT_RDWR)
            elif isinstance(fault, HalfClose):
                target.shutdown(socket.SHUT_WR)
        return True


def _reset(sock: socket.socket) -> None:
    """An RST instead of a FIN."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
