"""Lineage: who a thread was at a moment, for processes that are gone before anybody can ask.

Three sources, the first that knows wins: the process as it was read at its exec (by a process of
ours that the kernel wakes at once), the process as it is now in `/proc`, and what it inherited: a
child that never called exec is its parent under another pid, in the same container. A thread is who
started it.

The starts and ends of processes come in the order of the kernel's buffer, together with the
questions, so a pid that changes hands is two processes here. Once some were lost, all that is known
by pid may be of others, and is asked for anew: in `/proc`, or what was read last at an exec.
"""

import re
from collections.abc import Mapping
from itertools import islice

import msgspec

from connbeat.attribution.processes import ProcessTable
from connbeat.errors import CaptureError
from connbeat.linux.procfs import KeptFiles, ProcFs, parse_strings, parse_thread_group
from connbeat.model.processes import Process
from connbeat.telemetry.metrics import Metric, Metrics

_GRACE_NS = 10_000_000_000
_MAX_THREADS = 50_000
#: Of what was read at execs: a full budget of the exec reader for 4 s, a usual storm for 10.
_MAX_AT_EXEC_BYTES = 16 << 20
#: What the objects of one weigh, beside their bytes.
_RECORD_BYTES = 1000
#: How far the clocks of two buffers may differ for the same exec.
_SAME_EXEC_NS = 1_000_000
#: Parents' parents asked for one thread.
_GENERATIONS = 32

#: What runs itself again (runc, the applets of busybox): the name says nothing of what it runs.
_ITSELF = re.compile(r"/proc/(self|thread-self|\d+)/exe")


class _Thread:
    """What is known of one thread from one exec to the next.

    `process` is None until somebody asked, or if nobody knows; `parent` is who it may inherit from.
    """

    __slots__ = (
        "ended_ns",
        "executed_ns",
        "file_name",
        "is_thread",
        "parent",
        "pid",
        "process",
        "was_asked",
    )

    def __init__(self, pid: int, parent: "_Thread | None", *, is_thread: bool = False) -> None:
        self.pid = pid
        self.parent = parent
        self.is_thread = is_thread
        self.process: Process | None = None
        self.was_asked = False
        self.file_name = ""
        self.executed_ns = 0
        self.ended_ns = 0


class _AtExec(msgspec.Struct, frozen=True, gc=False):
    """What could be read of a process at its exec."""

    time_ns: int
    size: int
    files: KeptFiles


