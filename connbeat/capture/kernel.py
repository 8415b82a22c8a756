"""Kernel: what the kernel tells by itself, rungs 2 and 3 as one source.

A turn drains the closes first, then notes the time, then reads the trace and folds what is older:
in this order every close finds its trace. A source that fails is closed and opened again later;
what was lost meanwhile a dump heals.
"""

import logging
from collections.abc import Mapping, Sequence

from connbeat.capture.execs import ExecSource
from connbeat.capture.hearing import Hearing
from connbeat.capture.joins import CloseJoiner
from connbeat.capture.ladder import OTHER_PIDS, SWITCHED_OFF, Rung, Standing
from connbeat.capture.transitions import TransitionSource
from connbeat.clock import Clock
from connbeat.errors import CaptureError
from connbeat.linux.procfs import ProcFs
from connbeat.linux.tracefs import Tracefs, open_tracefs
from connbeat.model.targets import Target
from connbeat.model.traces import Close, ProcessSink, Tick, Trace
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

_REOPEN_NS = 30_000_000_000
#: The last turn is a minute ahead: what waits for something younger waits no more.
_LAST_TURN_NS = 60_000_000_000
_MESSAGES_AT_ONCE = 2000


class KernelSource:
    """One thread uses it. `covers` tells for which namespaces it hears every close."""

    def __init__(
        self,
        procfs: ProcFs,
        sink: ProcessSink,
        highest: Rung,
        *,
        clock: Clock,
        metrics: Metrics,
        execs: ExecSource | None = None,
    ) -> None:
        self._procfs = procfs
        self._sink = sink
        self._highest = highest
        self._execs = execs if highest >= Rung.TRANSITIONS else None
        self._clock = clock
        self._metrics = metrics
        self._hearing = Hearing(procfs, metrics)
        self._joiner = CloseJoiner(self._hearing.covers)
        self._tracefs: Tracefs | None = None
        self._transitions: TransitionSource | None = None
        self._transitions_missing = SWITCHED_OFF
        self._retry_ns = 0

    def open(self, now_ns: int) -> None:
        """Open what the policy allows and is not open; what is refused is tried again later."""
        if self._execs is not None:
            self._execs.open(now_ns)
        if now_ns < self._retry_ns:
            return
        self._retry_ns = now_ns + _REOPEN_NS
        if self._highest >= Rung.CLOSES:
            self._hearing.open()
        if self._highest >= Rung.TRANSITIONS and self._transitions is None:
            self._open_transitions()

    def see(self, targets: Mapping[int, Target]) -> None:
        """The namespaces that exist now."""
        self._hearing.see(targets)
        self._joiner.see(self._hearing.known(), self._clock.monotonic_ns())

    def covers(self, where: int) -> bool:
        """Whether every close of this namespace is heard."""
        return self._hearing.covers(where)

    def standing(self, where: int) -> Standing:
        """The rung of a namespace that can be dumped, and what the next one lacks."""
        if not self._hearing.covers(where):
            return Standing(Rung.DUMP, self._hearing.missing or "its closes are not heard yet")
        if self._transitions is None:
            return Standing(Rung.CLOSES, self._transitions_missing)
        return Standing(Rung.TRANSITIONS, "")

    @property
    def has_transitions(self) -> bool:
        return self._transitions is not None

    def tick(self, *, is_last: bool = False) -> Tick:
        """What happened since the last call. A source that fails is given up until `open`.

        What waits for a later turn is told as it is if this is the last.
        """
        heard, is_lossy = self._hearing.hear(is_last=is_last)
        until_ns = self._clock.monotonic_ns()
        if is_lossy or is_last:
            self._joiner.lose(until_ns)
        if not self._hearing.is_open:
            self._joiner.see((), until_ns)
        horizon_ns = until_ns + _LAST_TURN_NS if is_last else until_ns
        if self._execs is not None:  # before the trace asks who it was
            self._execs.drain(self._sink, until_ns)
        is_lossy = self._fold(horizon_ns) or is_lossy
        folder = self._transitions.folder if self._transitions is not None else None
        waiting: dict[int, Trace] = folder.by_cookie if folder is not None else {}
        malformed = self._joiner.malformed
        closes: list[Close] = []
        while heard:  # a message takes as much as what it becomes: let go of it soon
            closes += self._joiner.join(heard[:_MESSAGES_AT_ONCE], waiting, until_ns)
            del heard[:_MESSAGES_AT_ONCE]
        malformed = self._joiner.malformed - malformed
        if malformed:
            self._joiner.lose(until_ns)  # whose they were is not known
        self._metrics.add(Metric.ROWS_MALFORMED, malformed)
        opened: Sequence[Trace] = ()
        failed: Sequence[Trace] = ()
        established: Sequence[Trace] = ()
        if folder is not None:
            closes += self._joiner.late(waiting, horizon_ns, are_heard=self._hearing.is_open)
            opened, failed = folder.take(horizon_ns)
            established = folder.established
        return Tick(closes, opened, failed, is_lossy, established, until_ns)

    def close(self) -> None:
        self._hearing.close()
        self._close_transitions()
        if self._execs is not None:
            self._execs.close()

    def _open_transitions(self) -> None:
        if not self._procfs.has_host_pids():
            self._transitions_missing = OTHER_PIDS
            return
        try:
            self._tracefs = open_tracefs()
            self._tracefs.remove_stale(self._procfs)
            self._transitions = TransitionSource(self._tracefs, self._procfs, self._sink)
            self._transitions_missing = ""
        except CaptureError as error:
            self._transitions_missing = str(error)
            self._close_transitions()

    def _close_transitions(self) -> None:
        if self._transitions is not None:
            self._transitions.close()
            self._transitions = None
        if self._tracefs is not None:
            self._tracefs.close()
            self._tracefs = None

    def _fold(self, until_ns: int) -> bool:
        source = self._transitions
        if source is None:
            return False
        folder = source.folder
        before = (
            source.lost_pages, source.lost_records, source.bad_pages,
            folder.malformed, folder.refused,
        )  # fmt: skip
        try:
            is_lossy = source.fold(until_ns)
        except CaptureError as error:
            log.warning(
                "Transitions are not seen any more; closes and dumps go on. error=%s", error
            )
            self._metrics.add(Metric.SOURCES_LOST, source="transitions")
            self._transitions_missing = str(error)
            self._close_transitions()
            self._sink.lost()
            return True
        after = (
            source.lost_pages, source.lost_records, source.bad_pages,
            folder.malformed, folder.refused,
        )  # fmt: skip
        for metric, old, new in zip(_COUNTED, before, after, strict=True):
            self._metrics.add(metric, new - old)
        return is_lossy


_COUNTED = (
    Metric.TRACE_PAGES_LOST,
    Metric.TRACE_RECORDS_LOST,
    Metric.TRACE_PAGES_BAD,
    Metric.TRACE_RECORDS_MALFORMED,
    Metric.TRACES_REFUSED,
)
