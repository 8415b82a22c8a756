"""The tracker against a naive model of the same world, whatever happens in it.

The model knows what a person would say: every connection that stood in a snapshot has exactly one
first event (opened or ongoing, or only closed if it was over at once) and, once it is gone, exactly
one closed event and nothing after it. A namespace can fall from sock_diag to `/proc` and come back.
"""

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from connbeat.model.connections import ConnectionReport
from connbeat.model.sockets import Socket, SocketSource, TcpState
from tests.builders import listening, row, snapshot
from tests.unit.connections.stories import Story

NAMESPACES = (1, 2, 3)
IPS = ("10.0.0.1", "10.0.0.2", "127.0.0.1")
DIAG, PROC = SocketSource.INET_DIAG, SocketSource.PROC_NET_TCP

#: What identifies a connection in this world: no two have the same inode.
Name = int


class World(RuleBasedStateMachine):
    """Sockets are opened and closed between polls; each poll is checked against the world."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(aggregation=10)
        self.second = 0.0
        self.next = 100
        self.open: dict[int, dict[Name, Socket]] = {netns: {} for netns in NAMESPACES}
        self.in_time_wait: dict[int, dict[Name, Socket]] = {netns: {} for netns in NAMESPACES}
        self.source = dict.fromkeys(NAMESPACES, DIAG)
        self.short: set[tuple[int, int, int]] = set()
        self.ids: set[str] = set()
        self.seen: dict[int, set[Name]] = {netns: set() for netns in NAMESPACES}
        self.first_told: set[Name] = set()
        self.over: set[Name] = set()
        self.poll()

    # What happens in the world

    @rule(
        netns=st.sampled_from(NAMESPACES),
        local=st.sampled_from(IPS),
        remote=st.sampled_from(IPS),
        is_pair=st.booleans(),
    )
    def connect(self, netns: int, local: str, remote: str, is_pair: bool) -> None:
        here, there = f"{local}:{self.next}", f"{remote}:80"
        self._open(netns, row(here, there))
        if is_pair:
            self._open(netns, row(there, here))

    @rule(netns=st.sampled_from(NAMESPACES))
    def listen(self, netns: int) -> None:
        self._open(netns, listening(f"0.0.0.0:{self.next}"))

    def _open(self, netns: int, made: Socket) -> None:
        self.next += 1
        cookie = inode = self.next
        self.open[netns][inode] = msgspec.structs.replace(made, cookie=cookie, inode=inode)

    @precondition(lambda self: any(self.open.values()))
    @rule(data=st.data(), leaves_time_wait=st.booleans())
    def close(self, data: st.DataObject, leaves_time_wait: bool) -> None:
        netns, name = data.draw(st.sampled_from(self._names(self.open)))
        socket = self.open[netns].pop(name)
        if leaves_time_wait and socket.state != TcpState.LISTEN:
            self.in_time_wait[netns][name] = msgspec.structs.replace(
                socket, state=TcpState.TIME_WAIT, inode=0
            )

    @precondition(lambda self: any(self.in_time_wait.values()))
    @rule(data=st.data())
    def time_wait_ends(self, data: st.DataObject) -> None:
        netns, name = data.draw(st.sampled_from(self._names(self.in_time_wait)))
        del self.in_time_wait[netns][name]

    def _names(self, places: dict[int, dict[Name, Socket]]) -> list[tuple[int, Name]]:
        return [(netns, name) for netns, sockets in places.items() for name in sockets]

    @rule(netns=st.sampled_from(NAMESPACES))
    def change_rung(self, netns: int) -> None:
        self.source[netns] = PROC if self.source[netns] is DIAG else DIAG

    @precondition(lambda self: any(self.open.values()))
    @rule(data=st.data())
    def hide_the_owner(self, data: st.DataObject) -> None:
        """Nobody knows yet who holds this socket; if it was told of before, nothing changes."""
        _, name = data.draw(st.sampled_from(self._names(self.open)))
        self.story.undecided.add(name)

    @rule()
    def show_all_owners(self) -> None:
        self.story.undecided.clear()

    # What the agent does

    @rule()
    def poll(self) -> None:
        self._poll()

    @rule(netns=st.sampled_from(NAMESPACES), data=st.data())
    def poll_with_a_torn_table(self, netns: int, data: st.DataObject) -> None:
        rows = [*self.open[netns].values(), *self.in_time_wait[netns].values()]
        kept = [socket for socket in rows if data.draw(st.booleans())]
        self._poll(torn=netns, kept=kept)

    @rule(netns=st.sampled_from(NAMESPACES))
    def lose_a_namespace(self, netns: int) -> None:
        self.open[netns].clear()
        self.in_time_wait[netns].clear()
        self._poll(gone=netns)

    def _poll(self, torn: int = 0, kept: list[Socket] | None = None, gone: int = 0) -> None:
        self.second += 2
        tables = []
        for netns in NAMESPACES:
            if netns == gone:
                continue
            rows = [*self.open[netns].values(), *self.in_time_wait[netns].values()]
            if netns == torn:
                rows = kept or []
            self.seen[netns] |= {socket.cookie for socket in rows if socket.inode}
            if self.source[netns] is PROC:
                rows = [msgspec.structs.replace(socket, cookie=0) for socket in rows]
            tables.append(
                snapshot(*rows, netns=netns, source=self.source[netns], is_complete=netns != torn)
            )
        self.story.poll(self.second, *tables, gone=[gone] if gone else [])
        self._check(torn)

    def _check(self, torn: int) -> None:
        """Every event of this poll is one the world explains."""
        for report in self.story.reports:
            assert report.event_id not in self.ids
            self.ids.add(report.event_id)
            name = report.inode
            kind = str(report.kind)
            if not name:  # over before anybody saw it open
                assert isinstance(report, ConnectionReport)
                assert kind == "closed"
                ports = report.netns, report.local_port, report.remote_port
                assert ports not in self.short, "told twice"
                self.short.add(ports)
                continue
            assert name not in self.over, "an event after the end"
            if kind == "closed":
                self.over.add(name)
                if report.netns != torn:
                    assert name not in self.open[report.netns]
            else:
                assert name in self.open[report.netns] or report.netns == torn
                assert kind == "ongoing" or name not in self.first_told
                self.first_told.add(name)
        for netns in NAMESPACES:
            if netns != torn:
                assert self.open[netns].keys() - self.story.undecided <= self.first_told
                assert self.seen[netns] - self.open[netns].keys() <= self.over

    @invariant()
    def as_many_lives_as_sockets(self) -> None:
        listeners = sum(len(n.listeners) for n in self.story.tracker._namespaces.values())
        lives = sum(len(n.lives) for n in self.story.tracker._namespaces.values())
        assert lives == len(self.story.tracker)
        assert listeners <= lives

    def teardown(self) -> None:
        """When everything has closed nothing is kept."""
        for netns in NAMESPACES:
            self.open[netns].clear()
            self.in_time_wait[netns].clear()
        self.poll()
        tracker = self.story.tracker
        assert len(tracker) == 0
        assert len(tracker._pairs) == 0
        self.second += 100
        self.poll()
        assert len(tracker._schedule) == 0
        assert set().union(*self.seen.values()) == self.over


TestWorld = World.TestCase


def test_the_world_of_the_model_has_pairs() -> None:
    """Otherwise it proves nothing about them."""
    world = World()
    world.connect(1, "10.0.0.1", "10.0.0.2", is_pair=True)
    world.poll()
    assert len(world.story.tracker._pairs) == 0
    assert len(world.story.tracker) == 2
    world.teardown()
