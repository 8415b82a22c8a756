"""Several connections of one output at once: a batch is shared out, each lane sends its part.

`worker` lanes to each host where load is balanced, otherwise `worker` to one. With more than one
lane events overtake each other.
"""

import threading
from collections.abc import Sequence
from itertools import accumulate, pairwise, repeat
from typing import Protocol

from connbeat.errors import Transient
from connbeat.model.batches import Drop, Event, Outcome


class Lane(Protocol):
    """One connection at a time to one host at a time."""

    def send(self, events: tuple[Event, ...]) -> Outcome:
        """As `Output.send`."""
        ...

    def close(self) -> None:
        """As `Output.close`."""
        ...


def first_hosts(hosts: int, worker: int, begin: int, *, loadbalance: bool) -> tuple[int, ...]:
    """With which host, by number, each lane begins; the first of them with `begin`."""
    if not loadbalance:
        return (begin,) * worker
    return tuple((begin + lane) % hosts for lane in range(hosts * worker))


class Lanes:
    """One thread uses it, and waits until every lane is done."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = tuple(lanes)
        self._next = 0

    def send(self, events: tuple[Event, ...]) -> Outcome:
        """Raises Transient if every lane did; what one lane alone could not send is retried."""
        if len(self._lanes) == 1:
            return self._lanes[0].send(events)
        parts = [_Part(self._turn(), part) for part in _shared_out(events, len(self._lanes))]
        for part in parts[1:]:
            part.start()
        for part in parts[:1]:
            part.run()
        for part in parts[1:]:
            part.join()
        return _merged(parts)

    def close(self) -> None:
        for lane in self._lanes:
            lane.close()

    def _turn(self) -> Lane:
        """In turns, so that small batches do not all go to the same host."""
        lane = self._lanes[self._next]
        self._next = (self._next + 1) % len(self._lanes)
        return lane


class _Part(threading.Thread):
    """One lane's share of a batch, sent by a thread of its own unless `run` is called directly.

    A thread a batch costs 0.1 ms, and leaves none behind that could hold up the end of the agent.
    """

    def __init__(self, lane: Lane, events: tuple[Event, ...]) -> None:
        super().__init__(name="output-lane", daemon=True)
        self._lane = lane
        self._events = events
        self.outcome = Outcome(retry=events)
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.outcome = self._lane.send(self._events)
        except Exception as error:  # noqa: BLE001  the caller's thread raises it
            self.error = error


def _shared_out(events: tuple[Event, ...], lanes: int) -> list[tuple[Event, ...]]:
    """Parts of nearly the same number of events, in their order, none of them empty."""
    small, larger = divmod(len(events), lanes)
    sizes = [*repeat(small + 1, larger), *repeat(small, lanes - larger if small else 0)]
    return [events[begin:end] for begin, end in pairwise(accumulate(sizes, initial=0))]


def _merged(parts: Sequence[_Part]) -> Outcome:
    errors = [part.error for part in parts if part.error is not None]
    for error in errors:
        if not isinstance(error, Transient) or len(errors) == len(parts):
            raise error
    delivered: list[Event] = []
    retry: list[Event] = []
    dropped: list[Drop] = []
    for part in parts:
        delivered += part.outcome.delivered
        retry += part.outcome.retry
        dropped += part.outcome.dropped
    return Outcome(
        delivered=tuple(delivered),
        retry=tuple(retry),
        dropped=tuple(dropped),
        retry_after_seconds=max((part.outcome.retry_after_seconds for part in parts), default=0.0),
    )
