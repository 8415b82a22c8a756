"""What `connections` reports: the events of a connection's or a listener's life."""

import enum

import msgspec

from connbeat.model.containers import Container
from connbeat.model.processes import Owner, Process
from connbeat.model.sockets import Counters

#: Both ends of a connection as one of them sees it: its own packed address and port, the other's.
FourTuple = tuple[bytes, int, bytes, int]


class EventKind(enum.StrEnum):
    """The steps of a life; published as `connection.event` and `listener.event`."""

    OPENED = "opened"
    ONGOING = "ongoing"
    CLOSED = "closed"
    FAILED = "failed"


class Direction(enum.StrEnum):
    """Who called: `outbound` if this end did."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    UNKNOWN = "unknown"


class DirectionSource(enum.StrEnum):
    """How the direction is known; published as `connection.direction_source`.

    `transition`: the kernel reported connect() or accept. `state`: the socket is in SYN_SENT or
    SYN_RECV. `listener`: the namespace's listeners at that port. `counters`: the kernel's byte
    counters, in which the caller's SYN counts. `pair`: the other end, on this host, is known.
    """

    TRANSITION = "transition"
    STATE = "state"
    LISTENER = "listener"
    COUNTERS = "counters"
    PAIR = "pair"
    NONE = "none"


class Party(msgspec.Struct, frozen=True, gc=False):
    """Who is at one end: a process or the reason there is none, and its container if any."""

    owner: Owner
    container: Container | None


class RemoteParty(msgspec.Struct, frozen=True, gc=False):
    """Who is at the other end, where that is on this host."""

    process: Process | None
    container: Container | None


class Address(msgspec.Struct, frozen=True, gc=False):
    """A packed address and a port: the real peer where a translation stands between."""

    ip: bytes
    port: int


class Moved(msgspec.Struct, frozen=True, gc=False):
    """Payload and repeats: what counters say, or the difference of two of them."""

    bytes_sent: int = 0
    bytes_received: int = 0
    retransmits: int = 0


class ConnectionReport(msgspec.Struct, frozen=True, gc=False):
    """One event of one connection, whole: nothing else is needed to write its document.

    `id` is stable for the connection's life and unique between hosts and boots. `event_id` adds
    the kind and a number that never repeats. `opened_ns` is None where nobody saw it open: then
    the duration is unknown, too. `failure` is "" but for FAILED. `is_only` is true where a CLOSED
    connection has no other event. `summarised` is what of `counters` summaries told before, None if
    they told nothing.
    """

    id: str
    event_id: str
    kind: EventKind
    netns: int
    interface: int
    local_ip: bytes
    local_port: int
    remote_ip: bytes
    remote_port: int
    inode: int
    state: str
    direction: Direction
    direction_source: DirectionSource
    opened_ns: int | None
    closed_ns: int | None
    reported_ns: int
    counters: Counters | None
    local: Party
    remote: RemoteParty | None = None
    nat: Address | None = None
    failure: str = ""
    is_only: bool = False
    summarised: Moved | None = None


class ListenerReport(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One event of one listener. `backlog` is the present, `backlog_max` the greatest allowed.

    `is_only` is as in `ConnectionReport`.
    """

    id: str
    event_id: str
    kind: EventKind
    netns: int
    interface: int
    ip: bytes
    port: int
    inode: int
    opened_ns: int | None
    closed_ns: int | None
    reported_ns: int
    backlog: int
    backlog_max: int
    local: Party
    is_only: bool = False


class SummaryReason(enum.StrEnum):
    """Why connections are told in summaries; published as `summary.reason`.

    `configured`: the user wants it. `cpu_budget`: the agent used more than it may.
    `buffer_overrun`: the kernel had no room for what it told.
    """

    CONFIGURED = "configured"
    CPU_BUDGET = "cpu_budget"
    BUFFER_OVERRUN = "buffer_overrun"


class Spread(msgspec.Struct, frozen=True, gc=False):
    """Several values of one kind; `count` is at least 1."""

    count: int
    lowest: int
    highest: int
    total: int


class SummaryReport(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What connections that have something in common did in one interval.

    What they have in common are `local`, `netns`, `direction` and, so far as they are not None,
    `local_port`, `remote_ip` and `remote_port`; `folded` names what was left out for want of room.
    `local_ip` is the address of one of them. `open` is their number at the end, all other counts
    are of this interval. `moved` is what they moved in it, `earlier` what those of them that were
    there before the agent had moved until it came. Durations are nanoseconds, of those that
    closed; round trip times microseconds.
    """

    id: str
    began_ns: int
    reported_ns: int
    netns: int
    reason: SummaryReason
    local: Party
    local_ip: bytes
    direction: Direction
    local_port: int | None
    remote_ip: bytes | None
    remote_port: int | None
    folded: tuple[str, ...]
    opened: int
    closed: int
    open: int
    failures: tuple[tuple[str, int], ...]
    moved: Moved
    earlier: Moved
    durations: Spread | None
    rtts: Spread | None

    @property
    def event_id(self) -> str:
        """It has this one event."""
        return self.id


#: One step of one life.
Step = ConnectionReport | ListenerReport
Report = Step | SummaryReport
