import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from connbeat.clock import SystemClock
from connbeat.discovery.docker import DockerWatcher
from connbeat.discovery.engine_follower import Engine, EngineFollower
from connbeat.discovery.registry import ContainerRegistry
from connbeat.errors import DiscoveryError
from connbeat.telemetry.metrics import Metric, Metrics
from tests.unit.discovery.fakes import FakeClock, FakeEngine, Step, event

Attempt = FakeEngine | str


class Scene:
    """A watcher whose attempts to connect find one engine or one error after the other.

    `run` returns when all are used up.
    """

    def __init__(self, *attempts: Attempt, environ: dict[str, str] | None = None) -> None:
        self.waits: list[float] = []
        self.clock = FakeClock(self._on_wait)
        self.registry = ContainerRegistry()
        self.metrics = Metrics()
        self.watcher = DockerWatcher(
            EngineFollower(self.registry, self.metrics, self.clock),
            self.metrics,
            self.clock,
            environ=environ or {"DOCKER_HOST": "tcp://127.0.0.1:1"},
            is_wanted=False,
            connect=self._connect,
        )
        self._attempts = list(attempts)

    def run(self) -> None:
        self.watcher.run()

    def running(self) -> list[str]:
        return [container.name for container in self.registry.running()]

    def _connect(self, environ: Mapping[str, str]) -> Engine:
        assert "DOCKER_HOST" in environ
        attempt = self._attempts.pop(0)
        if isinstance(attempt, str):
            raise DiscoveryError(attempt)
        return attempt

    def _on_wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if not self._attempts:
            self.watcher.stop()


def engine_with(*names: str, steps: list[Step] | None = None) -> FakeEngine:
    engine = FakeEngine(steps)
    for name in names:
        engine.start(name)
    return engine


def test_events_are_subscribed_to_before_the_list() -> None:
    engine = engine_with("a")
    Scene(engine).run()
    assert engine.calls == ["events", "list", "inspect a", "info"]


def test_nothing_is_asked_while_nothing_happens() -> None:
    """The stream is open and silent: no call follows the list."""
    engine = engine_with("a")
    before: list[str] = []
    engine.stream._steps.append(lambda: before.extend(engine.calls))
    Scene(engine).run()
    assert engine.calls == before


def test_a_lost_stream_is_counted_and_everything_listed_again() -> None:
    first, second = engine_with("a", "b"), engine_with("b", "c")
    scene = Scene(first, second)
    scene.run()
    assert scene.running() == ["name-b", "name-c"]
    assert scene.metrics.get(Metric.DOCKER_LOST) == 2
    assert scene.metrics.get(Metric.DOCKER_REQUESTS, call="version") == 2
    assert first.is_closed
    assert first.stream.is_closed


def test_what_is_known_stays_while_the_engine_is_away() -> None:
    scene = Scene(engine_with("a"), "connection refused", "connection refused")
    scene.run()
    assert scene.running() == ["name-a"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "/var/run/docker.sock"),
        ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
    ],
)
def test_it_tells_where_it_looks_for_the_engine(host: str, address: str) -> None:
    assert Scene(environ={"DOCKER_HOST": host}).watcher.address == address


def test_the_host_is_asked_for_its_name_once() -> None:
    second = engine_with()
    scene = Scene(engine_with(), second)
    scene.run()
    assert scene.watcher.engine_name == "dockerhost"
    assert "info" not in second.calls


def test_a_host_that_was_named_is_not_asked_for_its_name() -> None:
    engine = engine_with()
    environ = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKERHOST_HOSTNAME": "given"}
    Scene(engine, environ=environ).run()
    assert "info" not in engine.calls


def test_it_is_ready_after_the_first_list() -> None:
    engine = engine_with("a")
    scene = Scene(engine)
    seen: list[tuple[bool, list[str]]] = []
    engine.stream._steps.append(
        lambda: seen.append((scene.watcher.ready.is_set(), scene.running()))
    )
    scene.run()
    assert seen == [(True, ["name-a"])]


def test_it_is_ready_when_there_is_no_engine() -> None:
    scene = Scene("connection refused")
    assert not scene.watcher.ready.is_set()
    scene.run()
    assert scene.watcher.ready.is_set()


def test_waits_grow_while_the_engine_is_away_and_never_exceed_half_a_minute() -> None:
    scene = Scene(*["connection refused"] * 40)
    scene.run()
    assert max(scene.waits) <= 1.0  # one look at the socket a second
    assert 40 < sum(scene.waits) < 40 * 30


def test_a_stream_that_lasted_starts_the_waits_anew() -> None:
    engine = engine_with()
    scene = Scene(*["connection refused"] * 20, engine)

    def an_hour() -> None:
        scene.waits.clear()
        scene.clock.monotonic += 3600 * 10**9

    engine.stream._steps.append(an_hour)
    scene.run()
    assert sum(scene.waits) <= 0.5


