"""The watcher against the real engine: names are right, and the engine is asked next to nothing."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from connbeat.clock import SystemClock
from connbeat.discovery.cgroups import parse_cgroup
from connbeat.discovery.docker import DockerWatcher
from connbeat.discovery.engine_follower import EngineFollower
from connbeat.discovery.registry import ContainerRegistry
from connbeat.model.addresses import parse_ip
from connbeat.model.containers import Container
from connbeat.telemetry.metrics import Metric, Metrics
from tests.system.docker_proxy import DockerProxy, RequestCounter
from tests.system.harness import BUSYBOX, PREFIX, Containers, call, wait_until
from tests.system.private_engine import PrivateEngine

pytestmark = pytest.mark.docker

SLEEP = ("sleep", "600")


class Watch:
    """A watcher in its thread, and the registry it fills."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.registry = ContainerRegistry()
        self.metrics = Metrics()
        clock = SystemClock()
        self.watcher = DockerWatcher(
            EngineFollower(self.registry, self.metrics, clock),
            self.metrics,
            clock,
            environ=environ,
            is_wanted=False,
        )
        self.thread = threading.Thread(target=self.watcher.run)
        self.thread.start()
        assert self.watcher.ready.wait(10)

    def known(self, container_id: str) -> Container | None:
        return self.registry.by_id(container_id)

    def name(self, container_id: str) -> str | None:
        known = self.known(container_id)
        return known.name if known else None

    def runs(self, container_id: str) -> bool:
        return any(container.id == container_id for container in self.registry.running())

    def wait_for(self, is_so: Callable[[], bool], what: str, seconds: float = 10) -> None:
        wait_until(is_so, seconds, f"{what}; running: {self.registry.running()}")

    def stop(self) -> float:
        """The seconds it took."""
        start = time.monotonic()
        self.watcher.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return time.monotonic() - start


@pytest.fixture
def watch() -> Iterator[Callable[[Mapping[str, str]], Watch]]:
    watches: list[Watch] = []

    def start(environ: Mapping[str, str]) -> Watch:
        watches.append(Watch(environ))
        return watches[-1]

    yield start
    for it in watches:
        it.stop()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[DockerProxy]:
    with DockerProxy(tmp_path / "proxy.sock") as counting:
        yield counting


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cb-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


StartWatch = Callable[[Mapping[str, str]], Watch]


def paths(requests: list[str]) -> list[str]:
    """`GET /v1.41/containers/<id>/json` as `containers/json`: without version, ids and query."""
    found = []
    for request in requests:
        parts = request.removeprefix("GET ").partition("?")[0].strip("/").split("/")
        found.append("/".join(it for it in parts if not it.startswith("v1.") and len(it) < 64))
    return found


def test_containers_that_run_already_are_known_when_it_is_ready(
    containers: Containers, watch: StartWatch
) -> None:
    options = ("--env", "K=V", "--label", "a=b", "--publish", "127.0.0.1:18080:80", "--expose", "9")
    container_id = containers.busybox("web", *SLEEP, options=options)
    host_id = containers.busybox("host", *SLEEP, options=("--network", "host"))
    name = f"{PREFIX}-web"
    sharing_id = containers.busybox("sharing", *SLEEP, options=("--network", f"container:{name}"))
    started = watch({})

    known = started.known(container_id)
    assert known is not None
    assert (known.name, known.image, known.runtime) == (name, BUSYBOX, "docker")
    assert known.labels == {"a": "b"}
    assert "K=V" in known.environ
    assert known.local_ips == (containers.address(container_id),)
    assert {port: len(bindings) for port, bindings in known.ports.items()} == {"80": 1, "9": 0}
    cgroup = Path(f"/proc/{known.init_pid}/cgroup").read_bytes()
    ref = parse_cgroup(cgroup)
    assert ref is not None
    assert (ref.id, ref.runtime) == (container_id, "docker")

    published = started.registry.published(parse_ip("127.0.0.1"), 18080)
    assert published is not None
    assert (published.container_id, published.container_port) == (container_id, 80)
    assert published.container_ip == parse_ip(containers.address(container_id))

    host, sharing = started.known(host_id), started.known(sharing_id)
    assert host is not None
    assert host.is_host_network
    assert sharing is not None
    assert sharing.shares_network_of == container_id


