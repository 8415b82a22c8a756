"""Vitals: figures that are worth working out only when somebody looks at them."""

import threading
from collections.abc import Mapping, Sequence

import msgspec

from connbeat.agent.delivery.deliver import DeliveryWorker
from connbeat.clock import Clock
from connbeat.queue.drops import QUEUE_REASONS
from connbeat.queue.protocol import Queue
from connbeat.telemetry.heartbeat import Heartbeat
from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.self_usage import SelfUsage, Usage

#: Who asks more often gets the same again.
_FRESH_NS = 1_000_000_000


class OutputVitals(msgspec.Struct, frozen=True):
    """How an output is: `drop_age_seconds` is None where its queue dropped nothing lately."""

    name: str
    stalled_seconds: float
    fill_ratio: float
    drop_age_seconds: float | None


class Vitals:
    """Every thread may ask; one at a time is served."""

    def __init__(
        self,
        places: Sequence[tuple[DeliveryWorker, Queue]],
        heartbeat: Heartbeat,
        usage: SelfUsage,
        *,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._places = places
        self._heartbeat = heartbeat
        self._usage = usage
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._started_ns = clock.monotonic_ns()
        self._due_ns = 0
        self._dropped: dict[str, float] = {}
        self._last_drop_ns: dict[str, int] = {}
        self._outputs: tuple[OutputVitals, ...] = ()

    def refresh(self) -> None:
        """Bring the gauges up to date. Never raises."""
        with self._lock:
            now_ns = self._clock.monotonic_ns()
            if now_ns < self._due_ns:
                return
            self._due_ns = now_ns + _FRESH_NS
            self._usage.update()
            self._metrics.set(Metric.UPTIME, (now_ns - self._started_ns) / 1e9)
            self._metrics.set(Metric.CAPTURE_AGE, self.capture_age_seconds)
            dropped = self._queue_drops()
            self._outputs = tuple(
                self._look(worker, queue, dropped.get(worker.name, 0), now_ns)
                for worker, queue in self._places
            )

    @property
    def capture_age_seconds(self) -> float:
        return max(0.0, (self._clock.monotonic_ns() - self._heartbeat.last_ns) / 1e9)

    @property
    def has_begun(self) -> bool:
        """Whether capture has brought anything to its end."""
        return self._heartbeat.count > 0

    @property
    def outputs(self) -> tuple[OutputVitals, ...]:
        """As of the last `refresh`."""
        return self._outputs

    @property
    def usage(self) -> Usage:
        """As of the last `refresh`."""
        return self._usage.last

    @property
    def uptime_seconds(self) -> float:
        return (self._clock.monotonic_ns() - self._started_ns) / 1e9

    def _look(
        self, worker: DeliveryWorker, queue: Queue, dropped: float, now_ns: int
    ) -> OutputVitals:
        name = worker.name
        since_ns = worker.trying_since_ns
        stalled = 0.0 if since_ns is None else max(0.0, (now_ns - since_ns) / 1e9)
        oldest_ns = queue.oldest_ns
        age = 0.0 if oldest_ns is None else max(0.0, (self._clock.now_ns() - oldest_ns) / 1e9)
        fill = queue.fill_ratio
        self._metrics.set(Metric.OUTPUT_STALLED, stalled, output=name)
        self._metrics.set(Metric.QUEUE_AGE, age, output=name)
        self._metrics.set(Metric.QUEUE_FILL, fill, output=name)
        if dropped > self._dropped.get(name, 0):
            self._dropped[name] = dropped
            self._last_drop_ns[name] = now_ns
        last_ns = self._last_drop_ns.get(name)
        return OutputVitals(
            name, stalled, fill, None if last_ns is None else (now_ns - last_ns) / 1e9
        )

    def _queue_drops(self) -> Mapping[str, float]:
        """By output, what its queue gave up."""
        found: dict[str, float] = {}
        for sample in self._metrics.samples():
            if sample.metric is Metric.EVENTS_DROPPED and sample.labels[1] in QUEUE_REASONS:
                found[sample.labels[0]] = found.get(sample.labels[0], 0) + sample.value
        return found