class Lineage:
    """A `ProcessSink`. One thread uses it."""

    def __init__(self, procfs: ProcFs, processes: ProcessTable, metrics: Metrics) -> None:
        self._procfs = procfs
        self._processes = processes
        self._metrics = metrics
        self._threads: dict[int, _Thread] = {}
        #: In the order in which they came.
        self._at_exec: dict[int, _AtExec] = {}
        self._at_exec_bytes = 0

    def read_at_exec(self, pid: int, time_ns: int, files: Mapping[str, bytes | int]) -> None:
        # Parsed if somebody asks: most processes never connect.
        size = _RECORD_BYTES + sum(len(text) for text in files.values() if isinstance(text, bytes))
        self._drop_at_exec(pid)
        self._at_exec[pid] = _AtExec(time_ns, size, KeptFiles(files))
        self._at_exec_bytes += size
        while self._at_exec_bytes > _MAX_AT_EXEC_BYTES:
            self._drop_at_exec(next(iter(self._at_exec)))

    def forked(self, parent: int, child: int, *, is_thread: bool) -> None:
        entry = self._entry(parent)
        if is_thread and entry.is_thread and entry.parent is not None:
            entry = entry.parent  # any thread may start more of them: one process all the same
        self._threads[child] = _Thread(child, entry, is_thread=is_thread)

    def executed(self, pid: int, file_name: str, time_ns: int) -> None:
        before = self._threads.get(pid)
        entry = self._threads[pid] = _Thread(pid, before.parent if before is not None else None)
        entry.executed_ns = time_ns
        entry.file_name = file_name

    def exited(self, pid: int, time_ns: int) -> None:
        entry = self._threads.get(pid)
        if entry is not None:
            entry.ended_ns = time_ns

    def lost(self) -> None:
        self._threads.clear()

    def process_of(self, thread: int, time_ns: int) -> Process | None:
        entry = self._entry(thread)
        if not entry.was_asked:
            self._find(entry, time_ns)
        return entry.process

    def expire(self, now_ns: int) -> None:
        """Forget threads that ended a grace time ago, execs nobody asked for, and the oldest."""
        threads = self._threads
        before_ns = now_ns - _GRACE_NS
        old: list[int] = []
        for thread, entry in threads.items():
            if entry.ended_ns and entry.ended_ns < before_ns:
                old.append(thread)
            elif entry.parent is not None and 0 < entry.parent.ended_ns < before_ns:
                entry.parent = None  # or a chain of forks would keep all its ancestors
        for thread in old:
            del threads[thread]
        for thread in list(islice(threads, max(0, len(threads) - _MAX_THREADS))):
            del threads[thread]
        stale = [pid for pid, noted in self._at_exec.items() if noted.time_ns < before_ns]
        for pid in stale:
            self._drop_at_exec(pid)
        self._metrics.set(Metric.THREADS, len(threads))

    def _drop_at_exec(self, pid: int) -> None:
        noted = self._at_exec.pop(pid, None)
        if noted is not None:
            self._at_exec_bytes -= noted.size

    def _entry(self, thread: int) -> _Thread:
        entry = self._threads.get(thread)
        if entry is None:
            entry = self._threads[thread] = _Thread(thread, None)
        return entry

    def _find(self, entry: _Thread, time_ns: int) -> None:
        """Ask for this thread, then for its parents until one is known; hand that down again."""
        children: list[_Thread] = []
        while not entry.was_asked and len(children) < _GENERATIONS:
            entry.was_asked = True
            parent = entry.parent
            if parent is None or not entry.is_thread:
                entry.process = (
                    self._as_kept(entry, self._kept(entry))
                    or self._as_now(entry, time_ns)
                    or self._as_kept(entry, self._kept_last(entry, time_ns))
                )
            entry.parent = None
            if entry.process is not None or parent is None:
                break
            children.append(entry)
            entry = parent
        process = entry.process
        for child in reversed(children):
            if process is not None:
                process = _inherited(child, process, self._arguments_at_exec(child))
            elif child.is_thread:
                process = self._as_now(child, time_ns)
            child.process = process

    def _kept(self, entry: _Thread) -> KeptFiles | None:
        noted = self._at_exec.get(entry.pid)
        if noted is None or abs(noted.time_ns - entry.executed_ns) > _SAME_EXEC_NS:
            return None
        return noted.files

    def _kept_last(self, entry: _Thread, time_ns: int) -> KeptFiles | None:
        """What was read at the last exec of that pid, if neither its fork nor its exec was seen."""
        noted = self._at_exec.get(entry.pid)
        was_seen = entry.executed_ns or entry.parent is not None
        return None if noted is None or was_seen or noted.time_ns > time_ns else noted.files

    def _as_kept(self, entry: _Thread, files: KeptFiles | None) -> Process | None:
        """The process as it was read, if it did not end meanwhile."""
        try:
            return self._processes.read_kept(files, entry.pid) if files is not None else None
        except CaptureError:
            return None

    def _arguments_at_exec(self, entry: _Thread) -> tuple[str, ...]:
        """What was read first: of a process that ended over the rest."""
        files = self._kept(entry)
        try:
            return parse_strings(files.read(entry.pid, "cmdline")) if files is not None else ()
        except CaptureError:
            return ()

    def _as_now(self, entry: _Thread, time_ns: int) -> Process | None:
        """The thread's process in `/proc`, unless the thread is gone, or was when it was asked for:
        its number may be another's by now.
        """  # noqa: D205  one thought
        if entry.ended_ns and entry.parent is not None:
            return None
        try:
            pid = parse_thread_group(self._procfs.read(entry.pid, "status"))
            return self._processes.read(pid, time_ns)
        except CaptureError:
            return None


def _inherited(child: _Thread, parent: Process, arguments: tuple[str, ...]) -> Process:
    """The parent under its child's pid; after an exec with the file's name for a program, and with
    its arguments if these could be read.
    """  # noqa: D205  one thought
    if child.is_thread:
        return parent
    if not child.executed_ns:
        return msgspec.structs.replace(parent, pid=child.pid)
    is_itself = _ITSELF.fullmatch(child.file_name) is not None
    return msgspec.structs.replace(
        parent,
        pid=child.pid,
        binary=parent.binary if is_itself else child.file_name.rpartition("/")[2],
        executable=parent.executable if is_itself else child.file_name,
        arguments=arguments,
        environ=(),
    )
