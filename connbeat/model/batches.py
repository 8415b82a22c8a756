"""Delivery: what waits in a queue, what is sent at once, and what became of it."""

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """One document, encoded: what queues keep and outputs send.

    `id` never names two events and stays the same when the event is sent again. `timestamp_ns` is
    the document's `@timestamp` (wall clock). `body` is the document as JSON in UTF-8, one line,
    without the line feed.
    """

    id: str
    timestamp_ns: int
    body: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.body)


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Events under one lease: they stay in the queue until the batch is settled."""

    lease: int
    events: tuple[Event, ...]


class Drop(msgspec.Struct, frozen=True, gc=False):
    """An event given up for good, and why; `reason` is a constant word, `detail` may vary."""

    event: Event
    reason: str
    detail: str = ""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a batch: every event of it stands in exactly one of the three."""

    delivered: tuple[Event, ...] = ()
    retry: tuple[Event, ...] = ()
    dropped: tuple[Drop, ...] = ()
    retry_after_seconds: float = 0.0
