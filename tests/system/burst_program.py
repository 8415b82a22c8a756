"""A process that makes many short connections, and writes down the truth about each.

It runs by itself, as `peer_program`: `burst_program.py ACTION JSON`. When what it needs stands, it
prints a line; at the next line of its input it acts, and prints what it did. The test (`bursts`)
compares that with what the agent reported.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1

#: Bytes that the client sends, bytes that the server answers, and which of them closes first.
_request = struct.Struct("=IIB")

Truth = dict[str, Any]


def tell(what: Any) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201  this is the answer


def wait_for_go() -> None:
    sys.stdin.readline()


@contextlib.contextmanager
def children(*bodies: Callable[[], None]) -> Iterator[list[int]]:
    """Processes that run these until the block ends."""
    pids = []
    for body in bodies:
        pid = os.fork()
        if not pid:
            with contextlib.suppress(KeyboardInterrupt, OSError):
                body()
            os._exit(0)
        pids.append(pid)
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def listener(ip: str = LOOPBACK, port: int = 0, *, reuse_port: bool = False) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((ip, port))
    one.listen(4096)
    return one


def reset_on_close(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))


def receive(one: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = one.recv(size - len(data))
        if not more:
            break
        data += more
    return data


# burst: short connections with a known payload


def burst(count: int, ends: str = "close") -> Truth:
    """`ends`: "close", the client and the server first by turns, or "reset" instead of a FIN."""
    ready, done = os.pipe()
    with children(lambda: serve_burst(done, ends)):
        port = int(os.read(ready, 8))
        tell({"port": port})
        wait_for_go()
        start = time.monotonic()
        made = [one_of_burst(port, number, ends) for number in range(count)]
        seconds = time.monotonic() - start
        time.sleep(0.05)  # the server's last close
    return {"port": port, "seconds": seconds, "connections": made}


def one_of_burst(port: int, number: int, ends: str) -> Truth:
    sent, answered, is_server_first = number + _request.size, 2 * number + 1, number % 2
    with socket.socket() as one:
        before = time.time()
        one.connect((LOOPBACK, port))
        after = time.time()
        local_port = one.getsockname()[1]
        request = _request.pack(sent, answered, is_server_first)
        one.sendall(request + b"x" * (sent - len(request)))
        receive(one, answered)
        if is_server_first:
            with contextlib.suppress(ConnectionResetError):
                receive(one, 1)
        elif ends == "reset":
            reset_on_close(one)
    return {
        "port": local_port,
        "sent": sent,
        "received": answered,
        "opened": [before, after],
        "closed": time.time(),
    }


def serve_burst(done: int, ends: str) -> None:
    at = listener()
    os.write(done, b"%d" % at.getsockname()[1])
    while True:
        one, _ = at.accept()
        with one:
            head = receive(one, _request.size)
            sent, answered, is_server_first = _request.unpack(head)
            receive(one, sent - _request.size)
            one.sendall(b"y" * answered)
            if not is_server_first:
                with contextlib.suppress(ConnectionResetError):
                    receive(one, 1)
            elif ends == "reset":
                reset_on_close(one)


# churn: as many as there are wanted, told by number only


def churn(count: int, rate: int, seconds: float) -> Truth:
    """At most `count`, `rate` a second, for so long; each is reset, so that no port stays taken."""
    at = [listener() for _ in range(4)]
    with children(*(lambda one=one: serve_churn(one) for one in at[:2])):
        ports = [one.getsockname()[1] for one in at[:2]]
        tell({"ports": ports})
        wait_for_go()
        start = time.monotonic()
        made = 0
        while made < count and (elapsed := time.monotonic() - start) < seconds:
            if made > elapsed * rate:
                time.sleep(0.001)
                continue
            with socket.socket() as one:
                one.connect((LOOPBACK, ports[made % 2]))
                one.recv(1)
                reset_on_close(one)
            made += 1
        elapsed = time.monotonic() - start
    return {"made": made, "seconds": elapsed}


def serve_churn(at: socket.socket) -> None:
    while True:
        with contextlib.suppress(OSError):
            one, _ = at.accept()
            with one:
                one.send(b"z")
                one.recv(1)


# hold: connections that stay open, and end all at once


def hold(count: int, processes: int) -> Truth:
    """Each process has both ends of its part of them, and all are killed at the word.

    Not one process only: a session may hold 20,000 descriptors, and not raise that everywhere.
    """
    at = [listener() for _ in range(processes)]
    ready, done = os.pipe()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with children(*(lambda one=one: keep(one, count // processes, done) for one in at)) as pids:
        for _ in pids:
            os.read(ready, 1)
        tell({"ports": [one.getsockname()[1] for one in at], "pids": pids})
        wait_for_go()
        start = time.monotonic()
    return {"seconds": time.monotonic() - start}


def keep(at: socket.socket, count: int, done: int) -> None:
    kept = []
    for _ in range(count):
        kept += [socket.create_connection(at.getsockname()), at.accept()[0]]
    os.write(done, b".")
    signal.pause()


# halves: which side ends first, and what is left then


def halves(how: str, count: int) -> Truth:
    """Connections that all end in one way (`ENDINGS`), step by step together.

    Tells what each end sent, and what came in at its host.
    """
    at = listener()
    port = at.getsockname()[1]
    tell({"port": port})
    wait_for_go()
    made = []
    for number in range(count):
        client = socket.create_connection((LOOPBACK, port))
        made.append(Half(client, at.accept()[0], number + 1))
    ports = [half.client.getsockname()[1] for half in made]
    for step in ENDINGS[how]:
        if isinstance(step, float):
            time.sleep(step)
            continue
        for half in made:
            step(half)
    at.close()
    return {
        "port": port,
        "connections": {
            p: [half.asked, half.answered] for p, half in zip(ports, made, strict=True)
        },
    }


class Half:
    """A connection with both its ends; the steps that its end is made of."""

    def __init__(self, client: socket.socket, server: socket.socket, size: int) -> None:
        self.client = client
        self.server = server
        self.size = size
        self.asked = self.answered = 0

    def ask(self) -> None:
        self.asked = self.size
        self.client.sendall(b"a" * self.size)
        receive(self.server, self.size)

    def finish(self) -> None:
        self.client.shutdown(socket.SHUT_WR)

    def read_finish(self) -> None:
        assert self.server.recv(1) == b""

    def answer(self) -> None:
        self.answered = 2 * self.size
        self.server.sendall(b"b" * self.answered)

    def answer_much(self) -> None:
        """While it is being read: data and end may come in while the reader holds the socket."""
        self.answered = 1_000_000 + self.size

        def work() -> None:
            with self.server:
                self.server.sendall(b"b" * self.answered)

        with contextlib.closing(self.client):
            thread = threading.Thread(target=work)
            thread.start()
            while self.client.recv(1 << 16):
                pass
            thread.join()

    def read_answer(self) -> None:
        receive(self.client, self.answered)

    def read_end(self) -> None:
        assert self.client.recv(1) == b""

    def close_both(self) -> None:
        """At once: each in a thread of its own."""
        together(self.client.close, self.server.close)

    def finish_both(self) -> None:
        together(self.finish, lambda: self.server.shutdown(socket.SHUT_WR))

    def close_client(self) -> None:
        self.client.close()

    def close_server(self) -> None:
        self.server.close()

    def reset_server(self) -> None:
        reset_on_close(self.server)
        self.server.close()


def together(*steps: Callable[[], None]) -> None:
    barrier = threading.Barrier(len(steps))

    def work(step: Callable[[], None]) -> None:
        barrier.wait()
        step()

    threads = [threading.Thread(target=work, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


#: Longer than an acknowledgement is put off.
ACKNOWLEDGED = 0.1
ENDINGS: dict[str, tuple[Callable[[Half], None] | float, ...]] = {
    "the client closes": (Half.ask, Half.close_client, Half.close_server),
    "the server closes": (Half.ask, Half.answer, Half.read_answer, Half.close_server,
                          Half.close_client),
    "half-close, answer and end are read": (
        Half.ask, Half.finish, Half.read_finish, Half.answer, Half.close_server, Half.read_answer,
        Half.read_end, Half.close_client),
    "half-close, a long answer is read while it comes": (
        Half.ask, Half.finish, Half.read_finish, Half.answer_much),
    "half-close, the end is not read": (
        Half.ask, Half.finish, Half.answer, Half.read_answer, Half.close_server, Half.close_client),
    "half-close, answer and end are not read": (
        Half.ask, Half.finish, Half.answer, Half.close_server, Half.close_client),
    "half-close, then close": (Half.ask, Half.finish, Half.close_client, Half.close_server),
    "half-close, acknowledged, then close": (
        Half.ask, Half.finish, ACKNOWLEDGED, Half.close_client, Half.close_server),
    "half-close, acknowledged, answer is read, then close": (
        Half.ask, Half.finish, ACKNOWLEDGED, Half.answer, Half.read_answer, Half.close_client,
        Half.close_server),
    "half-close, then closed with the answer unread": (
        Half.ask, Half.finish, Half.answer, ACKNOWLEDGED, Half.close_client, Half.close_server),
    "half-close, the server resets": (
        Half.ask, Half.finish, Half.reset_server, Half.close_client),
    "half-close, acknowledged, the server resets": (
        Half.ask, Half.finish, ACKNOWLEDGED, Half.reset_server, ACKNOWLEDGED, Half.close_client),
    "both close at once": (Half.ask, Half.close_both),
    "both half-close at once": (
        Half.ask, Half.finish_both, Half.read_finish, Half.read_end, Half.close_client,
        Half.close_server),
    "both half-close at once, the ends are not read": (
        Half.ask, Half.finish_both, Half.close_client, Half.close_server),
    "closed with the answer unread": (
        Half.ask, Half.answer, ACKNOWLEDGED, Half.close_client, Half.close_server),
}  # fmt: skip


# fail: connects that come to nothing


def fail(wanted: list[Truth]) -> list[Truth]:
    """Each is `{ip, port, how}`: "blocking", "waiting" (for the answer) or "cancelled" (not).

    A "patient" one does not look before the second SYN was answered: what an ICMP message says
    while connect() still runs, the kernel tells the process, but takes for a passing trouble.
    """
    tell("ready")
    wait_for_go()
    started = [(one, *start_to_fail(one)) for one in wanted]
    if any(one["how"] == "patient" for one in wanted):
        time.sleep(1.5)
    return [{**one, **truth, **end_of(sock)} for one, sock, truth in started]


def start_to_fail(wanted: Truth) -> tuple[socket.socket | None, Truth]:
    one = socket.socket()
    if wanted.get("user_timeout_ms"):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, wanted["user_timeout_ms"])
    if not wanted.get("is_unbound"):  # bind() would take another port than connect()
        one.bind((wanted.get("source", "0.0.0.0"), 0))
    one.setblocking(wanted["how"] == "blocking")
    failed = one.connect_ex((wanted["ip"], wanted["port"]))
    truth = {"local_port": one.getsockname()[1], "errno": failed}
    if wanted["how"] in ("waiting", "patient") and truth["errno"] == errno.EINPROGRESS:
        return one, truth
    one.close()
    return None, truth


def end_of(one: socket.socket | None) -> Truth:
    if one is None:
        return {}
    poll = select.poll()
    poll.register(one, select.POLLOUT)
    poll.poll(10_000)
    error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    one.close()
    return {"errno": error}


# serve: who answers


def serve(kind: str, count: int) -> Truth:
    """Connections that the worker that serves them tells its own pid."""
    with SERVERS[kind]() as port:
        tell({"port": port})
        wait_for_go()
        served = []
        for number in range(0, count, 8):
            ends = [socket.create_connection((LOOPBACK, port)) for _ in range(8)]
            for index, one in enumerate(ends):
                one.sendall(b"12"[index % 2 : index % 2 + 1])
            for one in ends:
                served.append({"port": one.getsockname()[1], "pid": int(receive(one, 8))})
                one.close()
            assert number >= 0
        time.sleep(0.05)  # the last closes
    return {"port": port, "connections": served}


def answer(one: socket.socket) -> None:
    """The worker's word, after a moment in which others get their share."""
    with one:
        is_first = receive(one, 1) == b"1"
        time.sleep(0.002)
        one.sendall(b"%08d" % os.getpid())
        if not is_first:
            receive(one, 1)


