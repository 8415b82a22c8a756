"""Coverage: what was taken up against what the kernel itself counted, by namespace.

The kernel counts every connect that sent a SYN and every accept (ActiveOpens + PassiveOpens of
`/proc/<pid>/net/snmp`). Taken up is every connection the agent came to know, reported or left out
on purpose. A namespace that was there before the agent counts from the first reading, one that came
later from nothing. One that vanished between two readings is unknown, not complete.
"""

from collections.abc import Mapping

import msgspec


class _Count:
    __slots__ = ("base", "opens", "taken")

    def __init__(self, base: int) -> None:
        self.base = base
        self.opens = base
        self.taken = 0


class Covered(msgspec.Struct, frozen=True, gc=False):
    """Connections taken up, of those the kernel counted."""

    taken: int
    opens: int

    @property
    def share(self) -> float:
        """1.0 if all; what was taken up since the last reading does not make it more."""
        return min(1.0, self.taken / self.opens) if self.opens else 1.0


class Coverage:
    """Mutable, one owner."""

    def __init__(self) -> None:
        self._counts: dict[int, _Count] = {}
        self._has_read = False
        #: Namespaces that vanished with connections that nobody can count any more.
        self.unknown = 0

    def take_up(self, netns: int) -> None:
        """One connection came to be known."""
        count = self._counts.get(netns)
        if count is None:
            count = self._counts[netns] = _Count(0)
        count.taken += 1

    def read(self, opens: Mapping[int, int]) -> None:
        """The kernel's counters of every namespace that could be read, at one poll."""
        for netns, value in opens.items():
            count = self._counts.get(netns)
            if count is None:
                count = self._counts[netns] = _Count(0 if self._has_read else value)
            elif not self._has_read:
                count.base = value
            count.opens = max(count.opens, value)
        self._has_read = True

    def forget(self, netns: int) -> None:
        """The namespace is gone: what it did after its last reading is not known."""
        if self._counts.pop(netns, None) is not None:
            self.unknown += 1

    def of(self, netns: int) -> Covered:
        count = self._counts.get(netns)
        return Covered(count.taken, count.opens - count.base) if count else Covered(0, 0)

    def lowest(self) -> float:
        """The share of the namespace that has the least."""
        return min((self.of(netns).share for netns in self._counts), default=1.0)

    def total(self) -> Covered:
        """Over all namespaces that are there; where more was taken up than read, what was read."""
        all_of = [self.of(netns) for netns in self._counts]
        return Covered(
            sum(min(one.taken, one.opens) for one in all_of), sum(one.opens for one in all_of)
        )
