"""What a delivery worker says and counts: numbers for every event, lines only for news."""

import enum
import logging
from collections import Counter

import msgspec

from connbeat.clock import Clock
from connbeat.model.batches import Batch, Outcome
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metric, Metrics

_log = logging.getLogger(__name__)

_LOST = "Events were given up and are lost. output=%s reason=%s count=%d detail=%s"
_KEPT = "Events were given up and are dead letters. output=%s reason=%s count=%d detail=%s"


class Failure(enum.StrEnum):
    """Whose fault it is that nothing arrived: the destination's, or our own."""

    TRANSIENT = "transient"
    UNEXPECTED = "unexpected"


class DeliveryCounts(msgspec.Struct, frozen=True):
    """What became of an output's events since the start."""

    delivered: int
    retried: int
    dropped: int


class DeliveryReport:
    """The log lines and metrics of one output. Its worker's thread calls it.

    `trying_since_ns` is for everybody: when the output began to try what has brought nothing
    through so far, None if it does not try or has no trouble.
    """

    def __init__(self, output: str, metrics: Metrics, clock: Clock) -> None:
        self._output = output
        self._metrics = metrics
        self._clock = clock
        self._lines = RateLimited(_log, clock)
        self._trouble: Failure | None = None
        self._began_ns = 0
        self.trying_since_ns: int | None = None
        for metric in (Metric.EVENTS_DELIVERED, Metric.EVENTS_RETRIED):
            metrics.add(metric, 0, output=output)  # lest the first increase is seen by nobody

    def sending(self, batch: Batch) -> None:
        """The output gets a batch; `sent` follows, whatever becomes of it."""
        self._began_ns = self._clock.monotonic_ns()
        self._is_trying()
        self._metrics.set(Metric.EVENTS_IN_FLIGHT, len(batch.events), output=self._output)
        self._add(Metric.SENT_BYTES, sum([len(event.body) for event in batch.events]))

    def sent(self) -> None:
        self._metrics.set(Metric.EVENTS_IN_FLIGHT, 0, output=self._output)
        seconds = (self._clock.monotonic_ns() - self._began_ns) / 1e9
        self._metrics.observe(Metric.BATCH_SECONDS, seconds, output=self._output)

    def failed(self, kind: Failure, error: Exception) -> None:
        """A call failed as a whole. A line only if the trouble is new: the next will fail, too."""
        self._metrics.add(Metric.OUTPUT_FAILURES, output=self._output, kind=kind)
        self._is_trying()
        if kind is self._trouble:
            return
        self._trouble = kind
        if kind is Failure.UNEXPECTED:
            _log.error(
                "The output failed unexpectedly; its events wait. output=%s error=%r",
                self._output,
                error,
                exc_info=error,
            )
        else:
            _log.warning(
                "The output takes no events; they wait. output=%s error=%s", self._output, error
            )

    def worked(self) -> None:
        """Something arrived. A line only if that is news."""
        self.trying_since_ns = None
        if self._trouble:
            self._trouble = None
            _log.info("The output takes events again. output=%s", self._output)

    def settled(self, outcome: Outcome, *, filtered: int = 0, is_kept: bool = False) -> None:
        """A batch left the queue, or part of it. `is_kept`: what was dropped is a dead letter."""
        self._add(Metric.EVENTS_FILTERED, filtered)
        self._add(Metric.EVENTS_DELIVERED, len(outcome.delivered))
        self._add(Metric.EVENTS_RETRIED, len(outcome.retry))
        details = {drop.reason: drop.detail for drop in outcome.dropped}
        for reason, count in Counter(drop.reason for drop in outcome.dropped).items():
            self._add(Metric.EVENTS_DROPPED, count, reason=reason)
            write, message = self._lines.error, _LOST
            if is_kept:
                write, message = self._lines.warning, _KEPT
            write(message, self._output, reason, count, details[reason], key=reason)

    def counts(self) -> DeliveryCounts:
        return DeliveryCounts(
            delivered=self._total(Metric.EVENTS_DELIVERED),
            retried=self._total(Metric.EVENTS_RETRIED),
            dropped=self._total(Metric.EVENTS_DROPPED),
        )

    def _is_trying(self) -> None:
        if self.trying_since_ns is None:
            self.trying_since_ns = self._clock.monotonic_ns()

    def _add(self, metric: Metric, count: int, **labels: str) -> None:
        if count:
            self._metrics.add(metric, count, output=self._output, **labels)

    def _total(self, metric: Metric) -> int:
        values = (
            sample.value
            for sample in self._metrics.samples()
            if sample.metric is metric and sample.labels[0] == self._output
        )
        return int(sum(values))
