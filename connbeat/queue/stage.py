"""Stage: events in memory that wait to be written. Pure; whoever owns it guards it."""

import itertools
from collections import deque
from collections.abc import Sequence

from connbeat.model.batches import Event


class Stage:
    """First in, first out, bounded by events and bytes; what is oldest goes when it is full.

    What was taken for writing counts against the bounds, and cannot be dropped, until the writer
    says what became of it.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._waiting: deque[Event] = deque()
        self._taken: tuple[Event, ...] = ()
        self.events = 0
        self.size_bytes = 0

    def put(self, events: Sequence[Event]) -> int:
        """Add the events; how many had to go for them."""
        self._waiting.extend(events)
        self.events += len(events)
        self.size_bytes += sum([len(event.body) for event in events])
        dropped = 0
        while self._waiting and self._is_over():
            self._leaves(self._waiting.popleft())
            dropped += 1
        return dropped

    @property
    def fill_ratio(self) -> float:
        return max(self.events / self._max_events, self.size_bytes / self._max_bytes)

    @property
    def oldest_ns(self) -> int | None:
        """The timestamp of the oldest event."""
        first = self._taken[:1] or tuple(itertools.islice(self._waiting, 1))
        return first[0].timestamp_ns if first else None

    def take(self, max_events: int, max_bytes: int) -> tuple[Event, ...]:
        """The oldest events for writing: at least one if there is one, else within both bounds."""
        size = 0
        taken: list[Event] = []
        while self._waiting and len(taken) < max_events:
            size += len(self._waiting[0].body)
            if taken and size > max_bytes:
                break
            taken.append(self._waiting.popleft())
        self._taken = tuple(taken)
        return self._taken

    def written(self) -> None:
        """What was taken is on disk."""
        for event in self._taken:
            self._leaves(event)
        self._taken = ()

    def give_back(self) -> None:
        """What was taken could not be written: it is the oldest again."""
        self._waiting.extendleft(reversed(self._taken))
        self._taken = ()

    def clear(self) -> int:
        """Give everything up; how many events that were."""
        dropped = self.events
        self._waiting.clear()
        self._taken = ()
        self.events = self.size_bytes = 0
        return dropped

    def _is_over(self) -> bool:
        return self.events > self._max_events or self.size_bytes > self._max_bytes

    def _leaves(self, event: Event) -> None:
        self.events -= 1
        self.size_bytes -= len(event.body)
