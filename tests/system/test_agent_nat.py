"""Who is really at the other end: published ports, docker-proxy, service addresses.

The clients: a process of the host, a container, and a machine outside, which is a namespace behind
a veth pair. The server: a container whose port is published, and which stands behind a service
address by rules that the test makes, as Kubernetes makes them.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.system.harness import QUICK, Agent, Document, call, wait_until
from tests.system.peers import Peer, Peers, Sock, closed

pytestmark = pytest.mark.docker

PORT = 8080
SERVICE_IP, SERVICE_PORT, DEAD_PORT = "10.96.0.10", 80, 81
OUTSIDE_IP, DOOR_IP = "10.213.7.2", "10.213.7.1"
DEAD_IP = "10.213.7.3"
DOOR = "nat-door"


class Web(NamedTuple):
    """The server, its address, the host's on that bridge, its listener, the host's ports for it."""

    peer: Peer
    ip: str
    gateway: str
    listener: Sock
    published: int
    published_v6: int

    def call(self, client: Peer, ip: str, port: int, *, is_short: bool) -> tuple[Sock, Sock]:
        """A connection: the client's end, the server's. A short one is closed at once."""
        sock = client.connect(ip, port)
        end = self.peer.accept(self.listener)
        if is_short:
            client.close_sock(sock)
            self.peer.close_sock(end)
        return sock, end


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, web: Web, host: Peer) -> Iterator[Agent]:
    options = (*QUICK, "connbeat.aggregation=500ms", "connbeat.enable_docker=true")
    with Agent(tmp_path_factory.mktemp("agent"), *options) as started:
        started.wait_ready()
        wait_until(lambda: is_joined(started, web, host), 20, "docker-proxy is trusted")
        yield started


@pytest.fixture(scope="module")
def web(peers: Peers, busybox_image: str) -> Web:
    assert busybox_image
    peer = peers.in_container("nat-web", f"--publish={PORT}")
    v4, v6 = call("docker", "port", peer.container_id, f"{PORT}/tcp").splitlines()
    return Web(
        peer,
        address_of(peer, "IPAddress"),
        address_of(peer, "Gateway"),
        peer.listen("0.0.0.0", PORT),
        int(v4.rpartition(":")[2]),
        int(v6.rpartition(":")[2]),
    )


@pytest.fixture(scope="module")
def host(peers: Peers) -> Peer:
    return peers.on_host()


@pytest.fixture(scope="module")
def caller(peers: Peers, busybox_image: str) -> Peer:
    assert busybox_image
    return peers.in_container("nat-caller")


@pytest.fixture(scope="module")
def outside(peers: Peers) -> Peer:
    """A machine that is not this host, as far as addresses go."""
    netns = peers.netns("nat-out")
    subprocess.run(["ip", "link", "del", DOOR], capture_output=True, check=False)
    call("ip", "link", "add", DOOR, "type", "veth", "peer", "eth0", "netns", netns.name)
    call("ip", "address", "add", f"{DOOR_IP}/24", "dev", DOOR)
    call("ip", "link", "set", DOOR, "up")
    call("ip", "-n", netns.name, "address", "add", f"{OUTSIDE_IP}/24", "dev", "eth0")
    call("ip", "-n", netns.name, "link", "set", "eth0", "up")
    call("ip", "-n", netns.name, "route", "add", "default", "via", DOOR_IP)
    return peers.inside(netns)


@pytest.fixture(scope="module")
def service(web: Web) -> Iterator[None]:
    """The service address leads to the server; to itself by way of the host, as a caller on the
    same bridge would else be answered past it.
    """
    to = f"-d {SERVICE_IP} -p tcp --dport"
    bridge = call("docker", "network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}",
                  "bridge")  # fmt: skip
    rules = [
        f"{chain} {to} {port} -j DNAT --to-destination {ip}:{PORT}"
        for chain in ("PREROUTING", "OUTPUT")
        for port, ip in ((SERVICE_PORT, web.ip), (DEAD_PORT, DEAD_IP))
    ]
    rules.append(
        f"POSTROUTING -s {bridge} -d {web.ip} -p tcp"
        f" -m conntrack --ctstate DNAT --ctorigdst {SERVICE_IP} -j MASQUERADE"
    )
    for rule in rules:
        unrule(rule)
        call("iptables", "-t", "nat", "-A", *rule.split())
    yield
    for rule in rules:
        unrule(rule)


def unrule(rule: str) -> None:
    subprocess.run(["iptables", "-t", "nat", "-D", *rule.split()], capture_output=True, check=False)


def is_joined(agent: Agent, web: Web, host: Peer) -> bool:
    """Whether docker-proxy's connections are joined yet: its listeners were there before us."""
    _, end = web.call(host, "127.0.0.1", web.published, is_short=True)
    _, end_v6 = web.call(host, "::1", web.published_v6, is_short=True)
    return "nat" in closed(agent, end) and "nat" in closed(agent, end_v6)


