"""Usage: CPU time and memory of processes, from `/proc`."""

import os
from collections.abc import Iterable
from pathlib import Path

from connbeat.clock import SystemClock

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


def memory_mb(pid: int) -> tuple[float, float]:
    """What is resident now, and what was at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return _mb(fields["VmRSS"]), _mb(fields["VmHWM"])


def _mb(text: str) -> float:
    return int(text.split(maxsplit=1)[0]) / 1024


def children_named(parent: int, name: str) -> list[int]:
    """The children of a process whose command has this name."""
    threads = Path(f"/proc/{parent}/task").iterdir()
    children = [pid for thread in threads for pid in (thread / "children").read_text().split()]
    return [int(pid) for pid in children if _command(pid) == name]


def _command(pid: str) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


class Stopwatch:
    """CPU of some processes, and the time that passes, from here on."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self._clock = SystemClock()
        self._started_ns = self._clock.monotonic_ns()
        self._cpu = self._read()

    def cpu_seconds(self) -> float:
        return self._read() - self._cpu

    def cpu_percent(self) -> float:
        """Of one core."""
        return 100 * self.cpu_seconds() / self.seconds()

    def seconds(self) -> float:
        return (self._clock.monotonic_ns() - self._started_ns) / 1e9

    def _read(self) -> float:
        return sum(map(cpu_seconds, self._pids))