def test_a_container_is_followed_through_its_life(
    containers: Containers, watch: StartWatch
) -> None:
    started = watch({})
    container_id = containers.busybox("life", *SLEEP)
    started.wait_for(lambda: started.runs(container_id), "it runs")

    call("docker", "rename", f"{PREFIX}-life", f"{PREFIX}-renamed")
    started.wait_for(lambda: started.name(container_id) == f"{PREFIX}-renamed", "its new name")

    call("docker", "pause", container_id)
    call("docker", "unpause", container_id)
    first_pid = started.registry.by_id(container_id)
    call("docker", "restart", "--time", "0", container_id)
    started.wait_for(
        lambda: started.runs(container_id) and started.known(container_id) != first_pid,
        "its new process",
    )

    call("docker", "kill", container_id)
    started.wait_for(lambda: not started.runs(container_id), "its end")
    call("docker", "start", container_id)
    started.wait_for(lambda: started.runs(container_id), "its second start")
    call("docker", "rm", "--force", container_id)
    started.wait_for(lambda: not started.runs(container_id), "its removal")
    assert started.name(container_id) == f"{PREFIX}-renamed"


def test_a_paused_container_is_one_that_runs(containers: Containers, watch: StartWatch) -> None:
    container_id = containers.busybox("paused", *SLEEP)
    call("docker", "pause", container_id)
    try:
        assert watch({}).runs(container_id)
    finally:
        call("docker", "unpause", container_id)


def test_an_address_in_a_network_that_it_joins_later_is_known(
    containers: Containers, watch: StartWatch
) -> None:
    started = watch({})
    container_id = containers.busybox("joins", *SLEEP)
    started.wait_for(lambda: started.runs(container_id), "it runs")
    network = f"{PREFIX}-joined"
    call("docker", "network", "create", network)

    def addresses() -> int:
        known = started.known(container_id)
        return len(known.local_ips) if known else 0

    try:
        call("docker", "network", "connect", network, container_id)
        started.wait_for(lambda: addresses() == 2, "both addresses")
        call("docker", "network", "disconnect", network, container_id)
        started.wait_for(lambda: addresses() == 1, "one address again")
    finally:
        call("docker", "rm", "--force", container_id)
        call("docker", "network", "rm", network)


def test_a_container_that_lives_for_300_ms_keeps_its_name(
    busybox_image: str, watch: StartWatch
) -> None:
    started = watch({})
    name = f"{PREFIX}-brief"
    with tempfile.TemporaryDirectory() as folder:
        id_file = Path(folder, "id")
        call(
            *("docker", "run", "--rm", "--cidfile", str(id_file), "--name", name),
            *(busybox_image, "sleep", "0.3"),
        )
        container_id = id_file.read_text()
    started.wait_for(lambda: started.name(container_id) == name, "its name")
    started.wait_for(lambda: not started.runs(container_id), "its end")
    known = started.known(container_id)
    assert known is not None
    assert known.local_ips  # it was inspected while it ran


def test_twenty_containers_cost_one_inspect_each_and_then_nothing(
    containers: Containers, watch: StartWatch, proxy: DockerProxy
) -> None:
    before = [containers.busybox(f"many-{number}", *SLEEP) for number in range(10)]
    others = len(call("docker", "ps", "--quiet").split()) - len(before)
    started = watch(proxy.environ)
    after = [containers.busybox(f"more-{number}", *SLEEP) for number in range(10)]
    started.wait_for(lambda: all(map(started.runs, before + after)), "all twenty")

    asked = paths(proxy.requests())
    assert sorted(set(asked)) == ["containers/json", "events", "info", "version"]
    assert [asked.count(path) for path in ("events", "info", "version")] == [1, 1, 1]
    # One list, and one inspect each; containers of other tests' may have come or gone meanwhile.
    assert 21 <= asked.count("containers/json") <= 21 + max(others, 0) + 3
    assert not any("exec" in request for request in proxy.requests())

    count = started.metrics.total(Metric.DOCKER_REQUESTS)
    assert count == len(asked)
    # What a health check does, ten times, and a silence: nobody asks.
    for _ in range(10):
        call("docker", "exec", before[0], "true")
    time.sleep(5)
    assert started.metrics.total(Metric.DOCKER_REQUESTS) == len(proxy.requests()) == count


