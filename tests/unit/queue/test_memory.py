import logging
import threading
from collections import deque

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connbeat.model.batches import Batch, Drop, Event, Outcome
from connbeat.queue.drops import QUEUE_FULL
from connbeat.queue.memory import MemoryQueue
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock, event, events, ids


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def make(metrics: Metrics, max_events: int = 10, max_bytes: int = 1000) -> MemoryQueue:
    return MemoryQueue("out", metrics, FakeClock(), max_events=max_events, max_bytes=max_bytes)


def lease(queue: MemoryQueue, max_events: int = 100) -> Batch:
    batch = queue.lease(max_events, min_events=0)
    assert batch is not None
    return batch


def dropped(metrics: Metrics, reason: str = QUEUE_FULL) -> float:
    return metrics.get(Metric.EVENTS_DROPPED, output="out", reason=reason)


def test_a_full_queue_drops_the_oldest_and_counts_them(metrics: Metrics) -> None:
    queue = make(metrics, max_events=3)
    queue.put(events(5))
    assert ids(lease(queue).events) == ["e2", "e3", "e4"]
    assert dropped(metrics) == 2


def test_bytes_are_a_limit_of_their_own(metrics: Metrics) -> None:
    queue = make(metrics, max_bytes=100)
    queue.put([event(0, b"x" * 60), event(1, b"x" * 60)])
    assert ids(lease(queue).events) == ["e1"]
    assert queue.size_bytes == 60


def test_an_event_larger_than_the_queue_is_dropped_and_spares_the_next(metrics: Metrics) -> None:
    queue = make(metrics, max_bytes=100)
    queue.put([event(0, b"x" * 101)])
    queue.put([event(1, b"x")])
    assert ids(lease(queue).events) == ["e1"]
    assert dropped(metrics) == 1


def test_events_under_lease_are_never_dropped_but_take_room(metrics: Metrics) -> None:
    queue = make(metrics, max_events=3)
    queue.put(events(3))
    batch = lease(queue)
    queue.put(events(2, first=3))
    assert dropped(metrics) == 2
    queue.settle(batch, Outcome(retry=batch.events))
    assert ids(lease(queue).events) == ["e0", "e1", "e2"]


def test_what_is_retried_goes_to_the_front_in_order(metrics: Metrics) -> None:
    queue = make(metrics)
    queue.put(events(4))
    batch = lease(queue, 3)
    zero, one, two = batch.events
    queue.settle(batch, Outcome(delivered=(one,), retry=(two, zero)))
    assert ids(lease(queue).events) == ["e0", "e2", "e3"]


def test_an_event_the_outcome_forgot_is_sent_again(metrics: Metrics) -> None:
    queue = make(metrics)
    queue.put(events(3))
    batch = lease(queue)
    queue.settle(batch, Outcome(delivered=batch.events[:1]))
    assert ids(lease(queue).events) == ["e1", "e2"]


def test_settling_twice_changes_nothing(metrics: Metrics) -> None:
    queue = make(metrics)
    queue.put(events(2))
    batch = lease(queue)
    assert queue.settle(batch, Outcome(delivered=batch.events))
    assert not queue.settle(batch, Outcome(retry=batch.events))
    assert len(queue) == 0


def test_what_remains_at_the_close_is_dropped_for_that_reason(metrics: Metrics) -> None:
    queue = make(metrics)
    queue.put(events(4))
    batch = lease(queue, 1)
    assert queue.close("shutdown") == 4
    assert dropped(metrics, "shutdown") == 4
    assert not queue.settle(batch, Outcome(delivered=batch.events))
    assert queue.close("again") == 0


def test_what_comes_after_the_close_is_dropped_for_the_same_reason(metrics: Metrics) -> None:
    queue = make(metrics)
    queue.close("output_gone")
    queue.put(events(2))
    assert dropped(metrics, "output_gone") == 2
    assert len(queue) == 0


def test_the_gauges_follow(metrics: Metrics) -> None:
    queue = make(metrics)
    queue.put(events(3))
    batch = lease(queue)
    assert metrics.get(Metric.QUEUE_EVENTS, output="out") == 3
    assert metrics.get(Metric.QUEUE_BYTES, output="out") == 3 * len(b'{"n":0}')
    queue.settle(batch, Outcome(delivered=batch.events))
    assert metrics.get(Metric.QUEUE_EVENTS, output="out") == 0
    assert metrics.get(Metric.QUEUE_BYTES, output="out") == 0


