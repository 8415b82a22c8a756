"""How far a batch has come while several connections work on it."""

import threading
from collections import deque
from collections.abc import Sequence

from connbeat.errors import Transient
from connbeat.model.batches import Drop, Event, Outcome

Chunk = tuple[Event, ...]

#: So many requests in a row that the server answered with trouble end the batch. One is not enough:
#: an event that alone makes the server fail must not hold up those behind it.
_TROUBLE_ENDS = 3


class Progress:
    """The chunks that are still to be sent, and what became of the others. Thread-safe."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._lock = threading.Lock()
        self._waiting = deque(chunks)
        self._events = tuple(event for chunk in chunks for event in chunk)
        self._delivered: set[str] = set()
        self._dropped: dict[str, Drop] = {}
        self._troubles = 0
        self._trouble: Transient | None = None
        self._error: Exception | None = None
        self._is_over = False

    def take(self) -> Chunk | None:
        """The next chunk; None when there is none, or the batch is over for now."""
        with self._lock:
            return self._waiting.popleft() if self._waiting and not self._is_over else None

    def delivered(self, chunk: Chunk) -> None:
        with self._lock:
            self._delivered.update(event.id for event in chunk)
            self._troubles = 0

    def dropped(self, drop: Drop) -> None:
        with self._lock:
            self._dropped[drop.event.id] = drop
            self._troubles = 0

    def halve(self, chunk: Chunk) -> None:
        """Send it again in two halves, before everything else."""
        middle = len(chunk) // 2
        with self._lock:
            self._waiting.extendleft((chunk[middle:], chunk[:middle]))

    def later(self, trouble: Transient, *, is_over: bool) -> None:
        """A chunk has to be sent again later. `is_over`: nothing else would fare better now."""
        with self._lock:
            self._troubles += 1
            longest = self._trouble.after_seconds if self._trouble else 0.0
            self._trouble = Transient(str(trouble), max(longest, trouble.after_seconds))
            self._is_over = self._is_over or is_over or self._troubles >= _TROUBLE_ENDS

    def failed(self, error: Exception) -> None:
        """A mistake of our own; `outcome` raises it."""
        with self._lock:
            self._error = error
            self._is_over = True

    def outcome(self) -> Outcome:
        """In the order of the batch. Raises Transient where nothing went anywhere."""
        if self._error is not None:
            raise self._error
        trouble = self._trouble
        if trouble is not None and not self._delivered and not self._dropped:
            raise trouble
        return Outcome(
            delivered=tuple(event for event in self._events if event.id in self._delivered),
            retry=tuple(event for event in self._events if not self._is_done(event)),
            dropped=tuple(
                self._dropped[event.id] for event in self._events if event.id in self._dropped
            ),
            retry_after_seconds=trouble.after_seconds if trouble is not None else 0.0,
        )

    def _is_done(self, event: Event) -> bool:
        return event.id in self._delivered or event.id in self._dropped