def test_a_stream_that_always_ends_at_once_is_not_listed_again_at_once() -> None:
    scene = Scene(*[engine_with() for _ in range(30)])
    scene.run()
    assert sum(scene.waits) > 30


def test_stop_closes_the_stream() -> None:
    engine = engine_with(steps=[event("start", "a")])
    scene = Scene(engine)
    engine.stream._steps.insert(0, scene.watcher.stop)
    scene.run()
    assert engine.stream.is_closed
    assert scene.registry.by_id("a") is None
    assert scene.metrics.get(Metric.DOCKER_LOST) == 0


def test_a_stop_before_the_list_ends_it_as_well() -> None:
    engine = engine_with("a", steps=[event("start", "b")])
    scene = Scene(engine)

    def subscribe_and_stop() -> object:
        scene.watcher.stop()
        return engine.stream

    engine.events = subscribe_and_stop  # type: ignore[method-assign,assignment]  # bad timing
    scene.run()
    assert engine.calls == ["list"]
    assert engine.stream.is_closed


def test_a_stop_before_the_start_is_heard() -> None:
    scene = Scene(engine_with())
    scene.watcher.stop()
    scene.run()
    assert len(scene._attempts) == 1


def levels(caplog: pytest.LogCaptureFixture, least: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= least]


def test_an_engine_that_is_away_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        Scene(*["connection refused"] * 30).run()
    assert len(levels(caplog, logging.INFO)) == 1
    assert "reason=connection refused" in levels(caplog, logging.WARNING)[0]


def test_a_flapping_engine_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        Scene(*[engine_with() for _ in range(30)]).run()
    assert len(levels(caplog, logging.INFO)) == 2


def test_a_second_loss_after_a_good_while_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    engines = [engine_with(), engine_with()]
    scene = Scene(*engines)
    for engine in engines:
        engine.stream._steps.append(
            lambda: setattr(scene.clock, "monotonic", scene.clock.monotonic + 3600 * 10**9)
        )
    with caplog.at_level(logging.INFO):
        scene.run()
    assert len(levels(caplog, logging.WARNING)) == 2


@pytest.mark.parametrize(("is_wanted", "level"), [(False, logging.INFO), (True, logging.WARNING)])
def test_a_missing_socket_is_worth_a_warning_only_to_who_wants_docker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_wanted: bool, level: int
) -> None:
    scene = Scene(environ={"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    scene.watcher._is_wanted = is_wanted
    with caplog.at_level(logging.DEBUG):
        scene.run()
    assert [record.levelno for record in caplog.records] == [level]
    assert "docker.sock: no such socket" in caplog.text
    assert scene.metrics.total(Metric.DOCKER_REQUESTS) == 0


def test_a_socket_that_appears_is_tried_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "docker.sock"
    scene = Scene(environ={"DOCKER_HOST": f"unix://{path}"})
    waits = 0
    seen: list[bool] = []

    def on_wait(_: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 40:
            path.touch()  # nobody listens there, so that it is refused
        elif waits > 40:
            seen.append("refused" in caplog.text)
            scene.watcher.stop()

    scene.clock._on_wait = on_wait
    with caplog.at_level(logging.DEBUG):
        scene.run()
    assert seen == [True]


def test_a_bug_costs_a_connection_and_not_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    def crash() -> object:
        raise KeyError("a bug")

    scene = Scene(engine_with("a", steps=[crash]), engine_with("a", "b"))
    scene.run()
    assert scene.running() == ["name-a", "name-b"]
    assert "Docker watcher failed" in caplog.text


def test_the_docker_library_is_not_loaded_before_there_is_an_engine(tmp_path: Path) -> None:
    program = """
import sys, threading
from connbeat.clock import SystemClock
from connbeat.discovery.docker import DockerWatcher
from connbeat.discovery.engine_follower import EngineFollower
from connbeat.discovery.registry import ContainerRegistry
from connbeat.telemetry.metrics import Metrics

metrics, clock = Metrics(), SystemClock()
watcher = DockerWatcher(
    EngineFollower(ContainerRegistry(), metrics, clock),
    metrics,
    clock,
    environ={"DOCKER_HOST": sys.argv[1]},
    is_wanted=False,
)
thread = threading.Thread(target=watcher.run)
thread.start()
assert watcher.ready.wait(10)
watcher.stop()
thread.join()
print(sorted({"docker", "requests", "urllib3", "ssl"} & set(sys.modules)))
"""
    host = f"unix://{tmp_path}/docker.sock"
    done = subprocess.run(
        [sys.executable, "-c", program, host], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_real_wait_is_cut_short_by_a_stop() -> None:
    """With the machine's clock: the fake one cannot show that the wait listens to the stop."""
    scene = Scene(*["connection refused"] * 1000)
    scene.watcher._clock = SystemClock()
    thread = threading.Thread(target=scene.run)
    thread.start()
    assert scene.watcher.ready.wait(10)
    scene.watcher.stop()
    thread.join(5)
    assert not thread.is_alive()
