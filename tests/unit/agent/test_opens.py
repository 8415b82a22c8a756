"""From an open trace to its row: where it is looked for, how often, and what is made of it."""

from collections.abc import Mapping
from typing import cast

import msgspec
import pytest

from connbeat.agent.opens import OpenFinder
from connbeat.capture.reader import SnapshotReader
from connbeat.errors import CaptureError, NotPermitted
from connbeat.model.connections import Direction
from connbeat.model.sockets import Socket, SocketSource, TcpState
from connbeat.model.targets import Namespaces, Target
from connbeat.model.traces import Trace
from tests.builders import HOST_NETNS, address, listening, process, row

CONTAINER, OTHER = 7, 8
NOW = 5_000_000_000


class FakeReader:
    """The sockets of each namespace, and who was asked."""

    def __init__(self, sockets: Mapping[int, list[Socket] | CaptureError]) -> None:
        self.sockets = dict(sockets)
        self.asked: list[int] = []
        self.forced: list[int | None] = []

    def get(self, target: Target, wanted: Socket) -> Socket | None:
        self.asked.append(target.netns)
        found = self.sockets.get(target.netns, [])
        if isinstance(found, CaptureError):
            raise found
        for socket_ in found:
            ends = "family", "local_ip", "local_port", "remote_ip", "remote_port"
            if all(getattr(socket_, name) == getattr(wanted, name) for name in ends):
                return socket_
        listeners = [s for s in found if s.state == TcpState.LISTEN]
        return listeners[0] if listeners else None  # as the kernel's look-up does

    def force(self, netns: int | None, dumps: int = 1) -> None:
        assert dumps == 1
        self.forced.append(netns)


class House:
    def __init__(self, sockets: Mapping[int, list[Socket] | CaptureError]) -> None:
        self.reader = FakeReader(sockets)
        self.listening: dict[tuple[bytes, int], list[int]] = {}
        self.seen = Namespaces(
            {n: Target(n, (n * 10,), "", is_host=n == HOST_NETNS) for n in (1, CONTAINER, OTHER)},
            (),
        )
        self.finder = OpenFinder(
            cast(SnapshotReader, self.reader),
            lambda ip, port: self.listening.get((ip, port), []),
        )

    def find(self) -> tuple[dict[int, list[Socket]], list[tuple[int, int, Trace]]]:
        snapshots, known = self.finder.find(self.seen, NOW)
        assert all(s.source is SocketSource.INET_DIAG for s in snapshots)
        assert not any(s.is_complete for s in snapshots), "what is not in it is not gone"
        assert all(s.taken_ns == NOW for s in snapshots)
        return {s.netns: list(s.sockets) for s in snapshots}, known


def trace(
    local: str, remote: str, *, direction: Direction = Direction.OUTBOUND, netns: int = 0
) -> Trace:
    """Of a process in that namespace, 0 for nobody known."""
    made = Trace(1, direction, 1)
    made.local_ip, made.local_port = address(local)
    made.remote_ip, made.remote_port = address(remote)
    made.family = 2 if len(made.remote_ip) == 4 else 10
    if netns:
        made.process = msgspec.structs.replace(process(500), netns=netns)
    return made


CLIENT, SERVER = "10.0.0.1:40000", "10.0.0.2:80"
OPEN = row(CLIENT, SERVER, cookie=5)
ACCEPTED = row(SERVER, CLIENT, cookie=6)


def test_a_connection_is_looked_for_where_its_caller_lives() -> None:
    house = House({CONTAINER: [OPEN], OTHER: [OPEN]})
    opened = trace(CLIENT, SERVER, netns=CONTAINER)
    house.finder.add([opened])
    assert house.find() == ({CONTAINER: [OPEN]}, [(CONTAINER, 5, opened)])
    assert house.reader.asked == [CONTAINER]
    assert house.find() == ({}, []), "once"


