"""One life: what is known of one connection or listener while it is open.

The only mutable value of this room; the tracker owns every one of them. There can be 200,000, so
it has slots, and its id is made when it is first reported.
"""

import msgspec

from connbeat.connections.accounts import Account
from connbeat.model.connections import Address, Direction, DirectionSource, RemoteParty
from connbeat.model.digests import sha1
from connbeat.model.processes import Attribution
from connbeat.model.sockets import Socket, TcpState
from connbeat.model.traces import Close, Trace

#: A cookie, or without one (rung 0) both addresses and, for listeners, the inode.
Ends = tuple[bytes, int, bytes, int, int]
Key = int | Ends


_LISTEN = int(TcpState.LISTEN)


class Life(msgspec.Struct, eq=False):
    """Fields that need a word:

    `socket` is the last row that still had its counters, `state` the state of the very last row.
    `inode` is the last that was not 0; `is_held` is false where the very last row had none: nobody
    holds the socket (yet, or any more). `seen` is the number of the fold that last had a row.
    `account` is what was told of it, where summaries are made or may have to be.
    `former` is whose it was while it is asked for again, to be told if there is no answer any more.
    `peer` is the other end while both live; `remote` what was known of it when it closed first.
    `nat` is the address of who is really at the other end, where a translation stands between.
    `relayed` is what it belongs to where docker-proxy holds it.
    `was_here` is true where the agent came later than the connection, or had no room for it then.
    `missing_ns`: since when complete dumps do not have it, while its close message may come; None
    if the last had it.
    `is_reused` is true where the socket was another connection's before, `is_table_older` where
    the listeners of its namespace were all known before it came.
    """  # noqa: D415  a heading for what follows

    netns: int
    key: Key
    socket: Socket
    seen: int
    state: int
    inode: int
    is_held: bool
    is_table_older: bool = False
    closed_ns: int | None = None
    opened_ns: int | None = None
    direction: Direction = Direction.UNKNOWN
    direction_source: DirectionSource = DirectionSource.NONE
    attribution: Attribution | None = None
    is_listener: bool = False
    former: Attribution | None = None
    id: str = ""
    missing_ns: int | None = None
    is_reported: bool = False
    was_here: bool = False
    is_reused: bool = False
    peer: "Life | None" = None
    remote: RemoteParty | None = None
    nat: Address | None = None
    relayed: "Relayed | None" = None
    account: Account | None = None

    def is_of(self, row: Socket) -> bool:
        """Whether the row, which has this life's key, is this connection's.

        A socket whose connect() failed may connect again, and keeps its cookie; where there are no
        cookies, the same addresses with another inode are another connection.
        """
        known = self.socket
        return (
            row.local_port == known.local_port
            and row.remote_port == known.remote_port
            and row.remote_ip == known.remote_ip
            and (row.inode == self.inode or not row.inode or not self.inode)
        )

    def update(self, row: Socket, seen: int) -> None:
        """A later row of the same socket. Rows of dying sockets have lost counters or inode."""
        self.seen = seen
        self.missing_ns = None
        self.state = row.state
        self.is_held = row.inode != 0
        if row.counters is not None or self.socket.counters is None:
            self.socket = row
        if row.inode and not self.inode:  # accepted only now: the listener stood for its owner
            self.inode = row.inode
            self.attribution = None

    def know(self, trace: Trace) -> None:
        """What the transitions tell, which is more exact than what polls saw."""
        if trace.opened_ns and not self.is_reported:  # a time that was told stays
            self.opened_ns = trace.opened_ns
            self.was_here = False
        if trace.direction is not Direction.UNKNOWN:
            self.direction = trace.direction
            self.direction_source = DirectionSource.TRANSITION
        # A listener can be handed on; whom a look found to hold it is nearer to the truth.
        if trace.process is not None and (self.attribution is None or not self.is_listener):
            self.attribution = Attribution(trace.process, trace.process.container)

    def finish(self, close: Close) -> None:
        """The kernel destroyed it: its final counters and its end."""
        self.closed_ns = close.closed_ns
        if close.trace is not None:
            self.know(close.trace)
        row = close.socket
        if row.counters is not None and not self.is_listener:
            if row.remote_port:
                self.socket = row
            else:  # a reset loses its addresses before the end
                self.socket = msgspec.structs.replace(self.socket, counters=row.counters)


