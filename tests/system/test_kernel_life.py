"""Connections that stay, and listeners that do not: told in time, with the kernel's own times."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.system.bursts import KernelAgent, Load, kind_of, moment
from tests.system.harness import Document, Netns
from tests.system.peers import BINARY, Peer, Peers, Sock, closed, events_of

POLL_SECONDS = 2.0
#: From the poll to the test's eye: the agent's turn, the queue, the file, on a busy machine.
SLACK_SECONDS = 1.0


@pytest.fixture(scope="module")
def room(peers: Peers) -> Netns:
    return peers.netns("kernel-life")


@pytest.fixture(scope="module")
def server(peers: Peers, room: Netns) -> Peer:
    return peers.inside(room)


@pytest.fixture(scope="module")
def client(peers: Peers, room: Netns) -> Peer:
    return peers.inside(room)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, room: Netns) -> Iterator[KernelAgent]:
    assert room.inode
    options = (f"connbeat.poll_interval={POLL_SECONDS:g}s", "connbeat.aggregation=1s")
    with KernelAgent(tmp_path_factory.mktemp("agent"), *options) as started:
        started.wait_ready()
        yield started


def opened(agent: KernelAgent, *ends: Sock) -> list[Document]:
    """The first event of each, which says that it opened."""
    found = []
    for end in ends:
        agent.wait_for(end.is_in, f"the opening of {end}")
        found.append(events_of(agent, end)[0])
    assert {kind_of(it) for it in found} == {"opened"}
    return found


@pytest.mark.parametrize("is_client_first", [True, False], ids=["client-first", "server-first"])
def test_a_connection_is_opened_within_a_poll_and_its_three_steps_agree(
    agent: KernelAgent, server: Peer, client: Peer, *, is_client_first: bool
) -> None:
    listener = server.listen()
    agent.wait_for(listener.is_in, "the listener")
    opening = [time.time()]
    client_end = client.connect("127.0.0.1", listener.local_port)
    opening.append(time.time())
    server_end = server.accept(listener)
    here, there = (client, client_end), (server, server_end)
    opened(agent, client_end, server_end)
    assert time.time() - opening[1] < POLL_SECONDS + SLACK_SECONDS

    transfer(here, there, 1_000_003)
    transfer(there, here, 300_001)
    for _, end in (here, there):
        await_ongoing(agent, end)
    closing = [time.time()]
    if is_client_first:  # it has said everything, and listens still
        client.finish(client_end)
        transfer(there, here, 70_000)
    for peer, end in (there, here):
        peer.close_sock(end)
    closing.append(time.time())
    for _, end in (here, there):
        closed(agent, end)
    server.close_sock(listener)
    agent.await_polls(5)  # would be told again after the next dump

    sizes = 1_000_003, 300_001 + 70_000 * is_client_first
    for (peer, end), sent, direction in (
        (here, sizes, "outbound"),
        (there, sizes[::-1], "inbound"),
    ):
        events = events_of(agent, end)
        check_steps(events, opening, closing)
        assert {it["local_process"]["pid"] for it in events} == {peer.pid}
        assert {it["connection"]["direction"] for it in events} == {direction}
        last = events[-1]["connection"]
        assert (last["bytes_sent"], last["bytes_received"]) == sent


def check_steps(events: list[Document], opening: list[float], closing: list[float]) -> None:
    """The steps are one life's, and its times lie between the test's own."""
    kinds = [kind_of(it) for it in events]
    assert kinds == ["opened", *["ongoing"] * (len(kinds) - 2), "closed"]
    assert len({it["connection"]["id"] for it in events}) == 1
    [opened_at] = {it["connection"]["opened_at"] for it in events}
    assert opening[0] - 0.002 <= moment(opened_at) <= opening[1] + 0.002
    closed_at = events[-1]["connection"]["closed_at"]
    assert closing[0] - 0.002 <= moment(closed_at) <= closing[1] + 0.05
    assert {it["connection"]["direction_source"] for it in events} == {"transition"}


def await_ongoing(agent: KernelAgent, end: Sock) -> None:
    agent.wait_for(lambda it: end.is_in(it) and kind_of(it) == "ongoing", "ongoing", count=2)


def transfer(sender: tuple[Peer, Sock], receiver: tuple[Peer, Sock], size: int) -> None:
    (peer, end), (other, other_end) = sender, receiver
    peer.ask(("send", {"number": end.number, "size": size}))
    other.receive(other_end, size)
    peer.answers()


def test_a_listener_that_is_closed_at_once_is_told_with_its_process(
    agent: KernelAgent, room: Netns
) -> None:
    with Load("listen", before=("ip", "netns", "exec", room.name), count=20) as load:
        truth = load.go()
    ports = {one["port"] for one in truth}

    def is_one(event: Document) -> bool:
        return (
            "listener" in event
            and event["local_port"] in ports
            and event["listener"]["netns"] == room.inode
        )

    agent.wait_for(lambda it: is_one(it) and kind_of(it) == "closed", "ends", count=20)
    agent.await_polls(5)
    events = agent.found(is_one)
    ends = [it for it in events if kind_of(it) == "closed"]
    assert Counter(it["local_port"] for it in ends) == Counter(ports)
    # One that a poll came upon is told when it opened, too.
    assert Counter(kind_of(it) for it in events if kind_of(it) != "closed").total() <= 1
    assert {it["listener"]["ip"] for it in events} == {"127.0.0.1"}
    assert {it["local_process"]["pid"] for it in events} == {load.pid}
    assert {it["local_process"]["binary"] for it in events} == {BINARY}
    by_port = {it["local_port"]: it["listener"] for it in ends}
    for one in truth:
        before, after = one["opened"]
        about = by_port[one["port"]]
        assert before - 0.002 <= moment(about["opened_at"]) <= after + 0.002
        assert about["opened_at"] <= about["closed_at"]
