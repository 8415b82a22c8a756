"""The agent beside a Docker engine: how little it asks, what it keeps, and what a restart costs."""

import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest

from tests.system.docker_proxy import DockerProxy
from tests.system.harness import (
    BUSYBOX,
    PREFIX,
    QUICK,
    Agent,
    Containers,
    Document,
    call,
    wait_until,
)
from tests.system.peers import Peer, Peers, closed, kinds_of, linked
from tests.system.private_engine import PrivateEngine

pytestmark = pytest.mark.docker

HTTPD = ("httpd", "-f", "-p", "80")
IDLE_SECONDS = 60


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cb-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


class Idle:
    """An agent that looks at twenty containers of an engine of its own, and what it asks."""

    def __init__(self, agent: Agent, proxy: DockerProxy) -> None:
        self.agent = agent
        self._proxy = proxy
        self.asked = proxy.requests()
        self._since = time.monotonic()

    def wait(self) -> list[str]:
        """What was asked until the minute was over."""
        time.sleep(max(0.0, self._since + IDLE_SECONDS - time.monotonic()))
        return self._proxy.requests()


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory, busybox_image: str) -> Iterator[Idle]:
    """Its minute passes while the other tests here run."""
    assert busybox_image
    with (
        tempfile.TemporaryDirectory(prefix="cb-", ignore_cleanup_errors=True) as folder,
        PrivateEngine(Path(folder)) as engine,
    ):
        engine.load_busybox()
        command = ("run", "--detach", "--network", "none", "--name")
        for number in range(20):
            engine.docker(*command, f"{PREFIX}-idle-{number}", BUSYBOX, *HTTPD)
        with DockerProxy(Path(folder) / "proxy.sock", engine.socket) as proxy:
            tmp_path = tmp_path_factory.mktemp("idle")
            options = ("connbeat.enable_docker=true", "connbeat.aggregation=1s")
            with Agent(tmp_path, *QUICK, *options, environ=proxy.environ) as agent:
                agent.wait_for(named_idle, "the names of twenty containers", count=20)
                yield Idle(agent, proxy)


def named_idle(event: Document) -> bool:
    return str(event.get("container", {}).get("name", "")).startswith(f"{PREFIX}-idle-")


def seconds_of(agent: Agent) -> float:
    """The CPU that the agent has used."""
    fields = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> Counter[str]:
    """The process's descriptors by kind: how many sockets, pipes, files."""
    found: Counter[str] = Counter()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[str(path.readlink()).partition(":")[0]] += 1
        except FileNotFoundError:
            continue
    return found


def namespaces() -> int:
    """How many network namespaces there are, of processes or by name: one socket each."""
    paths = [*Path("/proc").glob("[0-9]*/ns/net")]
    for folder in ("/run/netns", "/run/docker/netns"):
        paths += Path(folder).glob("*")
    inodes = set()
    for path in paths:
        try:
            status = path.stat()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if status.st_dev == Path("/proc/self/ns/net").stat().st_dev:  # else the name of one gone
            inodes.add(status.st_ino)
    return len(inodes)


@pytest.mark.slow
@pytest.mark.usefixtures("idle")
def test_nothing_is_kept_of_two_hundred_containers_that_came_and_went(
    tmp_path: Path, busybox_image: str
) -> None:
    assert busybox_image
    containers = Containers()
    with Agent(tmp_path, *QUICK, "connbeat.enable_docker=true") as agent:
        agent.wait_ready()
        try:
            ids = come_and_go(agent, containers, 0)
            before = settled(agent)  # with a connection to the engine that is kept
            for batch in range(1, 10):
                ids += come_and_go(agent, containers, batch)
        finally:
            containers.close()
        # The connection to the engine that is kept for the next inspect may be gone.
        assert settled(agent) in (before - 1, before)
        assert descriptors(agent.process.pid)["net"] == 0, "descriptors of namespaces themselves"
        told = Counter(
            (it["container"]["name"], it["listener"]["event"])
            for it in agent.found(lambda it: it.get("container", {}).get("id") in ids)
            if it["listener"]["event"] != "ongoing"
        )
        assert set(told.values()) == {1}
        assert len(told) == 2 * len(ids) == 400


def sockets_kept(agent: Agent) -> int:
    """The agent's sockets but those of the namespaces that there are."""
    return descriptors(agent.process.pid)["socket"] - namespaces()


def settled(agent: Agent) -> int:
    """What `sockets_kept` says when it has said the same for two seconds."""
    said = [sockets_kept(agent)]

    def is_steady() -> bool:
        time.sleep(0.1)
        said.append(sockets_kept(agent))
        return len(said) > 20 and len(set(said[-20:])) == 1

    wait_until(is_steady, 30, "a steady number of sockets")
    return said[-1]


