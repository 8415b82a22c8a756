"""A queue in memory: bounded by events and bytes, and what is oldest goes when it is full.

Dropping the oldest keeps the present: capture cannot be asked to wait, for the kernel's closed
sockets do not wait either. Events under lease are never dropped, so an output that holds a whole
queue under lease makes the newest events the victims.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence

from connbeat.clock import Clock
from connbeat.model.batches import Batch, Event, Outcome
from connbeat.queue.drops import QUEUE_FULL, Drops
from connbeat.telemetry.metrics import Metric, Metrics

_log = logging.getLogger(__name__)


class MemoryQueue:
    """`Intake` and `Queue` of one output. Thread-safe; only `lease` waits."""

    def __init__(
        self, output: str, metrics: Metrics, clock: Clock, *, max_events: int, max_bytes: int
    ) -> None:
        if max_events < 1 or max_bytes < 1:
            raise ValueError("max_events and max_bytes must be at least 1")
        self._output = output
        self._metrics = metrics
        self._drops = Drops(_log, metrics, clock)
        self._max_events = max_events
        self._max_bytes = max_bytes
        # The condition guards everything below.
        self._changed = threading.Condition()
        self._waiting: deque[Event] = deque()
        self._leased: dict[int, tuple[Event, ...]] = {}
        self._last_lease = 0
        self._events = 0
        self._bytes = 0
        self._is_woken = False
        self._closed_because = ""

    def put(self, events: Sequence[Event]) -> None:
        with self._changed:
            reason = self._closed_because or QUEUE_FULL
            if self._closed_because:
                dropped = len(events)
            else:
                self._waiting.extend(events)
                self._grow(events)
                dropped = self._drop_oldest()
                self._publish()
        if dropped:
            self._drops.count(self._output, reason, dropped)

    def lease(
        self, max_events: int, *, min_events: int = 1, flush_seconds: float = 0.0
    ) -> Batch | None:
        with self._changed:
            if min_events > 0:
                self._await(min(min_events, max_events), flush_seconds)
            self._is_woken = False
            count = min(max_events, len(self._waiting))
            if not count:
                return None
            events = tuple(self._waiting.popleft() for _ in range(count))
            self._last_lease += 1
            self._leased[self._last_lease] = events
            return Batch(lease=self._last_lease, events=events)

    def settle(self, batch: Batch, outcome: Outcome) -> bool:
        with self._changed:
            events = self._leased.pop(batch.lease, None)
            if events is None:
                return False
            stay = _staying(events, outcome)
            self._shrink(events)
            self._grow(stay)
            self._waiting.extendleft(reversed(stay))
            self._publish()
            return True

    def wake(self) -> None:
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def close(self, reason: str) -> int:
        with self._changed:
            if self._closed_because:
                return 0
            self._closed_because = reason
            remaining = self._events
            self._waiting.clear()
            self._leased.clear()
            self._events = self._bytes = 0
            self._publish()
        if remaining:
            self._drops.count(self._output, reason, remaining)
        return remaining

    def __len__(self) -> int:
        return self._events

    @property
    def size_bytes(self) -> int:
        return self._bytes

    @property
    def fill_ratio(self) -> float:
        return max(self._events / self._max_events, self._bytes / self._max_bytes)

    @property
    def oldest_ns(self) -> int | None:
        with self._changed:
            first = [events[0].timestamp_ns for events in self._leased.values()]
            first += [self._waiting[0].timestamp_ns] if self._waiting else []
        return min(first, default=None)

    def _await(self, min_events: int, flush_seconds: float) -> None:
        def is_hurried() -> bool:
            return self._is_woken or bool(self._closed_because)

        self._changed.wait_for(lambda: self._waiting or is_hurried())
        self._changed.wait_for(
            lambda: len(self._waiting) >= min_events or is_hurried(), flush_seconds
        )

    def _drop_oldest(self) -> int:
        dropped = 0
        while self._waiting and (self._events > self._max_events or self._bytes > self._max_bytes):
            self._shrink((self._waiting.popleft(),))
            dropped += 1
        return dropped

    def _grow(self, events: Sequence[Event]) -> None:
        self._events += len(events)
        self._bytes += sum([len(event.body) for event in events])

    def _shrink(self, events: Sequence[Event]) -> None:
        self._events -= len(events)
        self._bytes -= sum([len(event.body) for event in events])

    def _publish(self) -> None:
        self._metrics.set(Metric.QUEUE_EVENTS, self._events, output=self._output)
        self._metrics.set(Metric.QUEUE_BYTES, self._bytes, output=self._output)
        self._changed.notify_all()


def _staying(events: tuple[Event, ...], outcome: Outcome) -> tuple[Event, ...]:
    """What the outcome neither delivered nor dropped, in the order of the batch."""
    if len(outcome.delivered) + len(outcome.dropped) == len(events):
        return ()  # the rule
    gone = {event.id for event in outcome.delivered}
    gone.update(drop.event.id for drop in outcome.dropped)
    return tuple(event for event in events if event.id not in gone)
