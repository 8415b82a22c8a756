"""Usage: CPU time and memory of processes, from `/proc`."""

import os
from collections.abc import Iterable
from pathlib import Path

from connbeat.clock import SystemClock

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system time of all its threads, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, child_user, child_system = map(int, fields[11:15])
    return (user + child_user) / _TICK, (system + child_system) / _TICK


def memory_mb(pid: int) -> tuple[float, float]:
    """What is resident now, and what was at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return _mb(fields["VmRSS"]), _mb(fields["VmHWM"])


def pss_mb(pid: int) -> float:
    """What is resident now, pages shared with others by their part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return _mb(line.removeprefix("Pss:"))
    return 0.0


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


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
        self._user, self._system = self._read()

    def cpu_seconds(self) -> float:
        return sum(self.user_and_system())

    def user_and_system(self) -> tuple[float, float]:
        user, system = self._read()
        return user - self._user, system - self._system

    def cpu_percent(self) -> float:
        """Of one core."""
        return 100 * self.cpu_seconds() / self.seconds()

    def seconds(self) -> float:
        return (self._clock.monotonic_ns() - self._started_ns) / 1e9

    def _read(self) -> tuple[float, float]:
        times = [cpu_seconds(pid) for pid in self._pids]
        return sum(user for user, _ in times), sum(system for _, system in times)
