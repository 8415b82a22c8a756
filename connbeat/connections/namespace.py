"""The lives of one namespace, and what one more snapshot changes about them."""

from collections.abc import Iterable

import msgspec

from connbeat.connections.life import Ends, Key, Life, begin, begin_closed, ends_of, key_of
from connbeat.connections.listeners import ListenerTable
from connbeat.model.sockets import Socket, SocketSnapshot, SocketSource, TcpState
from connbeat.model.traces import Close

_TIME_WAIT = int(TcpState.TIME_WAIT)
_HANDSHAKE = (int(TcpState.SYN_SENT), int(TcpState.SYN_RECV))
#: So late may a close message be, on a busy host: what is missing for longer has none.
_OVERDUE_NS = 3_000_000_000


class Folded:
    """What one snapshot changed. A short connection, over at once, is both new and closed.

    `accepted` are those that only now have an inode, and so an owner of their own. `refused`
    counts those left out for want of room, each once.
    """

    __slots__ = ("accepted", "closed", "in_time_wait", "new", "outside", "refused", "reused",
                 "room", "taken_ns")  # fmt: skip

    def __init__(self, taken_ns: int, room: int) -> None:
        self.taken_ns = taken_ns
        self.room = room
        self.new: list[Life] = []
        self.accepted: list[Life] = []
        self.closed: list[Life] = []
        self.refused = 0
        self.in_time_wait: set[Key] = set()
        self.outside: set[Key] = set()
        self.reused: set[Key] = set()