def address_of(peer: Peer, what: str) -> str:
    form = f"{{{{range .NetworkSettings.Networks}}}}{{{{.{what}}}}}{{{{end}}}}"
    return call("docker", "inspect", "-f", form, peer.container_id)


def who(event: Document, side: str) -> tuple[int, str]:
    """The pid and the container at this side of the event, 0 and "" where there is none."""
    container = event.get("container" if side == "local" else "remote_container", {})
    return event.get(f"{side}_process", {}).get("pid", 0), container.get("id", "")


def named(peer: Peer) -> tuple[int, str]:
    return peer.pid, peer.container_id


def nat(ip: str, port: int) -> Document:
    return {"remote_ip": ip, "remote_port": port}


def assert_both_ends(
    agent: Agent,
    client: tuple[Peer, Sock],
    server: tuple[Web, Sock],
    *,
    is_hidden: bool,
    is_short: bool,
) -> None:
    """The client's event has the container behind the address, the container's the client.

    `is_hidden`: the container's socket has another remote address than the client's.
    """
    (peer, sock), (web, end) = client, server
    if is_short:
        told, answered = closed(agent, sock), closed(agent, end)
    else:
        told, answered = known(agent, sock, web.peer), known(agent, end, peer)
    assert told["nat"] == nat(web.ip, PORT)
    assert who(told, "local") == named(peer)
    assert who(told, "remote") == named(web.peer)
    assert who(answered, "local") == named(web.peer)
    assert who(answered, "remote") == named(peer)
    assert (end.remote_ip, end.remote_port) != (sock.local_ip, sock.local_port) or not is_hidden
    if is_hidden:
        assert answered["nat"] == nat(sock.local_ip, sock.local_port)
    else:
        assert "nat" not in answered
        assert answered["remote_ip"] == sock.local_ip


def known(agent: Agent, sock: Sock, other: Peer) -> Document:
    """The newest event of an open end, once it names its other end: that may be seen later."""
    return agent.wait_for(
        lambda it: sock.is_in(it) and who(it, "remote") == named(other), f"{sock} and its other end"
    )[-1]


SHORT = pytest.mark.parametrize("is_short", [True, False], ids=["short", "long"])


@SHORT
def test_a_published_port_by_translation_from_the_host(
    agent: Agent, web: Web, host: Peer, is_short: bool
) -> None:
    sock, end = web.call(host, web.gateway, web.published, is_short=is_short)
    assert_both_ends(agent, (host, sock), (web, end), is_hidden=False, is_short=is_short)


@SHORT
def test_a_published_port_by_translation_from_outside(
    agent: Agent, web: Web, outside: Peer, is_short: bool
) -> None:
    sock, end = web.call(outside, DOOR_IP, web.published, is_short=is_short)
    assert_both_ends(agent, (outside, sock), (web, end), is_hidden=False, is_short=is_short)


@SHORT
def test_a_published_port_through_docker_proxy_from_the_host(
    agent: Agent, web: Web, host: Peer, is_short: bool
) -> None:
    sock, end = web.call(host, "127.0.0.1", web.published, is_short=is_short)
    assert_both_ends(agent, (host, sock), (web, end), is_hidden=True, is_short=is_short)


@SHORT
def test_a_published_port_through_docker_proxy_by_ipv6(
    agent: Agent, web: Web, host: Peer, is_short: bool
) -> None:
    sock, end = web.call(host, "::1", web.published_v6, is_short=is_short)
    assert_both_ends(agent, (host, sock), (web, end), is_hidden=True, is_short=is_short)


@SHORT
def test_a_published_port_through_docker_proxy_from_a_container(
    agent: Agent, web: Web, caller: Peer, is_short: bool
) -> None:
    sock, end = web.call(caller, web.gateway, web.published, is_short=is_short)
    assert_both_ends(agent, (caller, sock), (web, end), is_hidden=True, is_short=is_short)


def test_twenty_after_another_through_docker_proxy_are_each_their_callers(
    agent: Agent, web: Web, host: Peer, caller: Peer
) -> None:
    ends = []
    for number in range(20):
        client, ip = ((host, "127.0.0.1"), (caller, web.gateway))[number % 2]
        ends.append((client, web.call(client, ip, web.published, is_short=True)))
    for client, (sock, end) in ends:
        assert_both_ends(agent, (client, sock), (web, end), is_hidden=True, is_short=True)