def test_a_thousand_drops_are_one_line(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    queue = make(metrics, max_events=1)
    with caplog.at_level(logging.ERROR):
        for number in range(1000):
            queue.put([event(number)])
    assert [record.getMessage() for record in caplog.records] == [
        "Events left the queue unsent and are lost. output=out reason=queue_full count=1 total=1"
    ]


@pytest.mark.parametrize("limits", [{"max_events": 0}, {"max_bytes": 0}])
def test_a_queue_without_room_cannot_be_made(metrics: Metrics, limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        make(metrics, **limits)


def test_many_threads_lose_and_double_nothing(metrics: Metrics) -> None:
    queue = make(metrics, max_events=100_000, max_bytes=1 << 30)
    delivered: list[str] = []

    def produce(first: int) -> None:
        for number in range(first, first + 1000, 10):
            queue.put(events(10, first=number))

    def consume() -> None:
        refuse = True
        while (batch := queue.lease(64)) is not None:
            cut = len(batch.events) // 2 if refuse else len(batch.events)
            refuse = not refuse
            queue.settle(batch, Outcome(batch.events[:cut], batch.events[cut:]))
            delivered.extend(ids(batch.events[:cut]))
            if len(delivered) == 4000:
                return

    threads = [threading.Thread(target=produce, args=(first,)) for first in range(0, 4000, 1000)]
    threads.append(threading.Thread(target=consume))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(delivered) == sorted(ids(events(4000)))
    assert len(queue) == 0
    assert queue.size_bytes == 0


class QueueAgainstModel(RuleBasedStateMachine):
    """The queue against lists that are searched from end to end."""

    MAX_EVENTS = 6
    MAX_BYTES = 40

    def __init__(self) -> None:
        super().__init__()
        self.metrics = Metrics()
        self.queue = make(self.metrics, self.MAX_EVENTS, self.MAX_BYTES)
        self.waiting: deque[Event] = deque()
        self.leases: list[Batch] = []
        self.taken = 0
        self.delivered = 0
        self.dropped = 0
        self.is_closed = False

    def held(self) -> list[Event]:
        return [*self.waiting, *(one for batch in self.leases for one in batch.events)]

    def is_over(self) -> bool:
        size = sum(len(one.body) for one in self.held())
        return len(self.held()) > self.MAX_EVENTS or size > self.MAX_BYTES

    @rule(sizes=st.lists(st.integers(1, 45), max_size=8))
    def put(self, sizes: list[int]) -> None:
        put = [event(self.taken + n, b"x" * size) for n, size in enumerate(sizes)]
        self.queue.put(put)
        self.taken += len(put)
        if self.is_closed:
            return
        self.waiting.extend(put)
        while self.waiting and self.is_over():
            self.waiting.popleft()

    @rule(count=st.integers(1, 8))
    def lease(self, count: int) -> None:
        batch = self.queue.lease(count, min_events=0)
        expected = [self.waiting.popleft() for _ in range(min(count, len(self.waiting)))]
        assert ids(batch.events if batch else ()) == ids(expected)
        if batch:
            self.leases.append(batch)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        batch = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        fates = [data.draw(st.sampled_from("dra")) for _ in batch.events]
        by_fate = {
            fate: tuple(one for one, its in zip(batch.events, fates, strict=True) if its == fate)
            for fate in "dra"
        }
        drops = tuple(Drop(one, "refused") for one in by_fate["a"])
        assert self.queue.settle(batch, Outcome(by_fate["d"], by_fate["r"], drops))
        self.waiting.extendleft(reversed(by_fate["r"]))
        self.delivered += len(by_fate["d"])
        self.dropped += len(drops)

    @rule()
    def close(self) -> None:
        self.queue.close("shutdown")
        self.waiting.clear()
        self.leases.clear()
        self.is_closed = True

    @invariant()
    def the_bounds_hold(self) -> None:
        assert len(self.queue) == len(self.held()) <= self.MAX_EVENTS
        assert self.queue.size_bytes == sum(len(one.body) for one in self.held()) <= self.MAX_BYTES

    @invariant()
    def every_event_is_accounted_for(self) -> None:
        lost = self.metrics.total(Metric.EVENTS_DROPPED)
        assert self.taken == self.delivered + self.dropped + lost + len(self.queue)


TestQueueAgainstModel = QueueAgainstModel.TestCase