def come_and_go(agent: Agent, containers: Containers, batch: int) -> list[str]:
    """Twenty containers, each seen, then removed."""
    names = [f"churn-{batch}-{number}" for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(
            pool.map(
                lambda name: containers.busybox(name, *HTTPD, options=("--network=none",)), names
            )
        )
    wait_for_listeners(agent, ids, "opened")
    containers.close()
    wait_for_listeners(agent, ids, "closed")
    return ids


def wait_for_listeners(agent: Agent, ids: list[str], kind: str) -> None:
    agent.wait_for(
        lambda it: is_listener_of(it, *ids) and it["listener"]["event"] == kind,
        f"listeners that {kind}",
        count=len(ids),
    )


def test_a_namespace_that_is_deleted_is_gone_from_the_kernel(tmp_path: Path, peers: Peers) -> None:
    """Its end of a veth pair takes the host's end along, but only once nobody keeps it."""
    with Agent(tmp_path, *QUICK) as agent:
        netns = peers.netns("deleted")
        here = "cbt-deleted"
        call("ip", "link", "add", here, "type", "veth", "peer", "name", "v", "netns", netns.name)
        peer = peers.inside(netns)
        listener = peer.listen()
        agent.wait_for(listener.is_in, "its listener")
        assert Path("/sys/class/net", here).exists()
        peer.kill()
        call("ip", "netns", "del", netns.name)
        wait_until(lambda: not Path("/sys/class/net", here).exists(), 10, "its interface is gone")
        wait_until(lambda: kinds_of(agent, listener)[-1] == "closed", 10, "its listener closed")
    # The fixture deletes what is there.
    call("ip", "netns", "add", netns.name)


def test_without_a_socket_the_host_is_reported_and_the_engine_found_when_it_comes(
    tmp_path: Path, peers: Peers, containers: Containers
) -> None:
    container_id = containers.busybox("patient", *HTTPD)
    path = tmp_path / "late.sock"
    host = peers.on_host()
    options = ("connbeat.enable_docker=true", "connbeat.aggregation=500ms")
    with Agent(tmp_path, *QUICK, *options, environ={"DOCKER_HOST": f"unix://{path}"}) as agent:
        agent.wait_ready()
        for end in linked(host, host):
            agent.wait_for(end.is_in, "a connection of the host")
        known = agent.wait_for(
            lambda it: it.get("container", {}).get("id") == container_id, "the container"
        )
        assert "name" not in known[0]["container"]
        warnings = [line for line in agent.log().splitlines() if " WARNING " in line]
        assert len([line for line in warnings if "Docker" in line]) == 1, warnings
        with DockerProxy(path):
            agent.wait_for(
                lambda it: it.get("container", {}).get("name") == f"{PREFIX}-patient", "its name"
            )
            assert agent.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_of_the_daemon_costs_neither_names_nor_events(
    tmp_path: Path, short_folder: Path, peers: Peers, with_signal: int
) -> None:
    server = peers.inside(peers.netns(f"restart-{with_signal}"))
    with PrivateEngine(short_folder, keeps_containers=True) as engine:
        engine.load_busybox()
        run = ("run", "--detach", "--network", "none", "--name")
        stays, goes = (
            engine.docker(*run, f"{PREFIX}-{name}", BUSYBOX, *HTTPD) for name in ("stays", "goes")
        )
        options = ("connbeat.enable_docker=true", "connbeat.aggregation=500ms")
        with Agent(tmp_path, *QUICK, *options, environ=engine.environ) as agent:
            pid = agent.process.pid
            wait_for_name(agent, stays, "stays")
            wait_for_name(agent, goes, "goes")
            going = int(engine.docker("inspect", "-f", "{{.State.Pid}}", goes))

            with Traffic(agent, server) as traffic:
                traffic.wait()
                engine.stop(with_signal)
                os.kill(going, signal.SIGKILL)
                gone = agent.wait_for(
                    lambda it: is_listener_of(it, goes) and it["listener"]["event"] == "closed",
                    "the end of a container while the daemon is down",
                )
                assert gone[0]["container"]["name"] == f"{PREFIX}-goes"
                traffic.wait()
                engine.start()
                engine.docker("rename", stays, f"{PREFIX}-stayed")
                fresh = engine.docker(*run, f"{PREFIX}-fresh", BUSYBOX, *HTTPD)
                wait_for_name(agent, fresh, "fresh")
                wait_for_name(agent, stays, "stayed")
                traffic.wait()
            names = {
                it["container"]["name"] for it in agent.found(lambda it: is_listener_of(it, stays))
            }
            assert names == {f"{PREFIX}-stays", f"{PREFIX}-stayed"}
            assert agent.process.poll() is None
            assert agent.process.pid == pid


def is_listener_of(event: Document, *ids: str) -> bool:
    return "listener" in event and event.get("container", {}).get("id") in ids


def wait_for_name(agent: Agent, container_id: str, name: str) -> None:
    agent.wait_for(
        lambda it: (
            it.get("container", {}).get("id") == container_id
            and it["container"].get("name") == f"{PREFIX}-{name}"
        ),
        f"{name}",
        seconds=45,
    )


class Traffic:
    """Connections that are opened and closed all the while; each has to be told, to its end."""

    def __init__(self, agent: Agent, server: Peer) -> None:
        self._agent = agent
        self._server = server
        self._count = 0
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def wait(self) -> None:
        """Until two more were opened, told, closed and told."""
        goal = self._count + 2
        wait_until(lambda: self._count >= goal or self._running.done(), 30, "two more connections")

    def __enter__(self) -> Self:
        self._running = self._pool.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._running.result(30)
        self._pool.shutdown()

    def _run(self) -> None:
        while not self._stopping.is_set():
            ends = linked(self._server, self._server)
            for end in ends:
                self._agent.wait_for(end.is_in, "an end that was opened")
            self._server.close_sock(*ends)
            for end in ends:
                closed(self._agent, end)
                assert kinds_of(self._agent, end)[0] == "opened"
            self._count += 1


@pytest.mark.slow
def test_in_an_idle_minute_the_engine_is_asked_nothing(idle: Idle) -> None:
    """A minute in which sockets come and go, but no container does."""
    asked = idle.wait()
    assert asked == idle.asked
    assert len([request for request in asked if "/json" in request]) == 21  # a list, 20 inspects
    assert idle.agent.process.poll() is None
    recent = [it for it in idle.agent.found(named_idle) if it["listener"]["event"] == "ongoing"]
    assert len({it["container"]["name"] for it in recent}) == 20
