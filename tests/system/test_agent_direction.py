"""Who called whom, where the port numbers alone would mislead."""

import json
from collections.abc import Iterator

import pytest

from tests.system.harness import POLLS, Agent, Document, Netns, call
from tests.system.peers import Peer, Peers, Sock, linked, shown


@pytest.fixture(scope="module")
def room(peers: Peers) -> Netns:
    return peers.netns("direction")


@pytest.fixture(scope="module")
def server(peers: Peers, room: Netns) -> Peer:
    return peers.inside(room)


@pytest.fixture(scope="module")
def client(peers: Peers, room: Netns) -> Peer:
    return peers.inside(room)


@pytest.fixture(scope="module")
def agent(
    tmp_path_factory: pytest.TempPathFactory, server: Peer, client: Peer, rung: tuple[str, ...]
) -> Iterator[Agent]:
    """One for all tests here; what they make comes after it."""
    assert server.pid != client.pid
    with Agent(tmp_path_factory.mktemp("agent"), *rung) as started:
        yield started.wait_ready()


def first(agent: Agent, sock: Sock) -> Document:
    """What was said first of this socket."""
    return agent.wait_for(sock.is_in, f"{sock}")[0]


def assert_ends(agent: Agent, server_end: Sock, client_end: Sock) -> None:
    """Both the agent that saw it open and one that comes now know who called."""
    later = shown()
    for end, other, direction in (
        (server_end, client_end, "inbound"),
        (client_end, server_end, "outbound"),
    ):
        now = [event for event in later if end.is_in(event)]
        assert len(now) == 1, end
        for event in (first(agent, end), now[0]):
            assert event["connection"]["direction"] == direction, event
            addresses = (event["local_ip"], event["local_port"])
            assert (
                addresses == (end.local_ip, end.local_port) == (other.remote_ip, other.remote_port)
            )


def test_an_accepted_ipv4_connection_of_an_ipv6_listener_is_inbound(
    agent: Agent, server: Peer, client: Peer, rung: tuple[str, ...]
) -> None:
    listener = server.listen("::", v6_only=0)
    client_end = client.connect("127.0.0.1", listener.local_port)
    server_end = server.accept(listener)
    assert_ends(agent, server_end, client_end)
    assert first(agent, server_end)["local_ip"] == "127.0.0.1"
    assert first(agent, server_end)["connection"]["direction_source"] == (
        "listener" if rung is POLLS else "transition"
    )


def test_two_listeners_of_one_port_and_two_families_are_not_mixed_up(
    agent: Agent, server: Peer, client: Peer
) -> None:
    v4 = server.listen("0.0.0.0")
    v6 = client.listen("::", port=v4.local_port, v6_only=1)
    v4_client, v6_client = (
        client.connect("127.0.0.1", v4.local_port),
        server.connect("::1", v4.local_port),
    )
    v4_server, v6_server = server.accept(v4), client.accept(v6)
    assert_ends(agent, v4_server, v4_client)
    assert_ends(agent, v6_server, v6_client)
    pids = [first(agent, end)["local_process"]["pid"] for end in (v4, v6, v4_server, v6_server)]
    assert pids == [server.pid, client.pid, server.pid, client.pid]


def test_a_connection_from_a_port_that_also_listens_has_the_right_direction(
    agent: Agent, server: Peer, client: Peer
) -> None:
    listener = server.listen("0.0.0.0")
    own = client.listen("0.0.0.0", reuse_port=1)
    client_end = client.connect(
        "127.0.0.1",
        listener.local_port,
        source_ip="127.0.0.1",
        source_port=own.local_port,
        reuse_port=1,
    )
    server_end = server.accept(listener)
    assert client_end.local_port == own.local_port
    assert_ends(agent, server_end, client_end)


def test_a_listener_that_has_closed_is_still_the_one_that_was_called(
    agent: Agent, server: Peer, client: Peer
) -> None:
    assert_ends(agent, *linked(server, client))


def test_traffic_does_not_turn_the_direction_around(
    agent: Agent, server: Peer, client: Peer
) -> None:
    """Nor does data that nobody has read yet, or a half-closed connection."""
    server_end, client_end = linked(server, client)
    client.send(client_end, 100_000)
    server.send(server_end, 1)
    assert_ends(agent, server_end, client_end)
    half_server, half_client = linked(server, client)
    server.send(half_server, 7)
    server.finish(half_server)
    assert_ends(agent, half_server, half_client)


def test_a_socket_that_is_connected_to_itself_is_one_connection(agent: Agent, client: Peer) -> None:
    """A simultaneous open: both ends called."""
    with_port = client.listen("127.0.0.1")
    client.close_sock(with_port)
    port = with_port.local_port
    itself = client.connect("127.0.0.1", port, source_ip="127.0.0.1", source_port=port)
    event = first(agent, itself)
    assert (event["local_port"], event["remote_port"]) == (port, port)
    assert event["connection"]["direction"] == "outbound"
    assert event["local_process"]["pid"] == client.pid
    found = agent.found(lambda it: it["local_port"] == port == it.get("remote_port"))
    assert {it["connection"]["id"] for it in found} == {event["connection"]["id"]}


