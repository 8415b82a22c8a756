from typing import cast

from connbeat.agent.delivery.deliver import DeliveryWorker
from connbeat.agent.monitoring.vitals import Vitals
from connbeat.queue.drops import QUEUE_FULL
from connbeat.queue.memory import MemoryQueue
from connbeat.telemetry.heartbeat import Heartbeat
from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.self_usage import SelfUsage
from tests.deliveries import FakeClock, events


class FakeWorker:
    name = "out"
    trying_since_ns: int | None = None


class Stage:
    """Vitals of one output, whose queue holds four events."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.heartbeat = Heartbeat(self.clock.monotonic)
        self.worker = FakeWorker()
        self.queue = MemoryQueue("out", self.metrics, self.clock, max_events=4, max_bytes=10_000)
        self.vitals = Vitals(
            [(cast(DeliveryWorker, self.worker), self.queue)],
            self.heartbeat,
            SelfUsage(self.metrics, lambda: 0),
            metrics=self.metrics,
            clock=self.clock,
        )

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.vitals.refresh()


def test_ages_grow_with_the_time() -> None:
    stage = Stage()
    stage.worker.trying_since_ns = stage.clock.monotonic
    stage.pass_time(5)
    assert stage.metrics.get(Metric.UPTIME) == 5
    assert stage.metrics.get(Metric.CAPTURE_AGE) == 5
    assert stage.metrics.get(Metric.OUTPUT_STALLED, output="out") == 5
    begun = [stage.vitals.has_begun]
    stage.heartbeat.beat(stage.clock.monotonic)
    stage.worker.trying_since_ns = None
    stage.pass_time(2)
    assert [*begun, stage.vitals.has_begun] == [False, True]
    assert stage.metrics.get(Metric.CAPTURE_AGE) == 2
    assert stage.vitals.outputs[0].stalled_seconds == 0


def test_a_queue_tells_how_full_it_is_and_how_old_its_oldest_event() -> None:
    stage = Stage()
    stage.queue.put(events(2, first=stage.clock.monotonic))
    stage.pass_time(3)
    assert stage.metrics.get(Metric.QUEUE_FILL, output="out") == 0.5
    assert stage.metrics.get(Metric.QUEUE_AGE, output="out") == 3
    stage.queue.close("test")
    stage.pass_time(3)
    assert stage.metrics.get(Metric.QUEUE_AGE, output="out") == 0


def test_what_a_queue_drops_is_remembered_with_its_time_and_what_an_output_drops_is_not() -> None:
    stage = Stage()
    stage.metrics.add(Metric.EVENTS_DROPPED, output="out", reason="refused")
    stage.pass_time(5)
    seen = [stage.vitals.outputs[0].drop_age_seconds]
    stage.metrics.add(Metric.EVENTS_DROPPED, output="out", reason=QUEUE_FULL)
    stage.pass_time(5)
    stage.pass_time(5)
    seen.append(stage.vitals.outputs[0].drop_age_seconds)
    stage.metrics.add(Metric.EVENTS_DROPPED, output="out", reason=QUEUE_FULL)
    stage.pass_time(5)
    seen.append(stage.vitals.outputs[0].drop_age_seconds)
    assert seen == [None, 5, 0]


def test_who_asks_too_often_gets_the_same_again() -> None:
    stage = Stage()
    stage.pass_time(5)
    stage.pass_time(0.5)
    assert stage.metrics.get(Metric.UPTIME) == 5
    assert stage.vitals.uptime_seconds == 5.5
    stage.pass_time(0.5)
    assert stage.metrics.get(Metric.UPTIME) == 6


def test_the_process_own_figures_are_there_after_a_refresh() -> None:
    stage = Stage()
    assert stage.vitals.usage.memory_bytes == 0
    stage.pass_time(5)
    assert stage.vitals.usage.memory_bytes == stage.metrics.get(Metric.MEMORY_BYTES) > 0
