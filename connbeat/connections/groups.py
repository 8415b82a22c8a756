"""Groups: connections that have enough in common to be told in one summary.

The finest group is of one process, container and direction, and of what does not change from one
connection to the next: the remote address and port of those that it called, its own port and the
remote address of those that it accepted, the remote address alone where nobody knows who called.

There are only so many groups. The more there are, the coarser is a new one: it leaves out one thing
after another, and so its connections are counted together with others, and not lost.
"""

from collections import Counter
from collections.abc import Collection

from connbeat.model.connections import Direction, Party, Spread, SummaryReason
from connbeat.model.processes import Process, UnknownReason
from connbeat.model.sockets import Counters

#: Process, container's id, namespace, direction, reason, local port, remote address, remote port.
#: None is "any".
Key = tuple[object, str | None, int, Direction, SummaryReason, int | None, bytes | None, int | None]

_NAMES = ("local_process", "container", "netns", "direction", "reason",
          "local_port", "remote_ip", "remote_port")  # fmt: skip
#: What the coarser groups leave out, one step after another.
_STEPS: dict[Direction, tuple[str, ...]] = {
    Direction.OUTBOUND: ("remote_port", "remote_ip", "local_process", "container"),
    Direction.INBOUND: ("remote_ip", "local_port", "local_process", "container"),
    Direction.UNKNOWN: ("remote_ip", "remote_ip", "local_process", "container"),
}
#: Of eight parts of the room, how many may be taken before a group of each step is refused. The
#: coarsest are never: there is one for each direction and reason.
_EIGHTHS = (4, 6, 7, 8)
_SEVERAL = Party(UnknownReason.SUMMARISED, None)


class Group:
    """What happened in one interval. Mutable; `open` and `party` outlive it."""

    __slots__ = (
        "bytes_received", "bytes_sent", "closed", "duration_count", "duration_max", "duration_min",
        "duration_sum", "earlier", "failures", "folded", "key", "local_ip", "open", "opened",
        "party", "retransmits", "rtt_count", "rtt_max", "rtt_min", "rtt_sum",
    )  # fmt: skip

    def __init__(self, key: Key, party: Party, local_ip: bytes, folded: tuple[str, ...]) -> None:
        self.key = key
        self.party = party
        self.local_ip = local_ip
        self.folded = folded
        self.open = 0
        self.reset()

    def reset(self) -> None:
        """A new interval."""
        self.opened = self.closed = 0
        self.bytes_sent = self.bytes_received = self.retransmits = 0
        self.failures: Counter[str] | None = None
        self.earlier: list[int] | None = None
        self.duration_count = self.duration_sum = self.duration_min = self.duration_max = 0
        self.rtt_count = self.rtt_sum = self.rtt_min = self.rtt_max = 0

    def add(self, counters: Counters) -> None:
        """All that a connection moved which is told for the first time."""
        self.bytes_sent += counters.bytes_sent
        self.bytes_received += counters.bytes_received
        self.retransmits += counters.retransmits

    def add_earlier(self, counters: Counters) -> None:
        """What one moved before the agent came."""
        sent, received, retransmits = self.earlier or (0, 0, 0)
        self.earlier = [
            sent + counters.bytes_sent,
            received + counters.bytes_received,
            retransmits + counters.retransmits,
        ]

    def add_duration(self, duration_ns: int) -> None:
        if not self.duration_count or duration_ns < self.duration_min:
            self.duration_min = duration_ns
        self.duration_max = max(self.duration_max, duration_ns)
        self.duration_sum += duration_ns
        self.duration_count += 1

    def add_rtt(self, rtt_us: int) -> None:
        if not self.rtt_count or rtt_us < self.rtt_min:
            self.rtt_min = rtt_us
        self.rtt_max = max(self.rtt_max, rtt_us)
        self.rtt_sum += rtt_us
        self.rtt_count += 1

    def add_failure(self, failure: str) -> None:
        if self.failures is None:
            self.failures = Counter()
        self.failures[failure] += 1

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.open or self.opened or self.closed or self.failures or self.earlier
                    or self.bytes_sent or self.bytes_received or self.retransmits)  # fmt: skip

    @property
    def durations(self) -> Spread | None:
        if not self.duration_count:
            return None
        return Spread(self.duration_count, self.duration_min, self.duration_max, self.duration_sum)

    @property
    def rtts(self) -> Spread | None:
        if not self.rtt_count:
            return None
        return Spread(self.rtt_count, self.rtt_min, self.rtt_max, self.rtt_sum)


class GroupTable:
    """All groups of now. Mutable, one owner."""

    def __init__(self, limit: int) -> None:
        self._limits = [limit * eighths // 8 for eighths in _EIGHTHS]
        self._groups: dict[Key, Group] = {}
        self._folded: Counter[str] = Counter()

    def find(self, key: Key, party: Party, local_ip: bytes) -> Group:
        """The group of what has this key; a coarser one if there is no room for one of its own."""
        group = self._groups.get(key)
        if group is None:
            return self._find_room(key, party, local_ip)
        group.party = party  # a name that was not known before, say
        return group

    def take(self) -> Collection[Group]:
        """All groups; the table is empty then."""
        groups, self._groups = self._groups, {}
        return groups.values()

    def keep(self, group: Group) -> None:
        """One that was taken goes on."""
        self._groups[group.key] = group

    def take_folded(self) -> Counter[str]:
        """How often a coarser group was found since the last call, by what it left out last."""
        folded, self._folded = self._folded, Counter()
        return folded

    def __len__(self) -> int:
        return len(self._groups)

    def _find_room(self, key: Key, party: Party, local_ip: bytes) -> Group:
        folded: tuple[str, ...] = ()
        for limit, step in zip(self._limits, _STEPS[key[3]], strict=True):
            group = self._groups.get(key)
            if group is None and len(self._groups) < limit:
                break
            if group is not None:
                if folded:
                    self._folded[folded[-1]] += 1
                return group
            if step not in folded:
                folded = (*folded, step)
                key, party = _coarser(key, party, step)
        if folded:
            self._folded[folded[-1]] += 1
        return self._groups.setdefault(key, Group(key, party, local_ip, folded))


def who_is(party: Party) -> object:
    """The process as part of a key: one that calls exec is another from then on."""
    owner = party.owner
    if isinstance(owner, Process):
        return owner.pid, owner.started_ticks, owner.binary
    return owner


def _coarser(key: Key, party: Party, step: str) -> tuple[Key, Party]:
    values = dict(zip(_NAMES, key, strict=True))
    values[step] = None
    if step == "local_process":
        party = Party(UnknownReason.SUMMARISED, party.container)
    elif step == "container":
        values["netns"], party = 0, _SEVERAL
    return tuple(values.values()), party  # type: ignore[return-value]  # the same places as before
