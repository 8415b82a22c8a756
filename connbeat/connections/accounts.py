"""Account: what was told of one life so far, that nothing of it is told twice or not at all.

There is one only where a life can be told in summaries, and only while it is open after its first
step was told. The rule: a report of its own has counters since the beginning, a summary has what
came since the step before. So whoever adds the last report of every connection, less what that says
was summarised, to all summaries, has what the connections moved.
"""

from connbeat.connections.groups import Group
from connbeat.model.connections import Moved
from connbeat.model.sockets import Counters

_NOTHING = Counters(0, 0, 0, 0, None)


class Account:
    """Mutable, one for each open life. `group` is the one in which it is counted as open."""

    __slots__ = ("_bytes_received", "_bytes_sent", "_is_summarised", "_retransmits", "_told",
                 "group")  # fmt: skip

    def __init__(self) -> None:
        self.group: Group | None = None
        self._told = _NOTHING
        self._is_summarised = False
        self._bytes_sent = 0
        self._bytes_received = 0
        self._retransmits = 0

    def tell_singly(self, counters: Counters | None) -> Moved | None:
        """The life is told in a report with these counters; what of them summaries have told."""
        if counters is not None:
            self._told = counters
        self.leave()
        if not self._is_summarised:
            return None
        return Moved(self._bytes_sent, self._bytes_received, self._retransmits)

    def tell_in(self, group: Group, counters: Counters | None) -> None:
        """The life is told in this group, which gets what it moved since the step before."""
        self._is_summarised = True
        if counters is None:
            return
        told, self._told = self._told, counters
        bytes_sent = counters.bytes_sent - told.bytes_sent
        bytes_received = counters.bytes_received - told.bytes_received
        retransmits = counters.retransmits - told.retransmits
        group.bytes_sent += bytes_sent
        group.bytes_received += bytes_received
        group.retransmits += retransmits
        self._bytes_sent += bytes_sent
        self._bytes_received += bytes_received
        self._retransmits += retransmits

    def tell_earlier_in(self, group: Group, counters: Counters) -> None:
        """The first step of a life that was there before the agent: what it moved until now."""
        self._is_summarised = True
        self._told = counters
        group.add_earlier(counters)
        self._bytes_sent += counters.bytes_sent
        self._bytes_received += counters.bytes_received
        self._retransmits += counters.retransmits

    def stay_in(self, group: Group) -> None:
        """The life is open, and counted as that in this group alone."""
        if self.group is not group:
            self.leave()
            self.group = group
            group.open += 1

    def leave(self) -> None:
        """The life is open no more, or is told singly."""
        if self.group is not None:
            self.group.open -= 1
            self.group = None
