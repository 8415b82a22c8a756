"""Schedule: when a life is told of again.

Lives stand in slots of time, not in a queue: those that were there before the agent are spread
over the first interval, or a host with 20,000 connections would report all of them in one poll,
again every interval.
"""

from collections.abc import Callable, Iterator

from connbeat.connections.life import Life

_SLOT_NS = 250_000_000
_TRIM_FROM = 1000


class Schedule:
    """Mutable, one owner. A life stands in at most one slot; a closed one is left out when due."""

    def __init__(self) -> None:
        self._slots: dict[int, list[Life]] = {}
        self._size = 0

    def change(
        self, before: Callable[[Life], int], after: Callable[[Life], int], now_ns: int
    ) -> None:
        """Lives have other intervals from now on; what is 0 then is not due any more.

        Those who wait stay as spread out as they are: none come all at once.
        """
        slots, self._slots = self._slots, {}
        now, self._size = now_ns // _SLOT_NS, 0
        for slot, lives in slots.items():
            for life in lives:
                if interval_ns := after(life):
                    left = max(1, (slot - now) * interval_ns // max(1, before(life)))
                    self._slots.setdefault(now + left, []).append(life)
                    self._size += 1

    def add(self, life: Life, now_ns: int, interval_ns: int) -> None:
        """The life was told of for the first time; with an interval of 0 it is never due again."""
        if life.was_here:
            self.spread(life, now_ns, interval_ns)
        else:
            self.add_again(life, now_ns, interval_ns)

    def spread(self, life: Life, now_ns: int, interval_ns: int) -> None:
        """One of many that come at once: due at any time within the interval."""
        if interval_ns:
            steps = max(1, interval_ns // _SLOT_NS)
            self._put(life, now_ns + interval_ns - _scatter(life) % steps * _SLOT_NS, now_ns)

    def add_again(self, life: Life, now_ns: int, interval_ns: int) -> None:
        """The life was told of once more."""
        if interval_ns:
            self._put(life, now_ns + interval_ns, now_ns)

    def due(self, now_ns: int) -> Iterator[Life]:
        """The open lives whose time has come; each has to be added again to stay scheduled."""
        last = now_ns // _SLOT_NS
        for slot in sorted(slot for slot in self._slots if slot <= last):
            lives = self._slots.pop(slot)
            self._size -= len(lives)
            yield from (life for life in lives if life.closed_ns is None)

    def trim(self, open_lives: int) -> None:
        """Let go of closed lives once they are the greater part: an interval may be a day."""
        if self._size <= 2 * open_lives + _TRIM_FROM:
            return
        for slot, lives in list(self._slots.items()):
            self._slots[slot] = [life for life in lives if life.closed_ns is None]
        self._size = sum(map(len, self._slots.values()))

    def ids(self) -> set[int]:
        """The `id` of every life kept."""
        return {id(life) for lives in self._slots.values() for life in lives}

    def __len__(self) -> int:
        """Lives kept, the closed ones not yet let go of included."""
        return self._size

    def _put(self, life: Life, due_ns: int, now_ns: int) -> None:
        slot = max(due_ns // _SLOT_NS, now_ns // _SLOT_NS + 1)
        self._slots.setdefault(slot, []).append(life)
        self._size += 1


def _scatter(life: Life) -> int:
    """Any number, the same for both ends of a connection: told of together they share a flow hash.

    By the golden ratio, for callers' ports are consecutive, and most of them even.
    """
    row = life.socket
    ends = int.from_bytes(row.local_ip) + int.from_bytes(row.remote_ip)
    return ((ends + row.local_port + row.remote_port) * 0x9E3779B1 & 0xFFFFFFFF) >> 16
