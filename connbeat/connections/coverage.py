"""Coverage: what was taken up against what the kernel itself counted, by namespace.

The kernel counts every connect that sent a SYN and every accept (ActiveOpens + PassiveOpens of
`/proc/<pid>/net/snmp`). Taken up is every connection the agent came to know, reported or left out
on purpose. A namespace that was there before the agent counts from its first reading, one that came
later from nothing. One that vanished between two readings, or lived between them, is unknown, not
complete.
"""

from collections.abc import Collection, Mapping

import msgspec


class _Count:
    __slots__ = ("base", "is_absent", "opens", "taken")

    def __init__(self) -> None:
        self.base = 0
        self.opens = 0
        self.taken = 0
        #: The last reading came upon no such namespace.
        self.is_absent = False


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
        #: Namespaces from before the agent whose counters were not read yet; None: all of them.
        self._unread: set[int] | None = None
        #: Those gone since the last reading, of which closes may come late.
        self._gone: set[int] = set()
        #: Namespaces that vanished with connections that nobody can count any more.
        self.unknown = 0

    def take_up(self, netns: int) -> None:
        """One connection came to be known."""
        if netns not in self._gone:
            self._count_of(netns).taken += 1

    def read(self, opens: Mapping[int, int], there: Collection[int]) -> None:
        """The kernel's counters of every namespace that could be read, at one poll, and all that
        are there.
        """  # noqa: D205  one thought
        if self._unread is None:
            self._unread = set(there)
        self._unread.intersection_update(there)
        for netns, value in opens.items():
            count = self._count_of(netns)
            if netns in self._unread:
                count.base = value
            count.opens = max(count.opens, value)
        self._unread.difference_update(opens)
        self._gone.clear()
        self._forget_absent(there)

    def _count_of(self, netns: int) -> _Count:
        count = self._counts.get(netns)
        if count is None:
            count = self._counts[netns] = _Count()
        return count

    def _forget_absent(self, there: Collection[int]) -> None:
        """Lest they count for another namespace that gets the same inode. One that is absent once
        may be younger than the list of those that are there.
        """  # noqa: D205  one thought
        for netns in [netns for netns, count in self._counts.items() if count.is_absent]:
            if netns not in there:
                self.forget(netns)
        for netns, count in self._counts.items():
            count.is_absent = netns not in there

    def forget(self, netns: int) -> None:
        """The namespace is gone: what it did after its last reading is not known."""
        if self._counts.pop(netns, None) is not None:
            self.unknown += 1
            self._gone.add(netns)

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
