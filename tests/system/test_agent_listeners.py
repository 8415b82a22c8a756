"""Listeners: one each, of the right process, also where all have the same address."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.harness import PREFIX, Agent, Containers, Document, call, wait_until
from tests.system.peers import BINARY, Peer, Peers, Sock, closed


@pytest.fixture(scope="module")
def server(peers: Peers) -> Peer:
    return peers.inside(peers.netns("listeners"))


@pytest.fixture(scope="module")
def other(peers: Peers, server: Peer) -> Peer:
    return peers.inside_of(server.pid)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, rung: tuple[str, ...]) -> Iterator[Agent]:
    options = (*rung, "connbeat.aggregation=1s", "connbeat.enable_docker=true")
    with Agent(tmp_path_factory.mktemp("agent"), *options) as started:
        yield started.wait_ready()


def is_listener(event: Document) -> bool:
    return "listener" in event


@pytest.mark.docker
def test_containers_that_all_listen_on_port_80_are_told_apart(
    agent: Agent, peers: Peers, busybox_image: str
) -> None:
    """On a bridge, in the host's network, in another container's, in none: and all at 0.0.0.0:80.

    Those that share a namespace share the port, too (SO_REUSEPORT).
    """
    assert busybox_image
    network = {
        "80-bridge": (),
        "80-bridge-too": (),
        "80-host": ("--network=host",),
        "80-joined": (f"--network=container:{PREFIX}-80-bridge",),
        "80-none": ("--network=none",),
    }
    started = [peers.in_container(name, *options) for name, options in network.items()]
    on_host = peers.on_host()
    for peer in (*started, on_host):
        peer.listen("0.0.0.0", 80, reuse_port=1)

    found = agent.wait_for(
        lambda it: (
            is_listener(it)
            and it["local_port"] == 80
            and it["listener"]["event"] == "opened"
            and it["local_process"].get("binary") == BINARY
        ),
        "listeners on port 80",
        count=6,
    )
    assert sorted(
        (
            it.get("container", {}).get("name", ""),
            it.get("container", {}).get("id", ""),
            it["local_process"]["pid"],
            it["listener"]["netns"],
            it["listener"]["ip"],
        )
        for it in found
    ) == sorted(
        (peer.container, peer.container_id, peer.pid, peer.netns, "0.0.0.0")
        for peer in (*started, on_host)
    )
    assert len({it["listener"]["id"] for it in found}) == 6
    # As the host sees them: five processes, three of whose namespaces are the same as another's.
    assert len({peer.netns for peer in (*started, on_host)}) == 4
    assert all("container" not in it for it in found if it["local_process"]["pid"] == on_host.pid)


@pytest.mark.docker
def test_twenty_containers_on_port_80_are_twenty_listeners(
    agent: Agent, containers: Containers
) -> None:
    names = [f"twenty-{number}" for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(
            pool.map(lambda name: containers.busybox(name, "httpd", "-f", "-p", "80"), names)
        )

    def is_ours(event: Document) -> bool:
        return is_listener(event) and event.get("container", {}).get("id") in ids

    agent.wait_for(is_ours, "the listeners of twenty containers", count=20)
    found = agent.wait_for(lambda it: is_ours(it) and is_opened(it), "opened", count=20)
    inspected = call("docker", "inspect", "-f", "{{.Id}} {{.State.Pid}} {{.Name}}", *ids)
    expected = [tuple(line.split()) for line in inspected.splitlines()]
    assert sorted(
        (it["container"]["id"], str(it["local_process"]["pid"]), "/" + it["container"]["name"])
        for it in found
    ) == sorted(expected)
    assert {it["local_port"] for it in found} == {80}
    assert len({it["listener"]["netns"] for it in found}) == 20
    # ss is the witness: one listener in each namespace, and no other.
    for it in found:
        assert len(listening(it["local_process"]["pid"])) == 1

    containers.close()
    ended = agent.wait_for(
        lambda it: is_ours(it) and it["listener"]["event"] == "closed", "their ends", count=20
    )
    assert {it["container"]["name"] for it in ended} == {f"{PREFIX}-{name}" for name in names}


def is_opened(event: Document) -> bool:
    return bool(event["listener"]["event"] == "opened")


def listening(pid: int) -> list[str]:
    """What `ss` finds in the namespace of a process."""
    return call("nsenter", f"--net=/proc/{pid}/ns/net", "ss", "-Htln").splitlines()


def test_listeners_of_one_address_stay_apart_each_with_its_process(
    agent: Agent, server: Peer, other: Peer
) -> None:
    """SO_REUSEPORT: the kernel deals connections out; each is its process's own."""
    mine = server.listen("0.0.0.0", reuse_port=1)
    port = mine.local_port
    theirs = other.listen("0.0.0.0", port, reuse_port=1)
    for listener, peer in ((mine, server), (theirs, other)):
        event = agent.wait_for(listener.is_in, f"{listener}")[0]
        assert event["local_process"]["pid"] == peer.pid
        assert event["local_port"] == port

    clients = server.connect_all(*[{"ip": "127.0.0.1", "port": port}] * 40)
    waiting = {
        peer.pid: int(line.split()[1])
        for peer, line in zip((server, other), in_order(server, other, port), strict=True)
    }
    assert sum(waiting.values()) == 40
    ends = [(server, end) for end in server.accept_all(mine, waiting[server.pid])]
    ends += [(other, end) for end in other.accept_all(theirs, waiting[other.pid])]
    for peer, end in ends:
        wait_for_owner(agent, end, peer.pid)
    for client in clients:
        agent.wait_for(client.is_in, f"{client}")
        assert set(pids_of(agent, client)) == {server.pid}