def test_an_accepted_connection_is_looked_for_where_somebody_listens() -> None:
    house = House({CONTAINER: [], OTHER: [ACCEPTED]})
    house.listening = {address(SERVER): [CONTAINER, OTHER]}
    opened = trace(SERVER, CLIENT, direction=Direction.INBOUND)
    house.finder.add([opened])
    assert house.find() == ({OTHER: [ACCEPTED]}, [(OTHER, 6, opened)])


def test_several_of_one_namespace_are_one_snapshot() -> None:
    second = row("10.0.0.1:40001", SERVER, cookie=9)
    house = House({CONTAINER: [OPEN, second]})
    house.finder.add(
        [trace(CLIENT, SERVER, netns=CONTAINER), trace("10.0.0.1:40001", SERVER, netns=CONTAINER)]
    )
    rows, known = house.find()
    assert rows == {CONTAINER: [OPEN, second]}
    assert [cookie for _, cookie, _ in known] == [5, 9]


def test_one_that_closed_meanwhile_is_not_looked_for() -> None:
    house = House({CONTAINER: [OPEN]})
    closed = trace(CLIENT, SERVER, netns=CONTAINER)
    house.finder.add([closed])
    closed.cookie = 5
    assert house.find() == ({}, [])
    assert house.reader.asked == []


def test_one_that_is_not_found_is_looked_for_three_times() -> None:
    house = House({})
    house.finder.add([trace(CLIENT, SERVER, netns=CONTAINER)])
    for _ in range(5):
        assert house.find() == ({}, [])
    assert house.reader.asked == [CONTAINER] * 3


def test_one_whose_listener_is_closed_already_or_not_known_yet_is_looked_for_everywhere() -> None:
    house = House({OTHER: [ACCEPTED]})
    opened = trace(SERVER, CLIENT, direction=Direction.INBOUND)
    house.finder.add([opened])
    assert house.find() == ({OTHER: [ACCEPTED]}, [(OTHER, 6, opened)])


def test_one_that_a_listener_elsewhere_accepts_is_not_looked_for_everywhere() -> None:
    house = House({OTHER: [ACCEPTED]})
    house.listening = {address(SERVER): [CONTAINER]}
    house.finder.add([trace(SERVER, CLIENT, direction=Direction.INBOUND)])
    assert house.find() == ({}, [])
    assert house.reader.asked == [CONTAINER]
    house.listening = {address(SERVER): [OTHER]}
    assert house.find()[0] == {OTHER: [ACCEPTED]}


def test_the_listener_that_the_kernel_gives_instead_is_not_it() -> None:
    house = House({CONTAINER: [listening("0.0.0.0:80", cookie=1)]})
    house.finder.add([trace(CLIENT, SERVER, netns=CONTAINER)])
    assert house.find() == ({}, [])


def test_a_caller_that_nobody_knows_could_be_anywhere() -> None:
    house = House({CONTAINER: [OPEN]})
    house.finder.add([trace(CLIENT, SERVER)])
    assert house.find() == ({}, [])
    assert house.reader.asked == []


def test_a_namespace_that_is_gone_is_not_asked() -> None:
    house = House({})
    house.finder.add([trace(CLIENT, SERVER, netns=99)])
    assert house.find() == ({}, [])
    assert house.reader.asked == []


def test_a_namespace_that_cannot_be_read_costs_no_other() -> None:
    house = House({CONTAINER: NotPermitted("no"), OTHER: [ACCEPTED]})
    house.listening = {address(SERVER): [CONTAINER, OTHER]}
    house.finder.add([trace(SERVER, CLIENT, direction=Direction.INBOUND)])
    assert house.find()[0] == {OTHER: [ACCEPTED]}


@pytest.mark.parametrize(("netns", "forced"), [(CONTAINER, CONTAINER), (0, None)])
def test_a_listener_costs_a_dump_of_its_namespace_for_several_can_share_an_address(
    netns: int, forced: int | None
) -> None:
    house = House({CONTAINER: [listening("0.0.0.0:80", cookie=1)]})
    listener = trace("0.0.0.0:80", "0.0.0.0:0", direction=Direction.UNKNOWN, netns=netns)
    listener.is_listener = True
    house.finder.add([listener])
    assert house.reader.forced == [forced]
    assert house.find() == ({}, [])
