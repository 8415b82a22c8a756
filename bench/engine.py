"""Engine: containers of the load generator, and a count of what is asked of Docker."""

import contextlib
import io
import re
import socket
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from bench.commands import BenchError, call
from bench.usage import children_named

SOCKET = Path("/var/run/docker.sock")
PREFIX = "connbeat-bench"
IMAGE = f"{PREFIX}-load"

_CHUNK = 65536
_REQUEST = re.compile(rb"(?:GET|POST|HEAD|PUT|DELETE) \S+ HTTP/1\.1\r\n")


def engine_pids() -> list[int]:
    """dockerd, as the process behind the socket, and its containerd. Raises BenchError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(SOCKET))
        except OSError as error:
            raise BenchError(f"no Docker: {SOCKET}: {error.strerror}") from error
        dockerd = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4)
    pid = int.from_bytes(dockerd, sys.byteorder)
    return [pid, *children_named(pid, "containerd")]


def build_image(load: Path) -> None:
    """An image that is this one static program. Raises BenchError without an engine."""
    if not SOCKET.exists():
        raise BenchError(f"no Docker: there is no {SOCKET}")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(load, "load")
    call(
        "docker", "import", "--change", 'ENTRYPOINT ["/load"]', "-", IMAGE, data=archive.getvalue()
    )


def container_command(*options: str) -> tuple[str, ...]:
    """`docker run` in the foreground, with the host's pids: the truth has the pids we see."""
    return ("docker", "run", "--rm", "--interactive", "--pid=host", *options, IMAGE)


@contextlib.contextmanager
def listening_containers(count: int) -> Iterator[list[str]]:
    """So many containers, all of which listen on :80; their names. Removed at the end."""
    names = [f"{PREFIX}-{number}" for number in range(count)]
    try:
        for name in names:
            call("docker", "run", "--detach", "--name", name, IMAGE, "listen", "--port", "80")
        yield names
    finally:
        with contextlib.suppress(BenchError):
            call("docker", "rm", "--force", "--volumes", *names)


def remove_image() -> None:
    with contextlib.suppress(BenchError):
        call("docker", "rmi", "--force", IMAGE)


class CountingProxy:
    """Stands before the engine's socket and counts the requests. Use it with `with`."""

    def __init__(self, path: Path) -> None:
        self.environ = {"DOCKER_HOST": f"unix://{path}"}
        self.requests = 0
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open = [self._listener]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed: the end
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                engine.connect(str(SOCKET))
                self._open += [client, engine]
                self._forward(client, engine, is_counted=True)
                self._forward(engine, client, is_counted=False)

    def _forward(self, source: socket.socket, target: socket.socket, *, is_counted: bool) -> None:
        threading.Thread(target=self._copy, args=(source, target, is_counted), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, is_counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if is_counted:
                    self.requests += len(_REQUEST.findall(data))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._open:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
