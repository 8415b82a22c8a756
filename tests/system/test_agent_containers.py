"""Both ends of what goes from, to and between containers, and the names of containers."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.system.harness import (
    BUSYBOX,
    POLLS,
    PREFIX,
    Agent,
    Containers,
    Document,
    call,
    wait_until,
)
from tests.system.peers import Peer, Peers, Sock, closed, linked

pytestmark = pytest.mark.docker

PORT = 8080


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, rung: tuple[str, ...]) -> Iterator[Agent]:
    options = (
        *rung,
        "connbeat.poll_interval=100ms",  # a container that lives for 300 ms is not to be missed
        "connbeat.aggregation=500ms",
        "connbeat.enable_docker=true",
    )
    with Agent(tmp_path_factory.mktemp("agent"), *options) as started:
        yield started.wait_ready()


@pytest.fixture(scope="module")
def web(peers: Peers, busybox_image: str) -> Peer:
    """A container whose port is published, on every address of the host."""
    assert busybox_image
    return peers.in_container("web", f"--publish=0.0.0.0::{PORT}")


@pytest.fixture(scope="module")
def caller(peers: Peers, busybox_image: str) -> Peer:
    assert busybox_image
    return peers.in_container("caller")


@pytest.fixture(scope="module")
def host(peers: Peers) -> Peer:
    return peers.on_host()


class Published(NamedTuple):
    """The port of the host, the listener in the container behind it, and docker-proxy's pid."""

    port: int
    listener: Sock
    proxy_pid: int
    is_joined: bool = False


@pytest.fixture(scope="module")
def published(door: Published, rung: tuple[str, ...]) -> Published:
    return door._replace(is_joined=rung is not POLLS)


@pytest.fixture(scope="module")
def door(web: Peer) -> Published:
    port = int(call("docker", "port", web.container_id, f"{PORT}/tcp").rpartition(":")[2])
    line = call("ss", "-Htlnp", f"sport = :{port} and src 0.0.0.0")
    assert "docker-proxy" in line
    proxy_pid = int(line.partition("pid=")[2].partition(",")[0])
    return Published(port, web.listen("0.0.0.0", PORT), proxy_pid)


def address_of(container_id: str) -> str:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return call("docker", "inspect", "-f", form, container_id)


def gateway_of(container_id: str) -> str:
    """The host's own address on the container's bridge."""
    form = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}"
    return call("docker", "inspect", "-f", form, container_id)


def both_known(agent: Agent, sock: Sock) -> Document:
    """The newest event of an end, once its other end is known, too."""
    return agent.wait_for(
        lambda it: sock.is_in(it) and ("remote_process" in it or "remote_container" in it),
        f"{sock} with its other end",
    )[-1]


#: A pid, and its container's id, name and image.
Who = tuple[int, str, str, str]


def who(event: Document, side: str) -> Who:
    """The pid, and the container's id, name and image, at this side of the event."""
    container = event.get("container" if side == "local" else "remote_container", {})
    return (
        event.get(f"{side}_process", {}).get("pid", 0),
        container.get("id", ""),
        container.get("name", ""),
        container.get("image", ""),
    )


def named(peer: Peer) -> Who:
    return peer.pid, peer.container_id, peer.container, BUSYBOX if peer.container else ""


def assert_names(agent: Agent, own: tuple[Peer, Sock], other: tuple[Peer, Sock]) -> None:
    """Each end says what it is and what the other is."""
    for (peer, sock), (opposite, _) in ((own, other), (other, own)):
        event = both_known(agent, sock)
        assert who(event, "local") == named(peer)
        assert who(event, "remote") == named(opposite)
        assert event["connection"]["netns"] == peer.netns
        assert "nat" not in event


def test_container_to_container(agent: Agent, web: Peer, caller: Peer) -> None:
    server_end, client_end = linked(web, caller, address_of(web.container_id))
    assert_names(agent, (caller, client_end), (web, server_end))
    addresses = [address_of(peer.container_id) for peer in (caller, web)]
    event = both_known(agent, client_end)
    assert [event["local_ip"], event["remote_ip"]] == addresses
    assert event["container"]["local_ips"] == addresses[:1]


