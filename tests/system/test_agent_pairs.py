"""Many clients of one port, and both ends of a connection that are on this host."""

from collections.abc import Iterator

import pytest

from tests.system.harness import QUICK, Agent, Netns
from tests.system.peers import Peer, Peers, Sock, closed, linked

CLIENTS = [f"127.0.0.{number}" for number in range(2, 52)]


@pytest.fixture(scope="module")
def room(peers: Peers) -> Netns:
    return peers.netns("pairs")


@pytest.fixture(scope="module")
def server(peers: Peers, room: Netns) -> Peer:
    return peers.inside(room)


@pytest.fixture(scope="module")
def callers(peers: Peers, room: Netns) -> list[Peer]:
    return [peers.inside(room) for _ in range(5)]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    # One poll a second: what a test does at once is within one interval.
    with Agent(tmp_path_factory.mktemp("agent"), *QUICK, "connbeat.poll_interval=1s") as started:
        yield started.wait_ready()


def called_by_fifty(listener: Sock, callers: list[Peer]) -> list[tuple[Peer, list[Sock]]]:
    """50 connections from 50 addresses, ten a process."""
    found = []
    for number, caller in enumerate(callers):
        wanted = [
            {"ip": "127.0.0.1", "port": listener.local_port, "source_ip": ip}
            for ip in CLIENTS[number * 10 : number * 10 + 10]
        ]
        found.append((caller, caller.connect_all(*wanted)))
    return found


def test_fifty_clients_within_one_interval_are_fifty_remote_addresses(
    agent: Agent, server: Peer, callers: list[Peer]
) -> None:
    listener = server.listen()
    port = listener.local_port
    ends = called_by_fifty(listener, callers)
    server.accept_all(listener, 50)

    at_server = agent.wait_for(
        lambda it: it["local_port"] == port and "remote_port" in it, "the server's ends", count=50
    )
    assert sorted(it["remote_ip"] for it in at_server) == sorted(CLIENTS)
    assert {it["local_process"]["pid"] for it in at_server} == {server.pid}
    assert {it["connection"]["direction"] for it in at_server} == {"inbound"}
    pid_of = {(s.local_ip, s.local_port): caller.pid for caller, socks in ends for s in socks}
    named = {(it["remote_ip"], it["remote_port"]): it["remote_process"]["pid"] for it in at_server}
    assert named == pid_of

    at_clients = agent.wait_for(
        lambda it: it.get("remote_port") == port, "the clients' ends", count=50
    )
    owners = {(it["local_ip"], it["local_port"]): it["local_process"]["pid"] for it in at_clients}
    assert owners == pid_of
    assert {it["connection"]["direction"] for it in at_clients} == {"outbound"}
    assert {it["remote_process"]["pid"] for it in at_clients} == {server.pid}
    assert {it["remote_process"]["binary"] for it in at_clients} == {
        it["local_process"]["binary"] for it in at_server
    }


def test_fifty_clients_that_are_gone_within_one_interval_are_one_closed_event_each(
    agent: Agent, server: Peer, callers: list[Peer]
) -> None:
    """The end that closed first stays in TIME_WAIT; its port says which listener it was for."""
    listener = server.listen()
    port = listener.local_port
    ends = called_by_fifty(listener, callers)
    server.close_sock(*server.accept_all(listener, 50))
    for caller, socks in ends:
        caller.close_sock(*socks)
    found = agent.wait_for(
        lambda it: it["local_port"] == port and it.get("connection", {}).get("event") == "closed",
        "the server's ends",
        count=50,
    )
    assert sorted(it["remote_ip"] for it in found) == sorted(CLIENTS)
    assert {it["connection"]["direction"] for it in found} == {"inbound"}


def test_each_end_of_a_connection_of_one_process_with_itself_names_it(
    agent: Agent, server: Peer
) -> None:
    for end in linked(server, server):
        (event,) = agent.wait_for(end.is_in, "an end")
        assert event["local_process"]["pid"] == event["remote_process"]["pid"] == server.pid


def test_an_ipv4_connection_of_an_ipv6_socket_is_ipv4_at_both_ends(
    agent: Agent, server: Peer, callers: list[Peer]
) -> None:
    listener = server.listen("::", v6_only=0)
    client_end = callers[0].connect("::ffff:127.0.0.9", listener.local_port)
    server_end = server.accept(listener)
    for end, local, remote in ((client_end, callers[0], server), (server_end, server, callers[0])):
        (event,) = agent.wait_for(end.is_in, "an end")
        assert (event["local_ip"], event["remote_ip"]) == (end.local_ip, end.remote_ip)
        assert event["local_process"]["pid"] == local.pid
        assert event["remote_process"]["pid"] == remote.pid
    assert client_end.remote_ip == "127.0.0.9"


def test_a_connection_that_a_child_inherits_stays_its_openers(
    agent: Agent, server: Peer, callers: list[Peer]
) -> None:
    _, client_end = linked(server, callers[0])
    callers[0].fork()
    (event,) = agent.wait_for(client_end.is_in, "the client's end")
    assert event["local_process"]["pid"] == callers[0].pid


def test_a_process_that_was_killed_is_named_to_the_end_of_its_connections(
    agent: Agent, peers: Peers, room: Netns, server: Peer
) -> None:
    """Its end is an orphan in FIN_WAIT2 until the server's, half-closed, closes, too."""
    client = peers.inside(room)
    server_end, client_end = linked(server, client)
    for end in (server_end, client_end):
        agent.wait_for(end.is_in, "an end")
    client.kill()
    server.close_sock(server_end)
    for end, own, other in ((server_end, server, client), (client_end, client, server)):
        last = closed(agent, end)
        assert last["local_process"]["pid"] == own.pid
        assert last["remote_process"]["pid"] == other.pid