class Street:
    """Two namespaces and the veth pairs between them; the interfaces' numbers differ."""

    def __init__(self, peers: Peers, name: str, *, lanes: int = 1) -> None:
        self.here, self.there = peers.netns(f"{name}-a"), peers.netns(f"{name}-b")
        call("ip", "-n", self.there.name, "link", "add", "spare", "type", "bridge")
        for lane in range(lanes):
            command = ["ip", "link", "add", f"v{lane}", "netns", self.here.name, "type", "veth"]
            call(*command, "peer", "name", f"v{lane}", "netns", self.there.name)
            for netns, host in ((self.here, 1), (self.there, 2)):
                command = ["ip", "-n", netns.name]
                call(*command, "link", "set", f"v{lane}", "up")
                for address in (
                    f"10.77.{lane}.{host}/24",
                    f"fd77:{lane}::{host}/64",
                    f"fe80::{host}/64",
                ):
                    nodad = ["nodad"] if ":" in address else []
                    call(*command, "address", "add", address, "dev", f"v{lane}", *nodad)
        self.left, self.right = peers.inside(self.here), peers.inside(self.there)

    def interface(self, netns: Netns, lane: int = 0) -> int:
        link = json.loads(call("ip", "-n", netns.name, "-json", "link", "show", f"v{lane}"))
        return int(link[0]["ifindex"])


def remote_pids(agent: Agent, *socks: Sock) -> list[int]:
    """Whom the newest event of each names at the other end; 0 for nobody."""
    newest = [agent.wait_for(sock.is_in, f"{sock}")[-1] for sock in socks]
    return [event.get("remote_process", {}).get("pid", 0) for event in newest]


def test_global_ipv6_addresses_between_namespaces(agent: Agent, peers: Peers) -> None:
    street = Street(peers, "v6")
    server_end, client_end = linked(street.right, street.left, "fd77:0::2")
    assert_ends(agent, server_end, client_end)
    assert (server_end.local_ip, server_end.remote_ip) == ("fd77::2", "fd77::1")
    assert remote_pids(agent, server_end, client_end) == [street.left.pid, street.right.pid]
    for end, peer in ((server_end, street.right), (client_end, street.left)):
        event = first(agent, end)
        assert event["local_process"]["pid"] == peer.pid
        assert event["connection"]["netns"] == peer.netns
        assert "interface" not in event["connection"]


def test_link_local_addresses_come_with_their_interface(agent: Agent, peers: Peers) -> None:
    street = Street(peers, "ll")
    here, there = street.interface(street.here), street.interface(street.there)
    assert here != there
    listener = street.right.listen("fe80::2", interface=there)
    client_end = street.left.connect("fe80::2", listener.local_port, interface=here)
    server_end = street.right.accept(listener)
    assert_ends(agent, server_end, client_end)
    assert first(agent, listener)["listener"]["interface"] == there
    assert first(agent, server_end)["connection"]["interface"] == there
    assert first(agent, client_end)["connection"]["interface"] == here
    assert remote_pids(agent, server_end, client_end) == [street.left.pid, street.right.pid]


def test_equal_link_local_addresses_on_two_interfaces_are_two_connections(
    agent: Agent, peers: Peers
) -> None:
    """Also where all ports are the same: the right process is named at each end, or none."""
    street = Street(peers, "two", lanes=2)
    others = [peers.inside(street.here), peers.inside(street.there)]
    ends: list[tuple[Sock, int, int]] = []
    port = 7701
    for lane, (left, right) in enumerate(((street.left, street.right), tuple(others))):
        here = street.interface(street.here, lane)
        there = street.interface(street.there, lane)
        listener = right.listen("fe80::2", port, interface=there)
        client_end = left.connect(
            "fe80::2", port, interface=here, source_ip="fe80::1", source_port=port + 1
        )
        server_end = right.accept(listener)
        ends += [(client_end, here, right.pid), (server_end, there, left.pid)]
    for end, interface, other in ends:
        assert first(agent, end)["connection"]["interface"] == interface
        assert remote_pids(agent, end)[0] in (0, other)


def test_equal_addresses_in_separate_networks_are_not_mixed_up(agent: Agent, peers: Peers) -> None:
    """Two networks with one plan, as two Compose projects can have; all ports the same."""
    streets = [Street(peers, "plan-1"), Street(peers, "plan-2")]
    listeners = [street.right.listen("10.77.0.2", 7801) for street in streets]
    ends: list[tuple[Sock, int]] = []
    for street, listener in zip(streets, listeners, strict=True):
        client_end = street.left.connect("10.77.0.2", 7801, source_ip="10.77.0.1", source_port=7802)
        server_end = street.right.accept(listener)
        ends += [(client_end, street.right.pid), (server_end, street.left.pid)]
    for end, other in ends:
        assert remote_pids(agent, end)[0] in (0, other)
