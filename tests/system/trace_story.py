"""Makes the sockets and processes of a recorded trace, and tells what it did, as JSON.

Run it in a namespace of its own. After "ready" it waits for a line, then plays the story.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import time

SO_COOKIE = 57
RESET = struct.pack("ii", 1, 0)

sockets: list[dict[str, object]] = []
processes: list[dict[str, object]] = []


def text(address: tuple[object, ...]) -> str:
    ip, port = address[0], address[1]
    return f"[{ip}]:{port}" if ":" in str(ip) else f"{ip}:{port}"


def tell(role: str, sock: socket.socket, remote: str = "", **fields: object) -> None:
    (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
    row = {"role": role, "cookie": cookie, "pid": os.getpid(), "local": text(sock.getsockname())}
    sockets.append(row | {"remote": remote or text(sock.getpeername())} | fields)


def listen(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.bind((host, 0))
    listener.listen()
    tell("listener", listener, remote="-")
    return listener


def exchange(host: str) -> None:
    """A worker, forked, accepts, answers and closes first."""
    listener = listen(host)
    reading, writing = os.pipe()
    worker = os.fork()
    if not worker:
        accepted, _ = listener.accept()
        listener.close()
        accepted.recv(100, socket.MSG_WAITALL)
        accepted.sendall(b"b" * 2000)
        sockets.clear()
        tell("served", accepted, sent=2000, received=100)
        os.write(writing, json.dumps(sockets).encode())
        accepted.close()
        os._exit(0)
    processes.append({"pid": worker, "parent": os.getpid()})
    client = socket.create_connection(listener.getsockname()[:2])
    tell("client", client, sent=100, received=2000)
    client.sendall(b"a" * 100)
    while client.recv(4096):
        pass
    client.close()
    os.waitpid(worker, 0)
    sockets.extend(json.loads(os.read(reading, 4096)))
    listener.close()


def pair() -> tuple[socket.socket, socket.socket]:
    listener = listen("127.0.0.1")
    client = socket.create_connection(listener.getsockname())
    accepted, _ = listener.accept()
    listener.close()
    return client, accepted


def reset() -> None:
    """The client resets: it loses its addresses, and so do its counters."""
    client, accepted = pair()
    client.sendall(b"a" * 10)
    accepted.recv(100)
    tell("resetting", client, sent=10)
    tell("reset", accepted, received=10)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()
    accepted.close()


def unread() -> None:
    """Closed with bytes that nobody read: before the other side's FIN, and after it."""
    for role in ("unread", "unread after FIN"):
        client, accepted = pair()
        accepted.sendall(b"b" * 7)
        tell(role, client, received=7)
        if role != "unread":
            accepted.close()
        time.sleep(0.05)
        client.close()
        accepted.close()


def refused() -> None:
    client = socket.socket()
    client.bind(("127.0.0.1", 0))
    tell("refused", client, remote="127.0.0.1:1")
    client.connect_ex(("127.0.0.1", 1))
    client.close()


def simultaneous() -> None:
    """A socket that connects to itself: the one simultaneous open that is easy to have."""
    alone = socket.socket()
    alone.bind(("127.0.0.1", 0))
    alone.connect(alone.getsockname())
    tell("alone", alone)
    alone.close()


def execute() -> None:
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    processes.append({"pid": child.pid, "parent": os.getpid(), "executed": "/bin/true"})


def main() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    exchange("127.0.0.1")
    exchange("::1")
    reset()
    unread()
    refused()
    simultaneous()
    execute()
    time.sleep(0.3)
    sys.stdout.write(json.dumps({"sockets": sockets, "processes": processes}) + "\n")


if __name__ == "__main__":
    main()
