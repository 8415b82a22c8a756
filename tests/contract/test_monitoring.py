"""The endpoint of an agent whose output is away: it says so, and that it is over."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connbeat.agent.build import Agent, build_agent
from connbeat.agent.monitoring.monitor import Monitor, build_vitals
from connbeat.cli.health import ask
from connbeat.clock import SystemClock
from connbeat.config.schema import ConnbeatConfig, HttpConfig, PathConfig, QueueMemConfig, Settings
from connbeat.outputs.http.config import HttpConfig as HttpOutputConfig
from connbeat.telemetry.listening import ListenAddress
from tests.deliveries import events
from tests.metricbeat import read_state, read_stats
from tests.servers.http_server import HttpServer

#: Only a hang takes so long.
HANG_SECONDS = 20


class HastyClock(SystemClock):
    """The machine's clock, put forward now and then."""

    ahead_ns = 0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


class Stage:
    """An agent that delivers and answers, and whose capture is ours."""

    def __init__(self, folder: Path, port: int) -> None:
        self.clock = HastyClock()
        self.address = ListenAddress("", 0, f"{folder}/c.sock")
        settings = Settings(
            connbeat=ConnbeatConfig(enable_docker=False),
            outputs={
                "http": HttpOutputConfig(
                    hosts=(f"http://127.0.0.1:{port}",),
                    backoff_init_seconds=0.02,
                    backoff_max_seconds=0.02,
                )
            },
            queue_mem=QueueMemConfig(events=100, flush_timeout_seconds=0.01),
            http=HttpConfig(enabled=True, host=str(self.address)),
            path=PathConfig(data=str(folder)),
        )
        environ = {"DOCKERHOST_HOSTNAME": "dh", "DOCKERHOST_IP": "127.0.1.1"}
        self.agent: Agent = build_agent(settings, environ, self.clock, dry_run=False)
        vitals = build_vitals(self.agent, self.clock)
        self.monitor = Monitor(self.agent, settings, vitals, self.clock)
        self.monitor.open()
        self.monitor.start()
        for worker in self.agent.workers:
            worker.start(lambda *_: None)
        self.turn()

    def turn(self) -> None:
        """Capture brings one to its end."""
        self.agent.observer_thread.heartbeat.beat(self.clock.monotonic_ns())

    def pass_time(self, seconds: float) -> None:
        self.clock.ahead_ns += int(seconds * 1e9)
        self.turn()

    def close(self) -> None:
        for worker in self.agent.workers:
            worker.drain(self.clock.monotonic_ns())
            worker.join()
        self.monitor.close()

    def fetch(self, path: str) -> str:
        return ask(self.address, path)[1]

    def ready(self) -> tuple[int, list[str]]:
        status, body = ask(self.address, "/readyz")
        return status, [one["reason"] for one in json.loads(body)["reasons"]]

    def number(self, name: str) -> float:
        for family in text_string_to_metric_families(self.fetch("/metrics")):
            for sample in family.samples:
                if sample.name == name:
                    return sample.value
        return 0.0

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.fetch("/stats"))
        return found


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def stage(tmp_path: Path, port: int) -> Iterator[Stage]:
    made = Stage(tmp_path, port)
    yield made
    made.close()


def wait_until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + HANG_SECONDS
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_an_outage_is_told_while_it_lasts_and_not_after(stage: Stage, port: int) -> None:
    assert stage.ready() == (200, [])
    stage.agent.queues.intake.put(events(10))
    wait_until(lambda: stage.number("connbeat_output_failures_total") > 0)
    stage.pass_time(5)
    assert stage.ready() == (200, []), "a destination may restart"
    stage.pass_time(30)
    assert stage.ready() == (503, ["output_stalled"])
    assert stage.number("connbeat_output_stalled_seconds") >= 30
    assert stage.number("connbeat_queue_events") == 10
    assert stage.number("connbeat_output_events_delivered_total") == 0
    assert ask(stage.address, "/healthz")[0] == 200, "no reason to be restarted"
    assert stage.stats()["libbeat"]["output"]["write"]["errors"] > 0
    with HttpServer(port=port) as server:
        wait_until(lambda: len(server.requests) == 10)
        wait_until(lambda: stage.number("connbeat_queue_events") == 0)
    stage.pass_time(1)
    assert stage.ready() == (200, [])
    assert stage.number("connbeat_output_stalled_seconds") == 0
    assert stage.number("connbeat_output_events_delivered_total") == 10


def test_a_queue_that_ends_is_told_and_what_it_lost_counted(stage: Stage) -> None:
    stage.agent.queues.intake.put(events(99))
    stage.pass_time(1)
    assert stage.ready() == (503, ["queue_full"])
    stage.agent.queues.intake.put(events(11, first=99))
    stage.pass_time(1)
    assert stage.ready() == (503, ["queue_drops"])
    assert stage.number("connbeat_output_events_dropped_total") == 10
    assert stage.stats()["libbeat"]["pipeline"]["events"]["dropped"] == 10


def test_metricbeat_reads_what_the_output_took(stage: Stage, port: int) -> None:
    with HttpServer(port=port):
        stage.agent.queues.intake.put(events(10))
        wait_until(lambda: stage.number("connbeat_output_events_delivered_total") == 10)
        stage.pass_time(1)
        found = read_stats(stage.fetch)
    assert found["libbeat.output.events.acked"] == 10
    assert found["libbeat.output.events.batches"] >= 1
    assert found["libbeat.output.write.bytes"] >= sum(one.size_bytes for one in events(10))
    assert found["beat.memstats.rss"] > 1 << 20
    assert read_state(stage.fetch)["output.name"] == "http"


def test_many_who_ask_at_once_are_all_answered(stage: Stage) -> None:
    answers: list[int] = []

    def ask_often() -> None:
        answers.extend(ask(stage.address, "/metrics")[0] for _ in range(10))

    threads = [threading.Thread(target=ask_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 80
