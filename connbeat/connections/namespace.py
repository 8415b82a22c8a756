"""The lives of one namespace, and what one more snapshot changes about them."""

from collections.abc import Iterable

from connbeat.connections.life import Key, Life, key_of
from connbeat.connections.listeners import ListenerTable
from connbeat.model.sockets import Socket, SocketSnapshot, SocketSource, TcpState

_Carried = tuple[bytes, int, bytes, int, int]


class Folded:
    """What one snapshot changed. A short connection, over at once, is both new and closed."""

    __slots__ = ("closed", "in_time_wait", "new", "refused", "room", "taken_ns")

    def __init__(self, taken_ns: int, room: int) -> None:
        self.taken_ns = taken_ns
        self.room = room
        self.new: list[Life] = []
        self.closed: list[Life] = []
        self.in_time_wait: set[Key] = set()
        self.refused = 0


class NamespaceLives:
    """Mutable, owned by the tracker. `folds` counts the snapshots taken in."""

    def __init__(self, netns: int, *, was_here: bool) -> None:
        self.netns = netns
        self.lives: dict[Key, Life] = {}
        self.listeners = ListenerTable()
        self.folds = 0
        self._was_here = was_here
        self._source: SocketSource | None = None
        self._in_time_wait: set[Key] = set()

    def fold(self, snapshot: SocketSnapshot, room: int) -> Folded:
        """Take a snapshot in; at most `room` lives may be open after it.

        A closed life stays in `lives` until `remove`: its listeners still explain others.
        """
        if self._source is not snapshot.source:
            self._change_source(snapshot)
        self.folds += 1
        folded = Folded(snapshot.taken_ns, room)
        lives, folds = self.lives, self.folds
        for row in snapshot.sockets:
            key = key_of(row)
            life = lives.get(key)
            if row.state == TcpState.TIME_WAIT:
                self._fold_time_wait(key, row, life, folded)
            elif life is not None:
                life.update(row, folds)
            elif row.state != TcpState.CLOSE:
                self._add(key, row, folded)
        if snapshot.is_complete:
            self._in_time_wait = folded.in_time_wait
            gone = (life for life in lives.values() if life.seen != folds)
            folded.closed += self._close(gone, snapshot.taken_ns)
        else:
            self._in_time_wait |= folded.in_time_wait
        return folded

    def end(self, now_ns: int) -> list[Life]:
        """The namespace is gone: everything in it closed."""
        return self._close(self.lives.values(), now_ns)

    def remove(self, life: Life) -> None:
        if self.lives.get(life.key) is life:
            del self.lives[life.key]
        if life.is_listener:
            self.listeners.remove(life)

    def _fold_time_wait(self, key: Key, row: Socket, life: Life | None, folded: Folded) -> None:
        """The row ends its life. One never seen open is a short connection, told once."""
        folded.in_time_wait.add(key)
        if life is None:
            if key in self._in_time_wait or self._is_before_us():
                return
            life = Life(self.netns, key, row, self.folds)
            self.lives[key] = life
            folded.new.append(life)
        life.seen = self.folds
        folded.closed += self._close([life], folded.taken_ns)

    def _add(self, key: Key, row: Socket, folded: Folded) -> None:
        if len(self.lives) >= folded.room:
            folded.refused += 1
            return
        life = Life(self.netns, key, row, self.folds)
        life.was_here = self._is_before_us()
        if not life.was_here:
            life.opened_ns = folded.taken_ns
        self.lives[key] = life
        folded.new.append(life)
        if life.is_listener:
            self.listeners.add(life)

    def _is_before_us(self) -> bool:
        """Whether what is new in this fold was there before the agent came."""
        return self._was_here and self.folds == 1

    def _close(self, lives: Iterable[Life], now_ns: int) -> list[Life]:
        closed = [life for life in lives if life.closed_ns is None]
        for life in closed:
            life.closed_ns = now_ns
        return closed

    def _change_source(self, snapshot: SocketSnapshot) -> None:
        """Another rung has other keys: carry the lives over by their addresses and inode."""
        self._source = snapshot.source
        if not self.lives:
            return
        by_addresses = {_addresses(life.socket, life.inode): life for life in self.lives.values()}
        carried: dict[Key, Life] = {}
        for row in snapshot.sockets:
            life = by_addresses.pop(_addresses(row, row.inode), None)
            if life is not None:
                life.key = key_of(row)
                carried[life.key] = life
        for life in by_addresses.values():
            carried.setdefault(life.key, life)
        self.lives = carried


def _addresses(row: Socket, inode: int) -> _Carried:
    return row.local_ip, row.local_port, row.remote_ip, row.remote_port, inode
