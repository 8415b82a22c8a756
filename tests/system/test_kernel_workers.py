"""Accepted connections: the process that served one, by its own word, not the listener's owner."""

from collections.abc import Iterator

import pytest

from tests.system.bursts import KernelAgent, Load, by_client_port, kind_of
from tests.system.harness import Netns
from tests.system.peers import BINARY, Peers

COUNT = 80
#: How many processes serve.
WORKERS = {
    "preforked": 4,
    "reuse_port": 4,
    "threaded": 1,
    "forking": COUNT,
    "activated": 1,
}


@pytest.fixture(scope="module")
def room(peers: Peers) -> Netns:
    return peers.netns("kernel-workers")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, room: Netns) -> Iterator[KernelAgent]:
    assert room.inode
    with KernelAgent(tmp_path_factory.mktemp("agent")) as started:
        started.wait_ready()
        yield started


@pytest.mark.parametrize("is_known", [True, False], ids=["known-listener", "new-listener"])
@pytest.mark.parametrize("kind", list(WORKERS))
def test_every_connection_names_the_worker_that_served_it(
    agent: KernelAgent, room: Netns, kind: str, is_known: bool
) -> None:
    before = ("ip", "netns", "exec", room.name)
    with Load("serve", before=before, kind=kind, count=COUNT) as load:
        if is_known:
            agent.wait_for(
                lambda it: "listener" in it and it["local_port"] == load.ready["port"], "listener"
            )
        truth = load.go()
        events = agent.await_about(truth["port"], 2 * COUNT, load.netns)
    served = {one["port"]: one["pid"] for one in truth["connections"]}
    assert len(served) == COUNT
    assert len(set(served.values())) == WORKERS[kind]
    assert load.pid not in served.values()

    closed = [it for it in events if kind_of(it) == "closed"]
    assert len(closed) == 2 * COUNT
    sides = by_client_port(closed, truth["port"])
    told = {port: it["local_process"].get("pid") for port, it in sides["server"].items()}
    assert told == served
    named = {port: it["remote_process"]["pid"] for port, it in sides["client"].items()}
    assert named == served
    assert {it["local_process"]["binary"] for it in closed} == {BINARY}
    assert {it["local_process"]["pid"] for it in sides["client"].values()} == {load.pid}
    assert {it["connection"]["direction"] for it in sides["server"].values()} == {"inbound"}
    assert {it["connection"]["direction_source"] for it in closed} == {"transition"}