def test_a_cut_line_is_taken_up_again(
    containers: Containers, watch: StartWatch, proxy: DockerProxy
) -> None:
    gone = containers.busybox("gone", *SLEEP)
    started = watch(proxy.environ)
    assert started.runs(gone)
    proxy.cut()
    call("docker", "rm", "--force", gone)
    come = containers.busybox("come", *SLEEP)
    started.wait_for(lambda: started.runs(come) and not started.runs(gone), "the new list")
    assert started.name(gone) == f"{PREFIX}-gone"
    assert started.metrics.get(Metric.DOCKER_LOST) == 1


@pytest.mark.parametrize("has_engine", [True, False])
def test_stop_ends_the_watcher_within_a_second(
    watch: StartWatch, tmp_path: Path, has_engine: bool
) -> None:
    started = watch({} if has_engine else {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    time.sleep(0.5)
    assert started.stop() < 1


def test_nothing_is_left_open_after_many_reconnections(
    busybox_image: str, watch: StartWatch, tmp_path: Path
) -> None:
    assert busybox_image
    before = descriptors()
    with DockerProxy(tmp_path / "proxy.sock") as proxy:
        started = watch(proxy.environ)
        for lists in range(1, 4):
            proxy.cut()
            started.wait_for(partial(has_listed, started, lists + 1), "the next connection", 30)
        started.stop()
    assert descriptors() == before


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def has_listed(started: Watch, times: int) -> bool:
    return started.metrics.get(Metric.DOCKER_REQUESTS, call="list") >= times


def test_an_engine_that_comes_later_is_found(
    containers: Containers, watch: StartWatch, tmp_path: Path
) -> None:
    container_id = containers.busybox("early", *SLEEP)
    path = tmp_path / "proxy.sock"
    started = watch({"DOCKER_HOST": f"unix://{path}"})
    assert started.registry.running() == ()
    with DockerProxy(path):
        started.wait_for(lambda: started.runs(container_id), "the engine")
        started.stop()


@pytest.mark.slow
@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL])
def test_names_are_right_again_after_a_restart_of_the_daemon(
    busybox_image: str, watch: StartWatch, short_folder: Path, with_signal: int
) -> None:
    assert busybox_image
    bridge = call("ip", "-oneline", "link", "show", "docker0")
    with PrivateEngine(short_folder, keeps_containers=True) as engine:
        # This engine is not to cost the machine's own its bridge: see PrivateEngine.
        assert call("ip", "-oneline", "link", "show", "docker0").split()[:2] == bridge.split()[:2]
        engine.load_busybox()
        run = ("run", "--detach", "--network", "none", "--name")
        stays, goes = (
            engine.docker(*run, f"{PREFIX}-{name}", BUSYBOX, *SLEEP) for name in ("stays", "goes")
        )
        started = watch(engine.environ)
        assert started.runs(stays)
        assert started.runs(goes)

        known = started.known(goes)
        assert known is not None
        engine.stop(with_signal)
        os.kill(known.init_pid, signal.SIGKILL)
        time.sleep(2)
        # The containers outlive the daemon, and so does what we know of them.
        assert started.runs(stays)

        engine.start()
        engine.docker("rename", f"{PREFIX}-stays", f"{PREFIX}-stayed")
        fresh = engine.docker(*run, f"{PREFIX}-fresh", BUSYBOX, *SLEEP)
        started.wait_for(lambda: started.runs(fresh) and not started.runs(goes), "the new list")
        started.wait_for(lambda: started.name(stays) == f"{PREFIX}-stayed", "the new name")
        assert started.name(goes) == f"{PREFIX}-goes"
        started.stop()


def test_the_host_bears_the_name_the_engine_gives_it(watch: StartWatch) -> None:
    name = subprocess.run(
        ["docker", "info", "--format", "{{.Name}}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert watch({}).watcher.engine_name == name


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_proxy_counts_requests_however_they_are_cut(size: int) -> None:
    sent = (
        b"GET /v1.41/events HTTP/1.1\r\nHost: x\r\n\r\n"
        b"POST /v1.41/containers/create HTTP/1.1\r\nContent-Length: 20\r\n\r\n"
        b"GET / HTTP/1.1\r\n\r\n.."
        b"GET /version HTTP/1.1\r\n\r\n"
    )
    counter = RequestCounter()
    for start in range(0, len(sent), size):
        counter.feed(sent[start : start + size])
    assert counter.requests == [
        "GET /v1.41/events",
        "POST /v1.41/containers/create",
        "GET /version",
    ]
