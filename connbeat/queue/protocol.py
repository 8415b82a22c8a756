"""The two sides of a queue: where events go in, and one output's place, where they come out.

Two interfaces, because a queue on disk keeps one copy of an event for all outputs: then there is
one intake for everybody and a place for each. In memory every place is its own intake.
"""

from collections.abc import Sequence
from typing import Protocol

from connbeat.model.batches import Batch, Event, Outcome


class Intake(Protocol):
    """The capture thread's side."""

    def put(self, events: Sequence[Event]) -> None:
        """Take the events, in this order. Never blocks on an output or a disk, never raises.

        What does not fit costs the oldest events that are not under lease; each is counted. A queue
        on disk takes them in memory first, and lets nobody lease what is not synced yet.
        """
        ...


class Queue(Protocol):
    """One output's place: first in, first out; an event leaves by `settle` or by a counted drop.

    The worker of the output leases and settles, any other thread may call the rest. An event is in
    the queue, and counts against its limits, until it is settled. What a crash leaves unsettled is
    leased again if the queue is durable: an event may be sent twice, it is never lost silently.
    """

    def lease(
        self, max_events: int, *, min_events: int = 1, flush_seconds: float = 0.0
    ) -> Batch | None:
        """The oldest events that are not under lease, at most `max_events`.

        Waits for the first event without limit, then at most `flush_seconds` for `min_events` of
        them. With `min_events` 0 it does not wait, but for the disk: it gives what was put before.
        None if nothing is there: the queue is empty (`min_events` 0), closed, its disk gives
        nothing now, or `wake` was called.
        """
        ...

    def settle(self, batch: Batch, outcome: Outcome) -> bool:
        """End the lease: what was delivered or dropped leaves, everything else goes to the front.

        An event that the outcome does not name stays, so a mistake of an output sends it again.
        The order of what stays is that of the batch. False, and nothing changes, if the lease is
        over already because the queue was closed. On disk it is known a moment later, without
        anybody waiting: a crash before that sends the events again.
        """
        ...

    def wake(self) -> None:
        """Make the lease that waits, or else the next one, return at once."""
        ...

    def close(self, reason: str) -> int:
        """The end: leases are void and nothing is taken any more. Returns how many events remain.

        In memory they are dropped and counted with `reason`, and so is every later `put`; on disk
        they stay for the next start. Closing twice is harmless.
        """
        ...

    def __len__(self) -> int:
        """Events in the queue, those under lease included."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes of their bodies."""
        ...

    @property
    def fill_ratio(self) -> float:
        """How much of the nearest limit they take: near 1, the oldest go. 0 without a limit."""
        ...

    @property
    def oldest_ns(self) -> int | None:
        """The timestamp of the oldest event, or an earlier one where only the disk knows it."""
        ...