def wait_for_owner(agent: Agent, sock: Sock, pid: int) -> None:
    """Until its newest event says that it is the process's: one in a backlog is nobody's yet."""
    wait_until(lambda: pids_of(agent, sock)[-1:] == [pid], 10, f"{pid} has {sock}")


def pids_of(agent: Agent, sock: Sock) -> list[int]:
    """Whose it was in each of its events; 0 for nobody's."""
    return [it["local_process"].get("pid", 0) for it in agent.found(sock.is_in)]


def in_order(server: Peer, other: Peer, port: int) -> list[str]:
    """The lines of `ss` for the two listeners of a port, by process."""
    inside = ("nsenter", f"--net=/proc/{server.pid}/ns/net", "ss", "-Htlnp", f"sport = :{port}")
    lines = call(*inside).splitlines()
    return [next(line for line in lines if f"pid={peer.pid}," in line) for peer in (server, other)]


def test_a_backlog_is_told_as_it_is(agent: Agent, server: Peer, other: Peer) -> None:
    listener = server.listen("127.0.0.1", backlog=7)
    other.connect_all(*[{"ip": "127.0.0.1", "port": listener.local_port}] * 3)
    found = agent.wait_for(
        lambda it: listener.is_in(it) and it["listener"]["backlog"] == 3, "three that wait"
    )
    assert found[0]["listener"]["backlog_max"] == 7


def test_a_listener_that_another_process_takes_over_between_two_polls_is_news(
    agent: Agent, server: Peer, other: Peer
) -> None:
    """Every counter of the namespace stays as it was, so it can take ten seconds."""
    old = server.listen("127.0.0.1")
    agent.wait_for(old.is_in, "the first listener")
    server.close_sock(old)
    new = other.listen("127.0.0.1", old.local_port)
    event = agent.wait_for(new.is_in, "the second listener", seconds=14)[0]
    assert event["local_process"]["pid"] == other.pid
    assert closed(agent, old)["local_process"]["pid"] == server.pid


def test_a_listener_that_is_handed_to_a_child_is_the_childs_when_the_parent_has_ended(
    agent: Agent, peers: Peers, server: Peer
) -> None:
    parent = peers.inside_of(server.pid)
    listener = parent.listen("127.0.0.1")
    child = parent.fork()
    try:
        first = agent.wait_for(listener.is_in, "the listener")[0]
        assert first["local_process"]["pid"] == parent.pid
        parent.kill()
        agent.wait_for(
            lambda it: listener.is_in(it) and it["local_process"].get("pid") == child, "the child's"
        )
    finally:
        subprocess.run(["kill", str(child)], check=True)
    assert closed(agent, listener)["local_process"]["pid"] == child


def test_the_agent_and_ss_see_the_same_listeners(agent: Agent, peers: Peers) -> None:
    """In a namespace that nobody else touches: equal, not alike."""
    before = len(agent.events())
    peer = peers.inside(peers.netns("witness"))
    for ip in ("0.0.0.0", "127.0.0.1", "127.0.0.2", "::", "::1"):
        peer.listen(ip, v6_only=1) if ":" in ip else peer.listen(ip)
    found = agent.wait_for(
        lambda it: is_listener(it) and it["listener"]["netns"] == peer.netns and is_opened(it),
        "five listeners",
        count=5,
        since=before,
    )
    seen = sorted((it["listener"]["ip"], it["local_port"]) for it in found)
    assert seen == sorted(ss_address(line) for line in listening(peer.pid))


def ss_address(line: str) -> tuple[str, int]:
    ip, _, port = line.split()[3].rpartition(":")
    return ip.strip("[]"), int(port)


def test_a_namespace_without_a_process_is_seen_through_its_name(agent: Agent, peers: Peers) -> None:
    """`ip netns` keeps it; a socket in it can be held from elsewhere."""
    before = len(agent.events())
    netns = peers.netns("hollow")
    program = (
        "import os,socket,sys,time;"
        f"home=os.open('/proc/self/ns/net',os.O_RDONLY);"
        "from connbeat.linux.netns import entered;from pathlib import Path;"
        f"c=entered(Path('/run/netns/{netns.name}'),{netns.inode});c.__enter__();"
        "s=socket.create_server(('127.0.0.1',0));c.__exit__(None,None,None);"
        "print(s.getsockname()[1],flush=True);sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    try:
        port = int(holder.stdout.readline())
        (event,) = agent.wait_for(
            lambda it: is_listener(it) and it["listener"]["netns"] == netns.inode and is_opened(it),
            "its listener",
            since=before,
        )
        assert event["local_port"] == port
        assert event["local_process"]["pid"] == holder.pid
        assert Path(f"/proc/{holder.pid}/ns/net").stat().st_ino != netns.inode
    finally:
        holder.communicate("")
