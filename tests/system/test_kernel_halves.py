"""Bytes to the byte, however a connection ends: the FIN of the other side is none.

Ground truth is what the program's two ends sent each other.
"""

from collections.abc import Iterator

import pytest

from tests.system.burst_program import ENDINGS
from tests.system.bursts import KernelAgent, Load, by_client_port, kind_of
from tests.system.harness import Document, Netns
from tests.system.peers import Peers

COUNT = 100


@pytest.fixture(scope="module")
def room(peers: Peers) -> Netns:
    return peers.netns("kernel-halves")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, room: Netns) -> Iterator[KernelAgent]:
    assert room.inode
    with KernelAgent(tmp_path_factory.mktemp("agent")) as started:
        started.wait_ready()
        yield started


@pytest.mark.parametrize("how", ENDINGS)
def test_each_end_is_told_with_the_bytes_that_it_sent_and_that_came_in(
    agent: KernelAgent, room: Netns, how: str
) -> None:
    before = ("ip", "netns", "exec", room.name)
    with Load("halves", before=before, how=how, count=COUNT) as load:
        truth = load.go()
        events = agent.await_about(truth["port"], 2 * COUNT, room.inode)
    sides = by_client_port([it for it in events if kind_of(it) == "closed"], truth["port"])
    told = {
        side: {port: counters(event) for port, event in events.items()}
        for side, events in sides.items()
    }
    wanted = {
        "client": {int(port): sizes for port, sizes in truth["connections"].items()},
        "server": {int(port): sizes[::-1] for port, sizes in truth["connections"].items()},
    }
    if "server resets" in how:  # who resets on purpose loses its counters, unless a poll had some
        assert told["server"].keys() == wanted["server"].keys()
        del told["server"], wanted["server"]
    assert told == wanted


def counters(event: Document) -> list[int | None]:
    about = event["connection"]
    return [about.get("bytes_sent"), about.get("bytes_received")]
