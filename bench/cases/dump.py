"""Dump: 40,000 sockets read and keyed, in this process, beside other ways to the same table."""

import os
import resource
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.commands import call
from bench.figures import Measurement
from bench.load import Load
from bench.setup import Case, Setup
from connbeat.capture.dump import dump, open_diag
from connbeat.capture.tables import read_tables
from connbeat.connections.life import key_of
from connbeat.linux import netlink, netns, sock_diag
from connbeat.linux.procfs import ProcFs
from connbeat.model.sockets import SocketSnapshot
from connbeat.model.targets import Target

_ENDS = 40_000
_REPEATS = 7


def _run(setup: Setup) -> Iterator[Measurement]:
    options = f"traffic --netns --clients 4 --servers 4 --idle {_ENDS // 2}"
    with Load([setup.load], options) as load:
        target = Target(load.netns, (load.pid,), "", is_host=False)
        yield from _ways(target)


def _ways(target: Target) -> Iterator[Measurement]:
    procfs = ProcFs()
    diag = open_diag(target, Path("/proc"))
    with netns.entered(Path(f"/proc/{target.pids[0]}/ns/net"), target.netns):
        raw = netlink.open_socket(netlink.NETLINK_SOCK_DIAG)
    kernel = _timed(lambda: _receive_only(raw))
    yield _measurement("the kernel's own share", kernel)
    yield _measurement("dump, parsed", _timed(lambda: dump(diag, target.netns, 0)))
    whole = _timed(lambda: _keyed(dump(diag, target.netns, 0)))
    yield _measurement("dump, parsed and keyed", whole, {"ours ms": whole - kernel})
    tables = _timed(lambda: _keyed(read_tables(procfs, target.netns, target.pids, 0)))
    yield _measurement("/proc/net/tcp, parsed and keyed", tables)
    yield _measurement("ss -tan", _timed_ss(target.pids[0]))
    raw.close()
    diag.close()


def _measurement(row: str, ms: float, more: dict[str, float] | None = None) -> Measurement:
    return Measurement(row, {"CPU ms": ms, "µs a socket": 1000 * ms / _ENDS, **(more or {})})


def _timed(act: Callable[[], object]) -> float:
    """CPU milliseconds of this thread, the kernel's part included; the median of a few."""
    times = []
    for _ in range(_REPEATS):
        start = time.thread_time()
        act()
        times.append(1000 * (time.thread_time() - start))
    return statistics.median(times)


def _receive_only(sock: socket.socket) -> int:
    """The same dump, nothing done with it: what is spent here is spent by anybody."""
    sock.send(sock_diag.pack_dump_request(1))
    received = 0
    while True:
        data = sock.recv(netlink.RECEIVE_BYTES)
        received += len(data)
        if int.from_bytes(data[-16:-14], "little") == netlink.NLMSG_DONE:
            return received


def _keyed(snapshot: SocketSnapshot) -> int:
    """By identity, as the tracker keeps them. All of them have to be there."""
    keyed = {key_of(row): row for row in snapshot.sockets}
    assert len(keyed) >= _ENDS, f"{len(keyed)} sockets in the dump"
    return len(keyed)


def _timed_ss(pid: int) -> float:
    """CPU milliseconds of `ss`; its output goes to a file that keeps nothing."""
    times = []
    with Path(os.devnull).open("wb") as nowhere:
        for _ in range(_REPEATS):
            before = _children_seconds()
            call("nsenter", f"--net=/proc/{pid}/ns/net", "ss", "-tan", to=nowhere)
            times.append(1000 * (_children_seconds() - before))
    return statistics.median(times)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


CASES = (
    Case(
        "dump",
        "40,000 sockets: one dump, keyed by identity",
        "about 54 ms in plain Python (kernel 36 ms, ss -tan 110 ms, /proc/net/tcp 183 ms)",
        _run,
    ),
)
