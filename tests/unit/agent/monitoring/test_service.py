import math
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.agent.monitoring.service import Service, status_line
from connbeat.telemetry.heartbeat import Heartbeat
from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.systemd import Notifier
from tests.deliveries import FakeClock


class Stage:
    """A service, and the manager that hears it."""

    def __init__(self, folder: Path, watchdog_seconds: float) -> None:
        path = f"{folder}/notify"
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.bind(path)
        self.channel.setblocking(False)
        self.clock = FakeClock()
        self.heartbeat = Heartbeat(self.clock.monotonic_ns())
        self.metrics = Metrics()
        notifier = Notifier(path, watchdog_seconds)
        self.service = Service(notifier, self.heartbeat, self.metrics, self.clock)

    def beat(self) -> None:
        self.heartbeat.beat(self.clock.monotonic_ns())

    def heard(self) -> list[list[str]]:
        """Every datagram since the last call, without the status."""
        found: list[list[str]] = []
        while True:
            try:
                lines = self.channel.recv(4096).decode().split("\n")
            except BlockingIOError:
                return found
            found.append([line for line in lines if not line.startswith("STATUS=")])


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, watchdog_seconds=20)
    yield made
    made.channel.close()


@pytest.fixture
def unwatched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("unwatched"), watchdog_seconds=0)
    yield made
    made.channel.close()


def test_ready_is_told_once_and_only_when_capture_got_somewhere(stage: Stage) -> None:
    stage.service.work()
    assert stage.heard() == []
    assert 0 < stage.service.due_seconds < 1
    stage.beat()
    stage.service.work()
    stage.service.work()
    assert [lines for lines in stage.heard() if "READY=1" in lines] == [["READY=1"]]


def test_ready_that_did_not_arrive_is_told_again(stage: Stage, tmp_path: Path) -> None:
    stage.beat()
    (tmp_path / "notify").rename(tmp_path / "away")
    stage.service.work()
    (tmp_path / "away").rename(tmp_path / "notify")
    stage.service.work()
    assert ["READY=1"] in stage.heard()


def test_the_watchdog_hears_of_progress_four_times_in_its_period(stage: Stage) -> None:
    heard = 0
    for _ in range(40):
        stage.beat()
        stage.service.work()
        heard += stage.heard().count(["WATCHDOG=1"])
        stage.clock.advance(1)
    assert heard == 8
    assert stage.service.due_seconds <= 5


def test_the_watchdog_hears_nothing_of_a_capture_that_hangs(stage: Stage) -> None:
    stage.beat()
    stage.service.work()
    stage.heard()
    for _ in range(30):
        stage.clock.advance(1)
        stage.service.work()
    assert stage.heard() == []
    stage.beat()
    stage.clock.advance(5)
    stage.service.work()
    assert stage.heard() == [["WATCHDOG=1"]]


def test_without_a_watchdog_nothing_is_due_once_the_agent_is_ready(unwatched: Stage) -> None:
    unwatched.beat()
    unwatched.service.work()
    assert unwatched.heard() == [["READY=1"]]
    assert unwatched.service.due_seconds == math.inf


def test_where_nobody_listens_nothing_is_ever_due() -> None:
    clock = FakeClock()
    service = Service(Notifier(""), Heartbeat(0), Metrics(), clock)
    assert service.due_seconds == math.inf
    for call in (service.work, service.tell_status, service.reloading, service.reloaded):
        call()
    service.stopping(1)


def test_a_reload_has_a_begin_with_its_time_and_an_end(stage: Stage) -> None:
    stage.beat()
    stage.service.work()
    stage.heard()
    stage.service.reloading()
    stage.service.reloaded()
    now_us = stage.clock.monotonic // 1000
    assert stage.heard() == [["RELOADING=1", f"MONOTONIC_USEC={now_us}"], ["READY=1"]]


def test_a_stop_asks_for_all_the_time_it_may_take_the_watchdog_s_too(stage: Stage) -> None:
    stage.service.stopping(100)
    (lines,) = stage.heard()
    assert lines == [
        "STOPPING=1",
        "EXTEND_TIMEOUT_USEC=115000000",
        "WATCHDOG_USEC=115000000",
        "WATCHDOG=1",
    ]


def test_a_stop_never_shortens_the_watchdog_and_gives_it_nothing_where_it_is_off(
    stage: Stage, unwatched: Stage
) -> None:
    stage.service.stopping(0)
    assert "WATCHDOG_USEC=20000000" in stage.heard()[0]
    unwatched.service.stopping(0)
    assert unwatched.heard() == [["STOPPING=1", "EXTEND_TIMEOUT_USEC=15000000"]]


def test_the_status_has_rungs_connections_and_events_in_one_line() -> None:
    metrics = Metrics()
    assert status_line(metrics) == "namespaces=none connections=0 delivered=0 waiting=0 dropped=0"
    metrics.set(Metric.NAMESPACES, 0, rung="procfs")
    metrics.set(Metric.NAMESPACES, 12, rung="nat")
    metrics.set(Metric.CONNECTIONS, 1234567)
    metrics.add(Metric.EVENTS_DELIVERED, 2, output="file")
    metrics.add(Metric.EVENTS_DELIVERED, 3, output="http")
    metrics.set(Metric.QUEUE_EVENTS, 4, output="http")
    metrics.add(Metric.EVENTS_DROPPED, 5, output="http", reason="queue_full")
    expected = "namespaces=nat:12 connections=1234567 delivered=5 waiting=4 dropped=5"
    assert status_line(metrics) == expected
