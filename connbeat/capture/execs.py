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

from connbeat.capture.traces import EXEC
from connbeat.clock import Clock
from connbeat.errors import CaptureError, Malformed
from connbeat.linux.procfs import ProcFs
from connbeat.linux.ring_buffer import RawEvent, parse_page
from connbeat.linux.tracefs import Tracefs, TraceInstance, compile_fields, page_size
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

#: Execs read a second: at 0.15 ms each 15 % of a core at the very worst.
BUDGET_PER_SECOND = 1000
_BUFFER_KB = 256
_WAIT_SECONDS = 0.5


class ExecReader:
    """The body of a thread: `on_exec(pid, time_ns)` is called for every exec within the budget.

    Raises CaptureError if the instance cannot be made.
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
        self._on_exec = on_exec
        self._clock = clock
        self._metrics = metrics
        self._page_bytes = page_size(tracefs)
        self._pid = compile_fields(tracefs.format(EXEC), ("pid",)).unpack_from
        self._instance = TraceInstance(tracefs, "execs", procfs, _BUFFER_KB)
        self._stopping = threading.Event()
        self._second = 0
        self._left = BUDGET_PER_SECOND
        with contextlib.suppress(CaptureError):  # before 6.1 it wakes at half a buffer: late
            self._instance.set_option("buffer_percent", "0")
        try:
            self._instance.enable(EXEC)
            self._instance.start()
        except CaptureError:
            self._instance.close()
            raise

    def run(self) -> None:
        """Until `stop`. Never raises; an instance that was removed under us ends it."""
        try:
            with select.epoll() as poll:
                for pipe in self._instance.pipes:
                    poll.register(pipe, select.EPOLLIN)
                while not self._stopping.is_set():
                    if poll.poll(_WAIT_SECONDS):
                        self._read()
                    elif not self._instance.exists():
                        log.warning("The exec reader's instance was removed.")
                        return
        except (OSError, CaptureError) as error:
            log.warning("The exec reader ended. error=%s", error)
        finally:
            self._instance.close()

    def stop(self) -> None:
        """From any thread; `run` ends within half a second."""
        self._stopping.set()

    def _read(self) -> None:
        pages, _ = self._instance.read_pages(self._page_bytes, limit=16)
        events: list[RawEvent] = []
        for page in pages:
            with contextlib.suppress(Malformed):
                parse_page(page, events)
        for time_ns, page, offset in events:
            with contextlib.suppress(struct.error):
                pid = self._pid(page, offset)[0]
                if pid != os.getpid() and self._may_read():
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
