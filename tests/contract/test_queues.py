"""What every queue promises (connbeat/queue/protocol.py), held against each of them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from connbeat.model.batches import Batch, Drop, Event, Outcome
from connbeat.queue.disk import DiskPlace, DiskPolicy, DiskQueue
from connbeat.queue.memory import MemoryQueue
from connbeat.queue.protocol import Intake, Queue
from connbeat.telemetry.metrics import Metrics
from tests.deliveries import FakeClock, events, ids

#: Nothing here should take this long; a lease that never returns fails the test.
PATIENCE = 10.0


class Place(Intake, Queue, Protocol):
    """Both sides of one queue."""


class OnDisk:
    """The place of the only output of a spool, with the spool's intake in front of it."""

    def __init__(self, directory: Path) -> None:
        policy = DiskPolicy(commit_seconds=0.001)
        self._spool = DiskQueue(directory, ["out"], policy, metrics=Metrics(), clock=FakeClock())
        self._spool.start()
        self._place: DiskPlace = self._spool.place("out")
        self.lease, self.settle = self._place.lease, self._place.settle
        self.wake, self.close = self._place.wake, self._place.close

    def put(self, put: Sequence[Event]) -> None:
        self._spool.put(put)

    def __len__(self) -> int:
        return len(self._place)

    @property
    def size_bytes(self) -> int:
        return self._place.size_bytes

    @property
    def fill_ratio(self) -> float:
        return self._place.fill_ratio

    @property
    def oldest_ns(self) -> int | None:
        return self._place.oldest_ns

    def end(self) -> None:
        self._spool.close()


def in_memory(_: Path) -> Place:
    return MemoryQueue("out", Metrics(), FakeClock(), max_events=10_000, max_bytes=1 << 20)


@pytest.fixture(params=[in_memory, OnDisk])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place: Place = request.param(tmp_path)
    yield place
    place.close("test")
    if isinstance(place, OnDisk):
        place.end()


def take(queue: Queue, max_events: int = 1000) -> list[str]:
    batch = queue.lease(max_events, min_events=0)
    return ids(batch.events) if batch else []


def lease(queue: Queue, count: int) -> Batch:
    """So many events, as soon as that many can be had."""
    batch = queue.lease(count, min_events=count, flush_seconds=PATIENCE)
    assert batch is not None
    return batch


def put_back(queue: Queue) -> None:
    """Lease what is there and give it back: from now on it is there also on disk."""
    batch = queue.lease(1000)
    assert batch is not None
    queue.settle(batch, Outcome(retry=batch.events))


def in_thread(call: Callable[[], Batch | None]) -> Callable[[], Batch | None]:
    """Start the call; what is returned waits for its result."""
    results: list[Batch | None] = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()

    def wait() -> Batch | None:
        thread.join(PATIENCE)
        assert results, "the lease did not return"
        return results[0]

    return wait


def test_first_in_first_out(queue: Place) -> None:
    queue.put(events(2))
    queue.put(events(2, first=2))
    assert take(queue, 3) == ["e0", "e1", "e2"]
    assert take(queue, 3) == ["e3"]
    assert take(queue) == []


def test_leases_have_different_numbers_and_no_event_in_common(queue: Place) -> None:
    queue.put(events(4))
    one, other = queue.lease(2), queue.lease(2)
    assert one is not None
    assert other is not None
    assert one.lease != other.lease
    assert not set(ids(one.events)) & set(ids(other.events))


def test_an_event_counts_until_it_is_settled(queue: Place) -> None:
    queue.put(events(3))
    size = queue.size_bytes
    batch = queue.lease(3)
    assert batch is not None
    assert (len(queue), queue.size_bytes) == (3, size)
    one, two, three = batch.events
    assert queue.settle(batch, Outcome((one,), (two,), (Drop(three, "refused"),)))
    assert (len(queue), queue.size_bytes) == (1, len(two.body))


def test_what_is_retried_comes_before_what_came_later(queue: Place) -> None:
    queue.put(events(3))
    batch = queue.lease(3)
    assert batch is not None
    queue.put(events(1, first=3))
    queue.settle(batch, Outcome(batch.events[1:2], batch.events[::2]))
    assert take(queue) == ["e0", "e2", "e3"]


