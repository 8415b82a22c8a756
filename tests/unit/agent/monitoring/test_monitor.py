import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connbeat.agent import build
from connbeat.agent.build import build_agent
from connbeat.agent.monitoring.monitor import Monitor, build_vitals
from connbeat.cli.health import ask
from connbeat.clock import SystemClock
from connbeat.config.schema import ConnbeatConfig, HttpConfig, PathConfig, Settings
from connbeat.errors import ConfigError, Permanent
from connbeat.outputs.file.config import FileConfig
from connbeat.telemetry.listening import ListenAddress


class Stage:
    """The endpoint of an agent with one output, none of it started."""

    def __init__(self, folder: Path, host: str) -> None:
        settings = Settings(
            name="n1",
            connbeat=ConnbeatConfig(enable_docker=False),
            outputs={"file": FileConfig(path=str(folder))},
            http=HttpConfig(enabled=True, host=host),
            path=PathConfig(data=str(folder)),
        )
        environ = {"DOCKERHOST_HOSTNAME": "dh", "DOCKERHOST_IP": "127.0.1.1"}
        clock = SystemClock()
        self.agent = build_agent(settings, environ, clock, dry_run=False)
        self.heartbeat = self.agent.observer_thread.heartbeat
        self.clock = clock
        self.address = ListenAddress("", 0, host.removeprefix("unix://"))
        vitals = build_vitals(self.agent, clock)
        self.monitor = Monitor(self.agent, settings, vitals, clock)

    def ask(self, path: str) -> tuple[int, str]:
        return ask(self.address, path)

    def ask_json(self, path: str) -> tuple[int, Any]:
        status, body = self.ask(path)
        return status, json.loads(body)


@pytest.fixture
def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("0123456789abcdef\n")
    monkeypatch.setattr(build, "_BOOT_ID", boot_id)


@pytest.fixture
def stage(tmp_path: Path, booted: None) -> Iterator[Stage]:  # noqa: ARG001  before it
    made = Stage(tmp_path, f"unix://{tmp_path}/c.sock")
    made.monitor.open()
    made.monitor.start()
    yield made
    made.monitor.close()
    assert not (tmp_path / "c.sock").exists()


def test_every_page_is_there(stage: Stage) -> None:
    status, info = stage.ask_json("/")
    assert (status, info["beat"], info["name"]) == (200, "connbeat", "n1")
    status, state = stage.ask_json("/state")
    assert (status, state["output"]["name"]) == (200, "file")
    status, stats = stage.ask_json("/stats")
    assert (status, stats["libbeat"]["output"]["type"]) == (200, "file")
    assert stats["beat"]["memstats"]["rss"] > 0
    assert "\n  " in stage.ask("/stats?pretty")[1]
    status, text = stage.ask("/metrics")
    assert status == 200
    assert 'connbeat_output_events_delivered_total{output="file"} 0.0\n' in text
    assert "connbeat_build_info{" in text


def test_it_lives_from_the_beginning_and_is_ready_once_capture_got_somewhere(
    stage: Stage,
) -> None:
    assert stage.ask_json("/healthz") == (200, {"status": "alive", "reasons": []})
    status, health = stage.ask_json("/readyz")
    assert (status, [one["reason"] for one in health["reasons"]]) == (503, ["starting"])
    stage.heartbeat.beat(stage.clock.monotonic_ns())
    assert stage.ask_json("/readyz") == (200, {"status": "ready", "reasons": []})
    stage.monitor.stopping()
    assert stage.ask("/readyz")[0] == 503
    assert stage.ask("/healthz")[0] == 200


def test_a_capture_that_hangs_is_no_life(stage: Stage) -> None:
    stage.heartbeat.beat(stage.clock.monotonic_ns() - 61 * 10**9)
    status, health = stage.ask_json("/healthz")
    assert (status, health["status"]) == (503, "hangs")


@pytest.mark.usefixtures("booted")
def test_an_address_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, f"unix://{tmp_path}/nowhere/c.sock")
    with pytest.raises(Permanent, match=r"nowhere.*No such file"):
        stage.monitor.open()
    stage.monitor.close()


@pytest.mark.usefixtures("booted")
def test_a_missing_extra_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"install connbeat\[metrics\]"):
        Stage(tmp_path, f"unix://{tmp_path}/c.sock")
