"""Rung 3, the processes that live a few milliseconds: read at their exec, while they are there.

A second, small instance that records execs only and wakes its reader at each one
(`buffer_percent` 0). The reader is a thread of its own; what it does per exec is bounded by a
budget a second, so that a storm of execs costs names, not the host.
"""

import contextlib
import logging
import os
import select
import struct
import threading
from collections.abc import Callable

from connbeat.capture.formats import EXEC
from connbeat.clock import Clock
from connbeat.errors import CaptureError, Malformed
from connbeat.linux.procfs import ProcFs
from connbeat.linux.ring_buffer import RawEvent, parse_page
from connbeat.linux.tracefs import Tracefs, TraceInstance, compile_fields, open_tracefs, page_size
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

#: Execs read a second: at 0.15 ms each 15 % of a core at the very worst.
BUDGET_PER_SECOND = 1000
_BUFFER_KB = 256
_PAGES = 16
_WAIT_SECONDS = 0.5
_PAUSE_SECONDS = 0.05
_REOPEN_SECONDS = 30.0


class ExecReader:
    """The body of a thread: `on_exec(pid, time_ns)` is called for every exec within the budget.

    It owns `tracefs`. Making it raises CaptureError if the instance cannot be made; one that is
    lost later is made again.
    """

    def __init__(
        self,
        tracefs: Tracefs,
        procfs: ProcFs,
        on_exec: Callable[[int, int], None],
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._procfs = procfs
        self._on_exec = on_exec
        self._clock = clock
        self._metrics = metrics
        self._own_pid = os.getpid()
        self._stopping = threading.Event()
        self._second = 0
        self._left = BUDGET_PER_SECOND
        self._open(tracefs)

    def run(self) -> None:
        """Until `stop`. Never raises."""
        while not self._stopping.is_set():
            try:
                self._follow()
            except (OSError, CaptureError) as error:
                log.warning("Processes are not read at their exec any more. error=%s", error)
                self._metrics.add(Metric.SOURCES_LOST, source="execs")
            self._close()
            self._reopen()
        self._close()

    def stop(self) -> None:
        """From any thread; `run` ends within half a second."""
        self._stopping.set()

    def _open(self, tracefs: Tracefs) -> None:
        self._tracefs = tracefs
        try:
            self._page_bytes = page_size(tracefs)
            event = tracefs.format(EXEC)
            self._kind = event.id
            self._pid = compile_fields(event, ("pid",)).unpack_from
            self._instance = TraceInstance(tracefs, "execs", self._procfs, _BUFFER_KB)
        except CaptureError:
            tracefs.close()
            raise
        with contextlib.suppress(CaptureError):  # before 6.1 it wakes at half a buffer: late
            self._instance.set_option("buffer_percent", "0")
        try:
            self._instance.enable(EXEC)
            self._instance.start()
        except CaptureError:
            self._close()
            raise

    def _close(self) -> None:
        self._instance.close()
        self._tracefs.close()

    def _reopen(self) -> None:
        while not self._clock.wait(self._stopping, _REOPEN_SECONDS):
            try:
                self._open(open_tracefs())
            except CaptureError as error:
                log.debug("Processes are not read at their exec yet. error=%s", error)
            else:
                return

    def _follow(self) -> None:
        """Until `stop`. Raises CaptureError once the instance records no more."""
        with select.epoll() as poll:
            for pipe in self._instance.pipes:
                poll.register(pipe, select.EPOLLIN)
            while not self._stopping.is_set():
                if poll.poll(_WAIT_SECONDS) and self._read():
                    continue
                if not self._instance.is_recording():
                    raise CaptureError("the instance was removed or switched off")
                self._stopping.wait(_PAUSE_SECONDS)

    def _read(self) -> bool:
        """Hand on what is there; whether there was anything."""
        pages = self._instance.read_pages(self._page_bytes, _PAGES)
        events: list[RawEvent] = []
        for page in pages:
            with contextlib.suppress(Malformed):
                parse_page(page, events)
        for time_ns, kind, page, offset in events:
            if kind == self._kind:
                with contextlib.suppress(struct.error):
                    self._hand_on(self._pid(page, offset)[0], time_ns)
        return bool(pages)

    def _hand_on(self, pid: int, time_ns: int) -> None:
        if pid != self._own_pid and self._may_read():
            self._on_exec(pid, time_ns)

    def _may_read(self) -> bool:
        second = self._clock.monotonic_ns() // 1_000_000_000
        if second != self._second:
            self._second = second
            self._left = BUDGET_PER_SECOND
        if self._left <= 0:
            self._metrics.add(Metric.EXECS_OVER_BUDGET)
            return False
        self._left -= 1
        return True
