"""Place: where one output stands in the spool. Pure; whoever owns it guards it.

Events are numbered without gaps. Of an output's place the spool keeps the `cursor` and, of the
events up to it, those that are `owed`: everything else up to the cursor is settled, everything
behind it is not. So an event that is refused for ever holds up nothing: the cursor passes it.
A lease moves nothing. Only when it is settled does the cursor pass its events, and then what stays
of them, and what lies before them under another lease, becomes owed.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from connbeat.model.batches import Batch, Event, Outcome

#: The number of an event, and the event.
Row = tuple[int, Event]


class Position(msgspec.Struct, frozen=True, gc=False):
    """Just after an event: its number, and the bytes of all bodies up to and with it."""

    seq: int = 0
    size_bytes: int = 0


class Mark(msgspec.Struct, frozen=True):
    """What is kept on disk of a place. `owed` has the sizes of the events, by number."""

    output: str
    cursor: Position
    owed: dict[int, int]


class _Lease(msgspec.Struct):
    rows: list[Row]
    end: Position  # behind the last event that was read for it


class Place:
    """The state. An event held in memory is under lease or waits to be sent again."""

    def __init__(self, output: str) -> None:
        self.output = output
        self._cursor = Position()
        self._owed: dict[int, int] = {}
        self._read = Position()  # what lies behind it is on disk only
        self._read_ns: int | None = None  # the timestamp of the last event that was read
        self._retry: deque[Row] = deque()
        self._leased: dict[int, _Lease] = {}
        self._last_lease = 0
        self._held_events = 0
        self._held_bytes = 0

    def restore(self, cursor: Position, owed: Sequence[Row]) -> None:
        """Go to where the spool says the output stands."""
        self._cursor = self._read = cursor
        self._owed = {seq: len(event.body) for seq, event in owed}
        self._retry = deque(owed)
        self._held_events = len(owed)
        self._held_bytes = sum(self._owed.values())

    def mark(self) -> Mark:
        return Mark(self.output, self._cursor, dict(self._owed))

    @property
    def read(self) -> Position:
        """What has been read out so far, or lost."""
        return self._read

    @property
    def to_retry(self) -> int:
        """Events that wait in memory to be sent again."""
        return len(self._retry)

    def events(self, last: Position) -> int:
        """Events in this place, if `last` is the last on disk."""
        return self._held_events + last.seq - self._read.seq

    def size_bytes(self, last: Position) -> int:
        return self._held_bytes + last.size_bytes - self._read.size_bytes

    def waiting(self, last: Position) -> int:
        """Events that are not under lease."""
        return len(self._retry) + last.seq - self._read.seq

    def oldest_ns(self, last: Position) -> int | None:
        """The timestamp of the oldest event; of what is on disk only, that of the one before it."""
        first = [lease.rows[0] for lease in self._leased.values()]
        first += [self._retry[0]] if self._retry else []
        if first:
            return min(first)[1].timestamp_ns
        return self._read_ns if last.seq > self._read.seq else None

    def held(self) -> list[Row]:
        """Every event that is held in memory."""
        leased = [row for lease in self._leased.values() for row in lease.rows]
        return sorted((*self._retry, *leased))

    def lease(self, max_events: int, fresh: Iterable[Row]) -> Batch | None:
        """What is to be sent again, then what was read; of that only what is still wanted."""
        rows = [self._retry.popleft() for _ in range(min(max_events, len(self._retry)))]
        fresh = [row for row in fresh if row[0] > self._read.seq][: max_events - len(rows)]
        if fresh:
            size = sum([len(event.body) for _, event in fresh])
            self._read = Position(fresh[-1][0], self._read.size_bytes + size)
            self._read_ns = fresh[-1][1].timestamp_ns
            self._held_events += len(fresh)
            self._held_bytes += size
            rows += fresh
        if not rows:
            return None
        self._last_lease += 1
        self._leased[self._last_lease] = _Lease(rows, self._read if fresh else Position())
        return Batch(self._last_lease, tuple([event for _, event in rows]))

    def settle(self, batch: Batch, outcome: Outcome) -> bool:
        """As `Queue.settle`."""
        lease = self._leased.pop(batch.lease, None)
        if lease is None:
            return False
        gone = {event.id for event in outcome.delivered}
        gone.update(drop.event.id for drop in outcome.dropped)
        stay: list[Row] = []
        for row in lease.rows:
            seq, event = row
            if event.id in gone:
                self._leaves(seq, len(event.body))
            else:
                stay.append(row)
                self._owed[seq] = len(event.body)
        self._advance(lease.end)
        self._retry.extendleft(reversed(stay))
        return True

    def skip(self, to: Position) -> int:
        """Lose every event up to there that is not under lease; how many those are."""
        lost = [row for row in self._retry if row[0] <= to.seq]
        if lost:
            self._retry = deque([row for row in self._retry if row[0] > to.seq])
        for seq, event in lost:
            self._leaves(seq, len(event.body))
        return len(lost) + self.lose_unread(to)

    def lose_unread(self, to: Position) -> int:
        """Lose every event up to there that is on disk only; how many those are."""
        unread = max(0, to.seq - self._read.seq)
        if unread:
            self._read = to
        self._advance(to)
        return unread

    def end_leases(self) -> None:
        """Whoever holds them can settle nothing any more."""
        self._retry = deque(self.held())
        self._leased.clear()

    def _advance(self, to: Position) -> None:
        """Move the cursor; what it passes and is held is owed from now on."""
        if to.seq <= self._cursor.seq:
            return
        for rows in (self._retry, *(lease.rows for lease in self._leased.values())):
            for seq, event in rows:
                if self._cursor.seq < seq <= to.seq:
                    self._owed[seq] = len(event.body)
        self._cursor = to

    def _leaves(self, seq: int, size: int) -> None:
        self._owed.pop(seq, None)
        self._held_events -= 1
        self._held_bytes -= size