def test_container_to_host(agent: Agent, host: Peer, caller: Peer) -> None:
    server_end, client_end = linked(host, caller, gateway_of(caller.container_id))
    assert_names(agent, (caller, client_end), (host, server_end))


def test_host_to_container(agent: Agent, host: Peer, web: Peer) -> None:
    server_end, client_end = linked(web, host, address_of(web.container_id))
    assert_names(agent, (host, client_end), (web, server_end))


def test_within_a_container(agent: Agent, web: Peer) -> None:
    server_end, client_end = linked(web, web)
    assert_names(agent, (web, client_end), (web, server_end))


def test_a_process_of_the_host_in_a_containers_namespace_is_no_container(
    agent: Agent, peers: Peers, web: Peer
) -> None:
    """`nsenter` is told from the container it looks into: by its cgroup, not by its namespace."""
    visitor = peers.inside_of(web.pid)
    server_end, client_end = linked(web, visitor)
    assert visitor.netns == web.netns
    assert_names(agent, (visitor, client_end), (web, server_end))


def between(published: Published, proxy: Who, beyond: Who) -> tuple[Who, ...]:
    """Who may be told where docker-proxy stands between: for polls it is docker-proxy.

    Which call is for whom only the transitions tell, once docker-proxy is trusted, and then it is
    who is beyond: `test_agent_nat` waits for that.
    """
    return (proxy, beyond) if published.is_joined else (proxy,)


def test_host_to_a_published_port_through_dockers_proxy(
    agent: Agent, host: Peer, web: Peer, published: Published
) -> None:
    """Loopback is not translated: docker-proxy answers, and calls the container."""
    client_end = host.connect("127.0.0.1", published.port)
    server_end = web.accept(published.listener)

    event = both_known(agent, client_end)
    assert event["nat"] == {"remote_ip": address_of(web.container_id), "remote_port": PORT}
    assert who(event, "local") == named(host)
    proxy = (published.proxy_pid, *named(web)[1:])
    assert who(event, "remote") in between(published, proxy, named(web))

    event = both_known(agent, server_end)
    assert who(event, "local") == named(web)
    proxy = (published.proxy_pid, "", "", "")
    assert who(event, "remote") in between(published, proxy, named(host))
    assert ("nat" in event) == (who(event, "remote") != proxy)


def test_host_to_a_published_port_through_translation(
    agent: Agent, host: Peer, web: Peer, published: Published
) -> None:
    """To an address of the host's interfaces: the kernel rewrites it, nobody stands between."""
    client_end = host.connect(gateway_of(web.container_id), published.port)
    server_end = web.accept(published.listener)
    assert server_end.remote_port == client_end.local_port

    event = both_known(agent, client_end)
    assert event["nat"] == {"remote_ip": address_of(web.container_id), "remote_port": PORT}
    assert who(event, "local") == named(host)
    assert who(event, "remote") == named(web)

    event = both_known(agent, server_end)
    assert who(event, "local") == named(web)
    assert who(event, "remote") == named(host)


def test_container_to_a_published_port_of_the_host(
    agent: Agent, caller: Peer, web: Peer, published: Published
) -> None:
    """From its own bridge it goes through docker-proxy, too."""
    client_end = caller.connect(gateway_of(web.container_id), published.port)
    server_end = web.accept(published.listener)

    event = both_known(agent, client_end)
    assert event["nat"] == {"remote_ip": address_of(web.container_id), "remote_port": PORT}
    assert who(event, "local") == named(caller)
    proxy = (published.proxy_pid, *named(web)[1:])
    assert who(event, "remote") in between(published, proxy, named(web))
    assert who(both_known(agent, server_end), "local") == named(web)


def test_the_document_of_a_container_says_what_inspect_says(
    agent: Agent, web: Peer, published: Published
) -> None:
    event = agent.wait_for(published.listener.is_in, "the listener")[-1]
    container = event["container"]
    assert container["runtime"] == "docker"
    assert container["ports"] == {
        str(PORT): [{"HostIp": "0.0.0.0", "HostPort": str(published.port)}]
    }
    assert container["local_ips"] == [address_of(web.container_id)]
    assert container["docker_host"]["hostname"] == call("docker", "info", "-f", "{{.Name}}")
    assert container["labels"] == {}
    assert container["env"] == []