def begin(netns: int, key: Key, row: Socket, seen: int) -> Life:
    """A life of which this is the first row."""
    life = Life(netns, key, row, seen, row.state, row.inode, row.inode != 0)
    life.is_listener = row.state == _LISTEN
    return life


def begin_closed(netns: int, close: Close, seen: int, *, is_table_older: bool) -> Life:
    """A connection of which nothing but its end was told: as `begin` and `finish` leave it.

    Of short ones that is the rule, and all at once costs a third less than one after the other.
    """
    row, trace = close.socket, close.trace
    opened_ns, attribution = None, None
    direction, source = Direction.UNKNOWN, DirectionSource.NONE
    if trace is not None:
        opened_ns = trace.opened_ns or None
        if trace.direction is not Direction.UNKNOWN:
            direction, source = trace.direction, DirectionSource.TRANSITION
        if trace.process is not None:
            attribution = Attribution(trace.process, trace.process.container)
    return Life(
        netns, row.cookie, row, seen, row.state, row.inode, row.inode != 0,
        is_table_older, close.closed_ns, opened_ns, direction, source, attribution,
    )  # fmt: skip


class Relayed:
    """Two connections of one docker-proxy that are one for those at their far ends.

    `client` is who called it, `backend` whom it called for that. `accepted` and `called` are its
    own two ends while they are open, `client_party` and `backend_party` what was known of the far
    ones when they closed. Mutable, owned by the tracker as its lives are.
    """

    __slots__ = ("accepted", "backend", "backend_party", "called", "client", "client_party",
                 "joined_ns", "netns")  # fmt: skip

    def __init__(self, netns: int, client: Address, backend: Address, joined_ns: int) -> None:
        self.netns = netns
        self.client = client
        self.backend = backend
        self.joined_ns = joined_ns
        self.accepted: Life | None = None
        self.called: Life | None = None
        self.client_party: RemoteParty | None = None
        self.backend_party: RemoteParty | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is known who is at both far ends, or was."""
        return _is_known(self.accepted, self.client_party) and _is_known(
            self.called, self.backend_party
        )

    def end(self, life: Life, party: RemoteParty | None) -> None:
        """One of the two own ends closed; `party` is who was at the other end of it."""
        if life is self.accepted:
            self.accepted, self.client_party = None, party
        elif life is self.called:
            self.called, self.backend_party = None, party


def _is_known(end: Life | None, party: RemoteParty | None) -> bool:
    return party is not None or (
        end is not None and (end.peer is not None or end.remote is not None)
    )


def key_of(row: Socket) -> Key:
    return row.cookie or ends_of(row)


def ends_of(row: Socket) -> Ends:
    inode = row.inode if row.state == TcpState.LISTEN else 0  # SO_REUSEPORT: same address, others
    return row.local_ip, row.local_port, row.remote_ip, row.remote_port, inode


def life_id(prefix: str, life: Life, first_seen_ns: int) -> str:
    """The id of a connection: unique between hosts and boots by `prefix`, stable by the cookie.

    Without a cookie it is made of the addresses and the time it was first seen, so it changes with
    the agent's restart. So does that of a socket's second connection.
    """
    if isinstance(life.key, int):
        suffix = f"-{first_seen_ns:x}" if life.is_reused else ""
        return f"{prefix}-{life.netns:x}-{life.key:x}{suffix}"
    text = repr((life.key, life.inode, first_seen_ns)).encode()
    return f"{prefix}-{life.netns:x}-a{sha1(text)[:8].hex()}"