def accept_for_ever(at: socket.socket) -> None:
    while True:
        answer(at.accept()[0])


@contextlib.contextmanager
def preforked() -> Iterator[int]:
    with listener() as at, children(*[lambda: accept_for_ever(at)] * 4):
        yield at.getsockname()[1]


@contextlib.contextmanager
def reuse_port() -> Iterator[int]:
    """Four listeners at one address, each opened by its worker."""
    with listener(reuse_port=True) as first:  # holds the port until the workers have it
        port = first.getsockname()[1]
        ready, done = os.pipe()

        def work() -> None:
            at = listener(port=port, reuse_port=True)
            first.close()
            os.write(done, b".")
            accept_for_ever(at)

        with children(*[work] * 4):
            for _ in range(4):
                os.read(ready, 1)
            first.close()
            yield port


@contextlib.contextmanager
def threaded() -> Iterator[int]:
    """A process of its own that serves each connection in a thread."""

    def work() -> None:
        while True:
            one, _ = at.accept()
            threading.Thread(target=answer, args=(one,), daemon=True).start()

    with listener() as at, children(work):
        yield at.getsockname()[1]


@contextlib.contextmanager
def forking() -> Iterator[int]:
    """A process that accepts, and a child of it for every connection, as inetd and sshd have it."""

    def work() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            one, _ = at.accept()
            is_closed, closed = os.pipe()
            if not os.fork():
                os.read(is_closed, 1)  # whoever closes last, closes the connection
                answer(one)
                os._exit(0)
            one.close()
            os.write(closed, b".")
            os.close(closed)
            os.close(is_closed)

    with listener() as at, children(work):
        yield at.getsockname()[1]