class NamespaceLives:
    """Mutable, owned by the tracker."""

    def __init__(self, netns: int, *, was_here: bool) -> None:
        self.netns = netns
        self.lives: dict[Key, Life] = {}
        self.listeners = ListenerTable()
        self._folds = 0
        self._was_here = was_here
        self._has_table = False
        self._source: SocketSource | None = None
        self._in_time_wait: set[Key] = set()
        self._outside: set[Key] = set()
        self._stranded: dict[Ends, Life] = {}
        self._missing: list[Life] = []
        self._is_blind = False

    def fold(self, snapshot: SocketSnapshot, room: int) -> Folded:
        """Take a snapshot in; at most `room` lives may be open after it.

        A closed life stays in `lives` until `remove`: its listeners still explain others.
        """
        if self._source is not snapshot.source:
            self._change_source(snapshot.source)
        folded = Folded(snapshot.taken_ns, room)
        self._folds += 1
        lives, folds = self.lives, self._folds
        for row in snapshot.sockets:
            life = lives.get(row.cookie or ends_of(row))
            if life is not None and life.socket is row and life.state == row.state:
                life.seen = folds  # the rule: nothing changed since the last dump
                life.missing_ns = None
            else:
                self._fold_row(row, life, snapshot, folded)
        self._settle(folded, snapshot)
        return folded

    def begin_closed(self, close: Close) -> Life | None:
        """The life, never seen open, of which this tells the end; None if it was no connection.

        It is not one of `lives`: nobody will look for it.
        """
        row, trace = close.socket, close.trace
        if trace is not None and trace.is_listener:
            row = msgspec.structs.replace(row, state=TcpState.LISTEN)
            life = begin(self.netns, row.cookie, row, self._folds)
            life.is_table_older = self._has_table
            life.finish(close)
            return life
        if not row.remote_port:
            return None  # a socket that was never connected
        return begin_closed(self.netns, close, self._folds, is_table_older=self._has_table)

    def end(self, now_ns: int) -> list[Life]:
        """The namespace is gone: everything in it closed."""
        return self._close(self.lives.values(), now_ns)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of a namespace that no dump ever saw."""
        return not self.lives and not self._folds

    @property
    def is_in_doubt(self) -> bool:
        """Whether nobody knows of some lives if they are open: the last complete dump did not have
        them, and their closes have not been told since.
        """  # noqa: D205  one thought
        return any(life.missing_ns is not None and life.closed_ns is None for life in self._missing)

    def remove(self, life: Life) -> None:
        if self.lives.get(life.key) is life:
            del self.lives[life.key]
        if life.is_listener:
            self.listeners.remove(life)

    def _settle(self, folded: Folded, snapshot: SocketSnapshot) -> None:
        """What is not in the snapshot is gone, if the snapshot is complete.

        Where closes are heard its message may be on its way, and has the final counters.
        """
        if not snapshot.is_complete:
            self._in_time_wait |= folded.in_time_wait
            self._outside |= folded.outside
            return
        self._in_time_wait = folded.in_time_wait
        self._outside = folded.outside
        self._has_table = True
        self._stranded = {}
        self._is_blind = False
        gone = [life for life in self.lives.values() if life.seen != self._folds]
        self._missing = []
        if snapshot.closes_heard:
            gone = self._overdue(gone, folded.taken_ns)
        folded.closed += self._close(gone, folded.taken_ns)

    def _overdue(self, missing: Iterable[Life], now_ns: int) -> list[Life]:
        """Those whose message does not come any more; the others wait for it."""
        overdue: list[Life] = []
        for life in missing:
            if life.missing_ns is None:
                life.missing_ns = now_ns
            is_overdue = now_ns - life.missing_ns >= _OVERDUE_NS
            (overdue if is_overdue else self._missing).append(life)
        return overdue

    def _fold_row(
        self, row: Socket, life: Life | None, snapshot: SocketSnapshot, folded: Folded
    ) -> None:
        """A row that is new, or of a life (if there is one for its key) about which it is."""
        key = key_of(row)
        if life is None and self._stranded:
            life = self._carry_over(key, row)
        is_new = life is None or not life.is_of(row)
        if is_new and snapshot.transitions_seen and row.state in _HANDSHAKE:
            return  # the transitions tell what becomes of it
        if life is None and snapshot.closes_heard and _is_remnant(row):
            return  # its close was told
        if life is None or row.state == _TIME_WAIT or not life.is_of(row):
            self._fold_other(key, row, life, folded)
            return
        if row.inode and not life.inode:
            folded.accepted.append(life)
        life.update(row, self._folds)

    def _fold_other(self, key: Key, row: Socket, life: Life | None, folded: Folded) -> None:
        """Any row but the rule, which is one more of a life that goes on."""
        if life is not None and not life.is_of(row):
            folded.closed += self._close([life], folded.taken_ns)
            folded.reused.add(key)
            life = None
        if row.state == TcpState.TIME_WAIT:
            self._fold_time_wait(key, row, life, folded)
        elif row.state != TcpState.CLOSE:
            self._add(key, row, folded)

    def _fold_time_wait(self, key: Key, row: Socket, life: Life | None, folded: Folded) -> None:
        """The row ends its life. One never seen open is a short connection, told once."""
        folded.in_time_wait.add(key)
        if life is None:
            if key in self._in_time_wait or self._is_blind or self._is_before_us():
                return
            life = self._begin(key, row, folded)
        life.seen = self._folds
        folded.closed += self._close([life], folded.taken_ns)

    def _add(self, key: Key, row: Socket, folded: Folded) -> None:
        if len(self.lives) >= folded.room:
            folded.refused += key not in self._outside and key not in folded.outside
            folded.outside.add(key)
            return
        life = self._begin(key, row, folded)
        life.was_here = self._is_before_us() or key in self._outside
        if not life.was_here:
            life.opened_ns = folded.taken_ns
        if life.is_listener:
            self.listeners.add(life)

    def _begin(self, key: Key, row: Socket, folded: Folded) -> Life:
        life = self.lives[key] = begin(self.netns, key, row, self._folds)
        life.is_reused = key in folded.reused
        life.is_table_older = self._has_table
        folded.new.append(life)
        return life

    def _is_before_us(self) -> bool:
        """Whether what is new in this fold may have been there before the agent came."""
        return self._was_here and not self._has_table

    def _close(self, lives: Iterable[Life], now_ns: int) -> list[Life]:
        closed = [life for life in lives if life.closed_ns is None]
        for life in closed:
            life.closed_ns = now_ns
        return closed

    def _change_source(self, source: SocketSource) -> None:
        """Another rung has other keys: until one complete snapshot of it, lives are looked for by
        their addresses, and nobody can tell which TIME_WAIT rows were told already.
        """  # noqa: D205  one thought
        if self._source is not None:
            self._stranded = {ends_of(life.socket): life for life in self.lives.values()}
            self._is_blind = True
        self._source = source

    def _carry_over(self, key: Key, row: Socket) -> Life | None:
        life = self._stranded.pop(ends_of(row), None)
        if life is None or life.closed_ns is not None:
            return None
        del self.lives[life.key]
        life.key = key
        self.lives[key] = life
        if row.state != TcpState.TIME_WAIT:
            life.socket = row  # without counters from here on, rather than with old ones
        return life


def _is_remnant(row: Socket) -> bool:
    """Whether the kernel keeps no more than the addresses, in case that a late FIN comes: a socket
    that it destroyed for us, though the row is in FIN_WAIT2 and not in TIME_WAIT.
    """  # noqa: D205  one thought
    return row.state == TcpState.FIN_WAIT2 and not row.inode and row.counters is None
