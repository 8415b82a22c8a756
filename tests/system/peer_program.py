"""A process that does with sockets what a test tells it, one JSON line a request and an answer.

It runs by itself: on the host, in a namespace, in a container (where nothing of the tests can be
imported). A test drives it through `peers.Peer`; here every socket has a number.
"""

import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

SO_COOKIE = 57
CHUNK = 1 << 16

_sockets: dict[int, socket.socket] = {}
_numbers = iter(range(1 << 30))


def _describe(one: socket.socket) -> dict[str, Any]:
    number = next(_numbers)
    _sockets[number] = one
    local = one.getsockname()
    try:
        remote = one.getpeername()
    except OSError:
        remote = ("", 0)
    return {
        "number": number,
        "local_ip": _text(local[0]),
        "local_port": local[1],
        "remote_ip": _text(remote[0]),
        "remote_port": remote[1],
        "inode": os.fstat(one.fileno()).st_ino,
        "cookie": struct.unpack("=Q", one.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0],
    }


def _text(ip: str) -> str:
    """As documents have it: without the zone, and IPv4 as IPv4."""
    return ip.partition("%")[0].removeprefix("::ffff:")


def _made(ip: str, options: dict[str, int]) -> socket.socket:
    one = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
    if "v6_only" in options:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, options["v6_only"])
    if options.get("reuse_port"):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if options.get("reuse_address"):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return one


def _address(ip: str, port: int, interface: int) -> tuple[Any, ...]:
    return (ip, port, 0, interface) if ":" in ip else (ip, port)


def listen(
    ip: str, port: int, interface: int = 0, backlog: int = 128, **options: int
) -> dict[str, Any]:
    one = _made(ip, {"reuse_address": 1, **options})
    one.bind(_address(ip, port, interface))
    one.listen(backlog)
    return _describe(one)


def connect(
    ip: str,
    port: int,
    *,
    interface: int = 0,
    source_ip: str = "",
    source_port: int = 0,
    **options: int,
) -> dict[str, Any]:
    one = _made(ip, options)
    if source_ip:
        one.bind(_address(source_ip, source_port, interface))
    one.connect(_address(ip, port, interface))
    return _describe(one)


def accept(number: int) -> dict[str, Any]:
    one, _ = _sockets[number].accept()
    return _describe(one)


def send(number: int, size: int) -> None:
    data = b"x" * CHUNK
    while size:
        size -= _sockets[number].send(data[:size])


def receive(number: int, size: int) -> None:
    while size:
        got = len(_sockets[number].recv(min(size, CHUNK)))
        if not got:
            raise EOFError(f"{size} bytes are missing")
        size -= got


def finish(number: int) -> None:
    _sockets[number].shutdown(socket.SHUT_WR)


def close(number: int) -> None:
    _sockets.pop(number).close()


def reset(number: int) -> None:
    _sockets[number].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    close(number)


def fork() -> int:
    """A child that holds every socket and waits to be killed."""
    pid = os.fork()
    if not pid:
        os.close(0)
        while True:
            os.read(os.pipe()[0], 1)
    return pid


_ACTIONS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (listen, connect, accept, send, receive, finish, close, reset, fork)
}


def main() -> None:
    print(json.dumps(os.getpid()), flush=True)  # noqa: T201  this is the answer
    for line in sys.stdin:
        answers = []
        for name, arguments in json.loads(line):
            try:
                answers.append(_ACTIONS[name](**arguments))
            except OSError as error:
                answers.append({"error": str(error)})
        print(json.dumps(answers), flush=True)  # noqa: T201  this is the answer


if __name__ == "__main__":
    main()