def test_a_lease_waits_for_the_first_event(queue: Place) -> None:
    result = in_thread(lambda: queue.lease(10))
    queue.put(events(1))
    batch = result()
    assert batch is not None
    assert ids(batch.events) == ["e0"]


def test_a_lease_waits_for_enough_events(queue: Place) -> None:
    result = in_thread(lambda: queue.lease(10, min_events=3, flush_seconds=PATIENCE * 2))
    for number in range(3):
        queue.put(events(1, first=number))
    batch = result()
    assert batch is not None
    assert len(batch.events) == 3


def test_more_than_a_batch_holds_is_not_waited_for(queue: Place) -> None:
    queue.put(events(2))
    result = in_thread(lambda: queue.lease(2, min_events=50, flush_seconds=PATIENCE * 2))
    batch = result()
    assert batch is not None
    assert len(batch.events) == 2


def test_too_few_events_are_given_when_the_time_is_up(queue: Place) -> None:
    queue.put(events(1))
    batch = queue.lease(10, min_events=3, flush_seconds=0.01)
    assert batch is not None
    assert len(batch.events) == 1


def test_waking_ends_the_wait_for_the_first_event(queue: Place) -> None:
    result = in_thread(lambda: queue.lease(10))
    queue.wake()
    assert result() is None


def test_waking_ends_the_wait_for_more_and_gives_what_is_there(queue: Place) -> None:
    queue.put(events(1))
    put_back(queue)
    result = in_thread(lambda: queue.lease(10, min_events=3, flush_seconds=PATIENCE * 2))
    queue.wake()
    batch = result()
    assert batch is not None
    assert len(batch.events) == 1


def test_waking_is_good_for_one_lease(queue: Place) -> None:
    queue.wake()
    assert queue.lease(10) is None
    result = in_thread(lambda: queue.lease(10))
    queue.put(events(1))
    assert result() is not None


def test_closing_ends_the_wait_and_the_lease(queue: Place) -> None:
    queue.put(events(2))
    held = queue.lease(1)
    assert held is not None
    assert queue.close("shutdown") == 2
    assert queue.lease(10) is None
    assert not queue.settle(held, Outcome(delivered=held.events))


def test_closing_wakes_who_waits(queue: Place) -> None:
    result = in_thread(lambda: queue.lease(10))
    assert queue.close("shutdown") == 0
    assert result() is None


def test_putting_after_the_close_does_not_raise(queue: Place) -> None:
    queue.close("shutdown")
    queue.put(events(2))
    assert take(queue) == []


def test_the_oldest_event_is_known_while_it_is_there_leased_or_not(queue: Place) -> None:
    seen = [queue.oldest_ns]
    queue.put(events(4, first=7))
    seen.append(queue.oldest_ns)
    first, second = lease(queue, 2), lease(queue, 2)
    queue.settle(second, Outcome(delivered=second.events))
    seen.append(queue.oldest_ns)
    queue.settle(first, Outcome(delivered=first.events[:1]))
    seen.append(queue.oldest_ns)
    queue.put(events(1, first=20))
    again = lease(queue, 2)
    queue.settle(again, Outcome(delivered=again.events))
    seen.append(queue.oldest_ns)
    assert seen == [None, 7, 7, 8, None]


def test_a_queue_is_the_fuller_the_more_is_in_it_and_empty_when_all_is_gone(queue: Place) -> None:
    assert queue.fill_ratio == 0
    seen = []
    for first in (0, 100):
        queue.put(events(100, first=first))
        batch = lease(queue, 100)
        queue.settle(batch, Outcome(retry=batch.events))
        seen.append(queue.fill_ratio)
    assert 0 < seen[0] < seen[1] < 1
    batch = lease(queue, 200)
    queue.settle(batch, Outcome(delivered=batch.events))
    assert queue.fill_ratio == 0


def test_putting_nothing_is_nothing(queue: Place) -> None:
    queue.put(())
    assert len(queue) == 0
    assert take(queue) == []
