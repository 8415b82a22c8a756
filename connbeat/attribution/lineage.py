"""Lineage: who a thread was at a moment, for processes that are gone before anybody can ask.

Three sources, the first that knows wins: the process as it was read at its exec (by a thread that
the kernel wakes at once), the process as it is now in `/proc`, and what it inherited: a child that
never called exec is its parent under another pid, in the same container.

The starts and ends of processes come in the order of the kernel's buffer, together with the
questions, so a pid that changes hands is two processes here.
"""

import threading
from itertools import islice

import msgspec

from connbeat.attribution.processes import ProcessTable
from connbeat.errors import CaptureError
from connbeat.linux.procfs import ProcFs, parse_thread_group
from connbeat.model.processes import Process
from connbeat.telemetry.metrics import Metric, Metrics

_GRACE_NS = 10_000_000_000
_MAX_THREADS = 50_000
#: How far the clocks of two buffers may differ for the same exec.
_SAME_EXEC_NS = 1_000_000


class _Thread:
    """What is known of one thread; `process` is None until somebody asked, or if nobody knows."""

    __slots__ = ("ended_ns", "executed_ns", "file_name", "parent", "process", "was_asked")

    def __init__(self, parent: int) -> None:
        self.parent = parent
        self.process: Process | None = None
        self.was_asked = False
        self.file_name = ""
        self.executed_ns = 0
        self.ended_ns = 0


class Lineage:
    """A `ProcessSink`. `note_exec` is for the exec reader's thread, the rest for the capture's."""

    def __init__(self, procfs: ProcFs, processes: ProcessTable, metrics: Metrics) -> None:
        self._procfs = procfs
        self._processes = processes
        self._metrics = metrics
        self._threads: dict[int, _Thread] = {}
        self._lock = threading.Lock()
        self._at_exec: dict[int, tuple[int, Process]] = {}

    def note_exec(self, pid: int, time_ns: int) -> None:
        """Read a process at its exec; called within a fraction of a millisecond of it."""
        try:
            process = self._processes.read_afresh(pid)
        except CaptureError:
            return  # it was quicker: the exec record and its parent say what is left to say
        with self._lock:
            self._at_exec[pid] = time_ns, process

    def forked(self, parent: int, child: int, time_ns: int) -> None:
        del time_ns
        self._threads[child] = _Thread(parent)

    def executed(self, pid: int, file_name: str, time_ns: int) -> None:
        before = self._threads.get(pid)
        entry = self._threads[pid] = _Thread(before.parent if before is not None else 0)
        entry.executed_ns = time_ns
        entry.file_name = file_name

    def exited(self, pid: int, comm: str, time_ns: int) -> None:
        entry = self._threads.get(pid)
        if entry is None:
            return
        entry.ended_ns = time_ns
        process = entry.process
        if process is not None and process.binary == "exe":
            # The file name `/proc/self/exe` says nothing of what it ran; the name at the end does.
            entry.process = msgspec.structs.replace(process, binary=comm)

    def process_of(self, thread: int, time_ns: int) -> Process | None:
        entry = self._threads.get(thread)
        if entry is None:
            entry = self._threads[thread] = _Thread(0)
        if not entry.was_asked:
            entry.was_asked = True
            entry.process = (
                self._as_executed(thread, entry)
                or self._as_now(thread, time_ns)
                or self._as_inherited(thread, entry, time_ns)
            )
        return entry.process

    def expire(self, now_ns: int) -> None:
        """Forget threads that ended a grace time ago, execs nobody asked for, and the oldest."""
        threads = self._threads
        old = [
            thread
            for thread, entry in threads.items()
            if entry.ended_ns and now_ns - entry.ended_ns > _GRACE_NS
        ]
        for thread in old:
            del threads[thread]
        for thread in list(islice(threads, max(0, len(threads) - _MAX_THREADS))):
            del threads[thread]
        with self._lock:
            stale = [pid for pid, (at, _) in self._at_exec.items() if now_ns - at > _GRACE_NS]
            for pid in stale:
                del self._at_exec[pid]
        self._metrics.set(Metric.THREADS, len(threads))

    def _as_executed(self, pid: int, entry: _Thread) -> Process | None:
        with self._lock:
            at_ns, process = self._at_exec.get(pid, (0, None))
        return process if abs(at_ns - entry.executed_ns) <= _SAME_EXEC_NS else None

    def _as_now(self, thread: int, time_ns: int) -> Process | None:
        """The thread's process in `/proc`, unless the thread is gone."""
        try:
            pid = parse_thread_group(self._procfs.read(thread, "status"))
            return self._processes.read(pid, time_ns)
        except CaptureError:
            return None

    def _as_inherited(self, pid: int, entry: _Thread, time_ns: int) -> Process | None:
        """Its parent under its own pid; after an exec with the file's name for a program."""
        if not entry.parent:
            return None
        parent = self.process_of(entry.parent, time_ns)
        if parent is None:
            return None
        if not entry.executed_ns:
            return msgspec.structs.replace(parent, pid=pid)
        return msgspec.structs.replace(
            parent,
            pid=pid,
            binary=entry.file_name.rpartition("/")[2],
            executable=entry.file_name,
            arguments=(),
            environ=(),
        )
