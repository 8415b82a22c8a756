"""Bytes, to the byte, at both ends."""

from collections.abc import Iterator

import pytest

from tests.system.harness import Agent, Document
from tests.system.peers import Peer, Peers, Sock, linked

REQUEST, REPLY = 1_234_567, 7_654_321


@pytest.fixture(scope="module")
def server(peers: Peers) -> Peer:
    return peers.inside(peers.netns("transfer"))


@pytest.fixture(scope="module")
def client(peers: Peers, server: Peer) -> Peer:
    return peers.inside_of(server.pid)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, rung: tuple[str, ...]) -> Iterator[Agent]:
    with Agent(tmp_path_factory.mktemp("agent"), *rung, "connbeat.aggregation=500ms") as started:
        yield started.wait_ready()


def exchange(client: Peer, client_end: Sock, server: Peer, server_end: Sock) -> None:
    """REQUEST bytes from the client to the server, REPLY bytes back, all read."""
    for sender, sending, size, receiver, receiving in (
        (client, client_end, REQUEST, server, server_end),
        (server, server_end, REPLY, client, client_end),
    ):
        sender.ask(("send", {"number": sending.number, "size": size}))
        receiver.receive(receiving, size)
        sender.answers()


def bytes_of(event: Document) -> tuple[int, int]:
    return event["connection"]["bytes_sent"], event["connection"]["bytes_received"]


def wait_for_bytes(agent: Agent, sock: Sock, event: str, counts: tuple[int, int]) -> None:
    """The exact numbers come, and no event of it says more."""
    agent.wait_for(
        lambda it: sock.is_in(it) and it["connection"]["event"] == event and bytes_of(it) == counts,
        f"{event} with {counts}; there are "
        f"{[(it['connection']['event'], bytes_of(it)) for it in agent.found(sock.is_in)]}",
    )
    last = agent.found(sock.is_in)[-1]
    assert bytes_of(last) == counts


@pytest.mark.parametrize("who_closes", ["client", "server"])
def test_a_transfer_of_a_known_size_is_exact_at_both_ends(
    agent: Agent, server: Peer, client: Peer, who_closes: str
) -> None:
    server_end, client_end = linked(server, client)
    exchange(client, client_end, server, server_end)
    wait_for_bytes(agent, client_end, "ongoing", (REQUEST, REPLY))
    wait_for_bytes(agent, server_end, "ongoing", (REPLY, REQUEST))
    closing = [(client, client_end), (server, server_end)]
    for peer, end in closing if who_closes == "client" else closing[::-1]:
        peer.close_sock(end)
    wait_for_bytes(agent, client_end, "closed", (REQUEST, REPLY))
    wait_for_bytes(agent, server_end, "closed", (REPLY, REQUEST))


def test_neither_the_handshake_nor_the_end_counts_as_payload(
    agent: Agent, server: Peer, client: Peer
) -> None:
    server_end, client_end = linked(server, client)
    wait_for_bytes(agent, client_end, "ongoing", (0, 0))
    wait_for_bytes(agent, server_end, "ongoing", (0, 0))
    client.finish(client_end)  # FIN_WAIT2 and CLOSE_WAIT: one FIN was received
    wait_for_state(agent, server_end, "close_wait", (0, 0))
    wait_for_state(agent, client_end, "fin_wait2", (0, 0))
    server.send(server_end, 5000)  # the other half goes on
    client.receive(client_end, 5000)
    wait_for_state(agent, server_end, "close_wait", (5000, 0))
    wait_for_state(agent, client_end, "fin_wait2", (0, 5000))
    server.close_sock(server_end)
    wait_for_bytes(agent, server_end, "closed", (5000, 0))
    wait_for_bytes(agent, client_end, "closed", (0, 5000))


def wait_for_state(agent: Agent, sock: Sock, state: str, counts: tuple[int, int]) -> None:
    agent.wait_for(
        lambda it: sock.is_in(it) and it["connection"]["state"] == state and bytes_of(it) == counts,
        f"{state} with {counts}",
    )


def test_what_nobody_has_read_yet_is_received(agent: Agent, server: Peer, client: Peer) -> None:
    """It has arrived at the host, and the kernel has acknowledged it."""
    server_end, client_end = linked(server, client)
    client.send(client_end, 10_000)
    wait_for_bytes(agent, server_end, "ongoing", (0, 10_000))
    wait_for_bytes(agent, client_end, "ongoing", (10_000, 0))


def test_a_connection_that_is_reset_keeps_its_last_counters(
    agent: Agent, server: Peer, client: Peer
) -> None:
    server_end, client_end = linked(server, client)
    exchange(client, client_end, server, server_end)
    wait_for_bytes(agent, client_end, "ongoing", (REQUEST, REPLY))
    wait_for_bytes(agent, server_end, "ongoing", (REPLY, REQUEST))
    client.reset(client_end)
    wait_for_bytes(agent, client_end, "closed", (REQUEST, REPLY))
    wait_for_bytes(agent, server_end, "closed", (REPLY, REQUEST))


def test_more_than_four_gigabytes_are_no_surprise(agent: Agent, server: Peer, client: Peer) -> None:
    """The counters have 64 bits; a loopback moves 5 GB in a few seconds."""
    size = 4_300_000_000
    server_end, client_end = linked(server, client)
    client.ask(("send", {"number": client_end.number, "size": size}))
    server.receive(server_end, size)
    client.answers()
    wait_for_bytes(agent, client_end, "ongoing", (size, 0))
    wait_for_bytes(agent, server_end, "ongoing", (0, size))