@contextlib.contextmanager
def activated() -> Iterator[int]:
    """Another program that inherits the listener by exec, as systemd's socket activation does."""
    with listener() as at:
        command = [sys.executable, __file__, "inherit", json.dumps({"fd": at.fileno()})]
        with subprocess.Popen(command, pass_fds=[at.fileno()], stdin=subprocess.DEVNULL) as heir:
            try:
                yield at.getsockname()[1]
            finally:
                heir.kill()


def inherit(fd: int) -> None:
    accept_for_ever(socket.socket(fileno=fd))


SERVERS = {one.__name__: one for one in (preforked, reuse_port, threaded, forking, activated)}


# listen and blink: what is there for a moment only


def listen(count: int) -> list[Truth]:
    tell("ready")
    wait_for_go()
    made = []
    for _ in range(count):
        before = time.time()
        with listener() as one:
            made.append({"port": one.getsockname()[1], "opened": [before, time.time()]})
    return made


def blink() -> Truth:
    """One connection inside a namespace that is made for it and gone with its only process."""
    tell("ready")
    wait_for_go()
    ready, done = os.pipe()
    pid = os.fork()
    if not pid:
        start = time.monotonic()
        truth = connect_inside()
        os.write(done, json.dumps({**truth, "pid": os.getpid(), "start": start}).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    end = time.monotonic()
    truth = json.loads(os.read(ready, 4096))
    return {**truth, "seconds": end - truth["start"]}


def connect_inside() -> Truth:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    with listener() as at, socket.create_connection(at.getsockname()) as one, at.accept()[0] as two:
        one.sendall(b"x" * 100)
        receive(two, 100)
        return {
            "netns": Path("/proc/self/ns/net").stat().st_ino,
            "port": one.getsockname()[1],
            "server_port": at.getsockname()[1],
        }


ACTIONS: dict[str, Callable[..., Any]] = {
    one.__name__: one for one in (burst, churn, hold, halves, fail, serve, listen, blink, inherit)
}

if __name__ == "__main__":
    tell(ACTIONS[sys.argv[1]](**json.loads(sys.argv[2])))
