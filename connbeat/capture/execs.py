"""Rung 3, the processes that live a few milliseconds: read at their exec, while they are there.

A process of its own reads them (`exec_program`); the capture thread takes what it told before it
folds the trace that asks for it. If it ends it is started again, soon and then ever later.
"""

import logging
from collections.abc import Callable

from connbeat.capture.exec_child import ExecChild
from connbeat.capture.exec_record import CAUSES, unpack_record
from connbeat.errors import CaptureError, Malformed
from connbeat.model.traces import ProcessSink
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

_FIRST_RETRY_NS = 1_000_000_000
_LAST_RETRY_NS = 30_000_000_000


class ExecSource:
    """The exec reader. One thread uses it, but for `pid`.

    `start` makes its process and raises CaptureError where that is not possible.
    """

    def __init__(self, start: Callable[[], ExecChild], metrics: Metrics) -> None:
        self._start = start
        self._metrics = metrics
        self._child: ExecChild | None = None
        self._losses = [0] * len(CAUSES)
        self._delay_ns = _FIRST_RETRY_NS
        self._retry_ns = self._proven_ns = 0

    @property
    def pid(self) -> int:
        """Of its process, 0 if there is none. Any thread may ask."""
        child = self._child
        return child.pid if child is not None else 0

    def open(self, now_ns: int) -> None:
        """Start it if it does not run and the time has come. Never raises."""
        if self._child is not None or now_ns < self._retry_ns:
            return
        try:
            self._child = self._start()
        except CaptureError as error:
            log.debug("Processes are not read at their exec. error=%s", error)
            self._wait(now_ns)
            return
        self._losses = [0] * len(CAUSES)
        self._proven_ns = now_ns + _LAST_RETRY_NS
        log.debug("Processes are read at their exec. pid=%d", self._child.pid)

    def drain(self, sink: ProcessSink, now_ns: int) -> None:
        """Hand on what it told since the last time. Never raises."""
        if self._child is None:
            return
        try:
            self._hand_on(self._child, sink)
        except CaptureError as error:
            log.warning("Processes are not read at their exec for now. error=%s", error)
            self._metrics.add(Metric.SOURCES_LOST, source="execs")
            self.close()
            if now_ns >= self._proven_ns:
                self._delay_ns = _FIRST_RETRY_NS
            self._wait(now_ns)

    def close(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None

    def _wait(self, now_ns: int) -> None:
        self._retry_ns = now_ns + self._delay_ns
        self._delay_ns = min(2 * self._delay_ns, _LAST_RETRY_NS)

    def _hand_on(self, child: ExecChild, sink: ProcessSink) -> None:
        is_silent = True
        for message in child.receive():
            is_silent = False
            try:
                pid, time_ns, losses, files = unpack_record(message)
            except ValueError as error:
                raise Malformed(f"the exec reader told {error}") from error
            if losses != self._losses:
                self._count(losses)
            if pid:
                sink.read_at_exec(pid, time_ns, files)
        if is_silent and not child.is_recording():
            raise CaptureError("its instance was removed or switched off")

    def _count(self, losses: list[int]) -> None:
        for cause, new, old in zip(CAUSES, losses, self._losses, strict=True):
            if new > old:
                self._metrics.add(Metric.EXECS_LOST, new - old, cause=cause)
        self._losses = losses