def test_many_at_once_through_docker_proxy_name_their_caller_or_docker_proxy(
    agent: Agent, web: Web, host: Peer
) -> None:
    """Never another one of the callers."""
    wanted = [{"ip": "127.0.0.1", "port": web.published}] * 40
    socks = host.connect_all(*wanted)
    ends = web.peer.accept_all(web.listener, len(socks))
    for number, end in enumerate(ends):  # each says by its number of bytes who it is
        web.peer.send(end, number + 1)
    host.close_sock(*socks)
    web.peer.close_sock(*ends)
    sent = {end: closed(agent, end)["connection"]["bytes_sent"] for end in ends}
    by_received = {closed(agent, sock)["connection"]["bytes_received"]: sock for sock in socks}
    assert sorted(by_received) == sorted(sent.values()) == list(range(1, 41))
    for end, size in sent.items():
        event = closed(agent, end)
        sock = by_received[size]
        if "nat" in event:
            assert event["nat"] == nat("127.0.0.1", sock.local_port)
            assert who(event, "remote") == named(host)
        else:
            assert event["remote_process"]["binary"] == "docker-proxy"


@SHORT
@pytest.mark.usefixtures("service")
def test_a_service_address_from_the_host(
    agent: Agent, web: Web, host: Peer, is_short: bool
) -> None:
    sock, end = web.call(host, SERVICE_IP, SERVICE_PORT, is_short=is_short)
    assert_both_ends(agent, (host, sock), (web, end), is_hidden=False, is_short=is_short)


@SHORT
@pytest.mark.usefixtures("service")
def test_a_service_address_from_outside(
    agent: Agent, web: Web, outside: Peer, is_short: bool
) -> None:
    sock, end = web.call(outside, SERVICE_IP, SERVICE_PORT, is_short=is_short)
    assert_both_ends(agent, (outside, sock), (web, end), is_hidden=False, is_short=is_short)


@SHORT
@pytest.mark.usefixtures("service")
def test_a_service_address_from_a_container_behind_a_masquerade(
    agent: Agent, web: Web, caller: Peer, is_short: bool
) -> None:
    sock, end = web.call(caller, SERVICE_IP, SERVICE_PORT, is_short=is_short)
    assert end.remote_ip == web.gateway
    assert_both_ends(agent, (caller, sock), (web, end), is_hidden=True, is_short=is_short)


@pytest.mark.usefixtures("service", "outside")
def test_a_service_that_nobody_answers_for_is_named_by_who_should_have(
    agent: Agent, host: Peer
) -> None:
    """A refusal leaves nothing behind in the kernel; this one does."""
    host.ask(("connect", {"ip": SERVICE_IP, "port": DEAD_PORT}))
    with pytest.raises(AssertionError, match="No route to host"):
        host.answers()
    (event,) = agent.wait_for(lambda it: it.get("remote_port") == DEAD_PORT, "the failure")
    assert event["connection"]["event"] == "failed"
    assert event["connection"]["failure"] == "unreachable"
    assert event["nat"] == nat(DEAD_IP, PORT)


def test_what_is_not_translated_has_no_nat(agent: Agent, web: Web, host: Peer) -> None:
    sock, end = web.call(host, web.ip, PORT, is_short=True)
    for one in (sock, end):
        assert "nat" not in closed(agent, one)


def test_without_the_right_to_ask_the_rung_below_is_reached_and_the_reason_told() -> None:
    word = "-net_admin"
    drop = ["setpriv", f"--bounding-set={word}", f"--inh-caps={word}"]
    doctor = [sys.executable, "-m", "connbeat", "doctor", "--json"]
    (host, *_) = diagnosed(doctor)
    assert host == "nat"
    assert "transitions (translations need CAP_NET_ADMIN)" in diagnosed([*drop, *doctor])


def diagnosed(command: list[str]) -> list[str]:
    """The rung of each namespace, the host's first."""
    found: dict[str, str] = json.loads(call(*command))["namespaces"]
    return list(found.values())


def test_without_docker_s_socket_docker_proxy_names_the_container(
    tmp_path_factory: pytest.TempPathFactory, web: Web, host: Peer
) -> None:
    folder = tmp_path_factory.mktemp("blind")
    with Agent(folder, *QUICK, "connbeat.enable_docker=false") as blind:
        blind.wait_ready()
        blind.wait_for(lambda it: "listener" in it and it["local_port"] == web.published, "it")
        sock, end = web.call(host, "127.0.0.1", web.published, is_short=False)
        told = blind.wait_for(lambda it: sock.is_in(it) and "nat" in it, "the client")[-1]
        assert told["nat"] == nat(web.ip, PORT)
        (listener, *_) = blind.wait_for(web.listener.is_in, "the container's listener")
        assert who(listener, "local") == named(web.peer)
        assert blind.wait_for(end.is_in, "the container's end")
