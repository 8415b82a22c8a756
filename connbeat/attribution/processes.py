"""The table of processes: what each one is, read once and kept while it holds.

A process is (pid, start time); its program is what the last exec made it, and the kernel moves
`arg_start` on every exec. So one cheap read of `stat` per poll and process tells whether the rest
still holds; of a process that we may not trace it says 0 there, and the name has to tell. Processes
that have ended stay for a grace time, because their sockets outlive them.
"""

import os
from collections.abc import Callable

import psutil

from connbeat.attribution.users import UserNames
from connbeat.errors import CaptureError, Malformed, NotPermitted, ProcessGone
from connbeat.linux.procfs import KeptFiles, ProcFs, ProcStat, parse_strings, parse_uid
from connbeat.model.processes import ContainerRef, Process
from connbeat.telemetry.metrics import Metric, Metrics

CgroupParser = Callable[[bytes], ContainerRef | None]
#: Processes as they are now, or as one was.
Files = ProcFs | KeptFiles

_GRACE_NS = 120_000_000_000
_MAX_PROCESSES = 20_000


class _Entry:
    """A process as last read, the `stat` it was read with, and when it was last seen."""

    __slots__ = ("process", "seen_ns", "stat", "verified_ns")

    def __init__(self, process: Process, stat: ProcStat, now_ns: int) -> None:
        self.process = process
        self.stat = stat
        self.seen_ns = now_ns
        self.verified_ns = now_ns


class ProcessTable:
    """Reads processes and remembers them. One thread uses it.

    `parse_cgroup` turns the text of `/proc/<pid>/cgroup` into a container, or None. Times passed
    in are CLOCK_MONOTONIC; an entry is verified at most once per value of `now_ns`, so one value
    per poll makes one read per process and poll.
    """

    def __init__(
        self, procfs: ProcFs, metrics: Metrics, parse_cgroup: CgroupParser, *, with_environ: bool
    ) -> None:
        self._procfs = procfs
        self._metrics = metrics
        self._parse_cgroup = parse_cgroup
        self._with_environ = with_environ
        self._users = UserNames()
        self._entries: dict[int, _Entry] = {}
        self._booted_at_ns = int(psutil.boot_time() * 1e9)
        self._tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def read(self, pid: int, now_ns: int) -> Process:
        """The process that has this pid now. Raises ProcessGone, NotPermitted or CaptureError."""
        entry = self._entries.get(pid)
        if entry is not None and entry.verified_ns == now_ns:
            return entry.process
        stat = self._procfs.stat(pid)
        if entry is not None and _is_same(entry.stat, stat):
            entry.seen_ns = entry.verified_ns = now_ns
            return entry.process
        process = self._read_whole(self._procfs, pid, stat)
        if self._procfs.stat(pid).started_ticks != stat.started_ticks:
            raise ProcessGone(f"{pid} was reused while it was read")
        self._entries[pid] = _Entry(process, stat, now_ns)
        return process

    def read_kept(self, files: KeptFiles, pid: int) -> Process:
        """What these say of it; nothing is remembered. Raises as `read`."""
        return self._read_whole(files, pid, files.stat(pid))

    def current(self, process: Process, now_ns: int) -> Process | None:
        """The same process as it is now (it may have called exec), or None once it has ended."""
        try:
            found = self.read(process.pid, now_ns)
        except NotPermitted:
            return process
        except CaptureError:
            return None
        return found if found.started_ticks == process.started_ticks else None

    def expire(self, now_ns: int) -> list[int]:
        """Forget those unseen for the grace time, and the longest unseen beyond the bound."""
        old = [pid for pid, entry in self._entries.items() if now_ns - entry.seen_ns > _GRACE_NS]
        excess = len(self._entries) - len(old) - _MAX_PROCESSES
        if excess > 0:
            by_age = sorted(self._entries, key=lambda pid: self._entries[pid].seen_ns)
            old = by_age[: len(old) + excess]  # the expired ones are the oldest of all
        for pid in old:
            self._entries.pop(pid, None)
        self._metrics.set(Metric.PROCESSES, len(self._entries))
        return old

    def _read_whole(self, files: Files, pid: int, stat: ProcStat) -> Process:
        executable, is_permitted = _executable(files, pid)
        uid = parse_uid(files.read(pid, "status"))
        return Process(
            pid=pid,
            started_ticks=stat.started_ticks,
            binary=executable.rpartition("/")[2] or stat.comm,
            executable=executable,
            arguments=parse_strings(files.read(pid, "cmdline")),
            environ=self._environ(files, pid),
            uid=uid,
            user=self._users.name(uid),  # a container may know another
            started_at_ns=self._booted_at_ns + stat.started_ticks * self._tick_ns,
            container=self._container(files, pid),
            netns=_netns(files, pid),
            is_permitted=is_permitted,
        )

    def _environ(self, files: Files, pid: int) -> tuple[str, ...]:
        if not self._with_environ:
            return ()
        try:
            return parse_strings(files.read(pid, "environ"))
        except NotPermitted:
            return ()

    def _container(self, files: Files, pid: int) -> ContainerRef | None:
        try:
            return self._parse_cgroup(files.read(pid, "cgroup"))
        except (NotPermitted, Malformed):
            return None


def _executable(files: Files, pid: int) -> tuple[str, bool]:
    """A kernel thread has none, and one with more capabilities than we does not show it."""
    try:
        return files.executable(pid), True
    except NotPermitted:
        return "", False
    except ProcessGone:
        return "", True


def _netns(files: Files, pid: int) -> int:
    try:
        return files.netns(pid)
    except NotPermitted:
        return 0


def _is_same(known: ProcStat, stat: ProcStat) -> bool:
    if (known.started_ticks, known.arg_start) != (stat.started_ticks, stat.arg_start):
        return False
    return stat.arg_start != 0 or known.comm == stat.comm
