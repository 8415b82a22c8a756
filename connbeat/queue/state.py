"""State: what the threads around a spool share. In memory; the condition guards all of it."""

import threading
from collections.abc import Iterable

from connbeat.errors import SpoolDamaged
from connbeat.model.batches import Event
from connbeat.queue.place import Mark, Place, Position
from connbeat.queue.stage import Stage
from connbeat.queue.store import Store
from connbeat.telemetry.metrics import Metric, Metrics

#: What an event takes on disk beside its body: id, time, its share of the row; measured 60 to 75.
EVENT_OVERHEAD_BYTES = 96


class SpoolState:
    """Everything here is used with `changed` held, but for the store, which has locks of its own.

    The capture thread fills the stage, the writer empties it, the workers of the outputs lease and
    settle. `last` is the last event on disk; what is behind it is still in the stage.
    """

    def __init__(
        self, outputs: Iterable[str], stage: Stage, metrics: Metrics, max_bytes: int = 0
    ) -> None:
        self.changed = threading.Condition()
        self.stage = stage
        self.places = {output: Place(output) for output in outputs}
        self.store: Store | None = None
        self.last = Position()
        self.trouble = ""  # why nothing can be written or read now
        self.damage: SpoolDamaged | None = None  # found by a reader
        self.is_dirty = False  # something is settled that the disk does not know
        self.is_hurried = False  # somebody waits for the stage to be written
        self.is_closing = False
        self.max_bytes = max_bytes  # what the spool may take, 0 without limit
        self._metrics = metrics

    def events(self, place: Place) -> int:
        return self.stage.events + place.events(self.last)

    def size_bytes(self, place: Place) -> int:
        return self.stage.size_bytes + place.size_bytes(self.last)

    def fill_ratio(self, place: Place) -> float:
        """Of the disk's limit, or of the stage's where the disk does not keep up."""
        if not self.max_bytes:
            return self.stage.fill_ratio
        size = place.size_bytes(self.last) + place.events(self.last) * EVENT_OVERHEAD_BYTES
        return max(self.stage.fill_ratio, size / self.max_bytes)

    def oldest_ns(self, place: Place) -> int | None:
        written_ns = place.oldest_ns(self.last)
        return self.stage.oldest_ns if written_ns is None else written_ns

    def marks(self) -> list[Mark]:
        with self.changed:
            return [place.mark() for place in self.places.values()]

    def take(self, max_events: int, max_bytes: int) -> tuple[Event, ...]:
        """What is to be written next, with all that is settled by now."""
        with self.changed:
            self.is_dirty = False
            return self.stage.take(max_events, max_bytes)

    def written(self, last: Position) -> None:
        """What was taken is on disk, or lost for good."""
        with self.changed:
            self.stage.written()
            self.last = last
            self.is_hurried = self.is_hurried and self.stage.events > 0
            self.tell()

    def not_written(self) -> None:
        with self.changed:
            self.stage.give_back()
            self.is_dirty = True

    def tell(self) -> None:
        """Whoever waits, and the metrics: something is different."""
        for place in self.places.values():
            labels = {"output": place.output}
            self._metrics.set(Metric.QUEUE_EVENTS, self.events(place), **labels)
            self._metrics.set(Metric.QUEUE_BYTES, self.size_bytes(place), **labels)
        self.changed.notify_all()