def test_a_renamed_container_has_its_new_name_at_both_ends(
    agent: Agent, peers: Peers, host: Peer
) -> None:
    peer = peers.in_container("before")
    server_end, client_end = linked(peer, host, address_of(peer.container_id))
    assert who(both_known(agent, client_end), "remote")[2] == f"{PREFIX}-before"
    call("docker", "rename", peer.container_id, f"{PREFIX}-after")
    try:
        for sock, side in ((server_end, "container"), (client_end, "remote_container")):
            wait_until(
                partial(is_named, agent, sock, (side, f"{PREFIX}-after")), 10, f"the new {side}"
            )
    finally:
        call("docker", "rm", "--force", peer.container_id)
    assert closed(agent, server_end)["container"]["name"] == f"{PREFIX}-after"


def is_named(agent: Agent, sock: Sock, wanted: tuple[str, str]) -> bool:
    """Whether the newest event of the socket has this container by this name."""
    side, name = wanted
    return bool(agent.found(sock.is_in)[-1].get(side, {}).get("name") == name)


def listener_events(agent: Agent, container_id: str, kind: str) -> list[Document]:
    return agent.found(
        lambda it: (
            it.get("container", {}).get("id") == container_id
            and it.get("listener", {}).get("event") == kind
        )
    )


def pid_of(container_id: str) -> int:
    return int(call("docker", "inspect", "-f", "{{.State.Pid}}", container_id))


def test_a_container_that_is_restarted_and_killed_keeps_its_name_and_changes_its_process(
    agent: Agent, containers: Containers
) -> None:
    container_id = containers.busybox("again", "httpd", "-f", "-p", "80")
    expected = [(pid_of(container_id), "opened")]

    def wait_for(kind: str, count: int) -> None:
        agent.wait_for(
            lambda it: it in listener_events(agent, container_id, kind), kind, count=count
        )

    wait_for("opened", 1)
    call("docker", "restart", "--time", "0", container_id)
    expected += [(expected[0][0], "closed"), (pid_of(container_id), "opened")]
    wait_for("opened", 2)
    call("docker", "kill", container_id)
    expected += [(expected[2][0], "closed")]
    wait_for("closed", 2)

    told = agent.found(
        lambda it: (
            it.get("container", {}).get("id") == container_id
            and it["listener"]["event"] in ("opened", "closed")
        )
    )
    assert sorted((it["local_process"]["pid"], it["listener"]["event"]) for it in told) == sorted(
        expected
    )
    assert {it["container"]["name"] for it in told} == {f"{PREFIX}-again"}
    assert {it["container"]["image"] for it in told} == {BUSYBOX}


def test_a_container_that_lives_for_300_ms_is_named(agent: Agent, busybox_image: str) -> None:
    name = f"{PREFIX}-brief"
    with tempfile.TemporaryDirectory() as folder:
        id_file = Path(folder, "id")
        script = "httpd -p 80; sleep 0.3"
        command = ["docker", "run", "--rm", "--cidfile", str(id_file), "--name", name]
        call(*command, busybox_image, "sh", "-c", script)
        container_id = id_file.read_text()
    found = agent.wait_for(
        lambda it: it.get("container", {}).get("id") == container_id and "listener" in it, name
    )
    assert {it["container"]["name"] for it in found} == {name}
    assert {it["local_port"] for it in found} == {80}
    agent.wait_for(
        lambda it: (
            it.get("container", {}).get("id") == container_id
            and it["listener"]["event"] == "closed"
            and it["container"]["name"] == name
        ),
        "its end",
    )


def test_without_docker_a_container_has_its_id_and_runtime_from_the_cgroup(
    tmp_path: Path, web: Peer, caller: Peer, rung: tuple[str, ...]
) -> None:
    server_end, client_end = linked(web, caller, address_of(web.container_id))
    with Agent(tmp_path, *rung, "connbeat.enable_docker=false") as agent:
        for end, own, other in ((server_end, web, caller), (client_end, caller, web)):
            event = both_known(agent, end)
            assert event["container"] == {
                "id": own.container_id,
                "runtime": "docker",
                "local_ips": [end.local_ip],
            }
            assert event["remote_container"] == {"id": other.container_id}
            assert event["local_process"]["pid"] == own.pid
            assert event["remote_process"]["pid"] == other.pid
