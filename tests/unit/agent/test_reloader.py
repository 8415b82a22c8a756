import json
import logging
from pathlib import Path
from typing import cast

import msgspec
import pytest

from connbeat.agent import build, reloader
from connbeat.agent.build import Agent, build_agent
from connbeat.agent.delivery.deliver import DeliveryPolicy
from connbeat.agent.reloader import Reloader
from connbeat.clock import SystemClock
from connbeat.config.schema import ConnbeatConfig, LoggingConfig, Settings
from connbeat.errors import ConfigError
from connbeat.outputs.file.client import FileOutput
from connbeat.outputs.file.config import FileConfig
from connbeat.outputs.http.config import HttpConfig
from connbeat.telemetry.log import LogSettings
from tests.builders import HOST_NETNS, connection_report
from tests.unit.processors.trying import steps_of

ENVIRON = {"DOCKERHOST_HOSTNAME": "dh", "DOCKERHOST_IP": "127.0.1.1"}
DEFAULTS = DeliveryPolicy()


class House:
    """An agent that was built and not started, and a configuration to read again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.warnings: tuple[str, ...] = ()
        self.faults: tuple[str, ...] = ()
        clock = SystemClock()
        self.agent: Agent = build_agent(settings, ENVIRON, clock, dry_run=False)
        self.reloader = Reloader(self.agent, settings, self._read, clock)

    def _read(self) -> tuple[Settings, tuple[str, ...]]:
        if self.faults:
            raise ConfigError(self.faults)
        return self.settings, self.warnings

    def reload(self, **changes: object) -> frozenset[str]:
        self.settings = msgspec.structs.replace(self.settings, **changes)
        return self.reloader.reload()

    def capture_turn(self) -> None:
        """What the capture thread does first in its next turn."""
        changes = self.agent.observer_thread._changes
        while not changes.empty():
            changes.get()()

    def document(self) -> dict[str, object]:
        builder = self.agent.builder
        builder.begin(HOST_NETNS, 0, 0)
        found = msgspec.json.encode(builder.build(connection_report()))
        return cast(dict[str, object], json.loads(found))

    def exchanges(self, name: str) -> list[tuple[DeliveryPolicy, object]]:
        (worker,) = [one for one in self.agent.workers if one.name == name]
        return list(worker._exchanges)


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> House:
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("0123456789abcdef\n")
    monkeypatch.setattr(build, "_BOOT_ID", boot_id)
    caplog.set_level(logging.INFO)
    outputs = {
        "file": FileConfig(path=str(tmp_path / "out")),
        "http": HttpConfig(hosts=("127.0.0.1:1",)),
    }
    config = ConnbeatConfig(enable_docker=False)
    return House(Settings(name="n", outputs=outputs, connbeat=config))


def test_documents_say_what_the_new_configuration_says(house: House) -> None:
    assert house.reload(name="new", tags=("t",)) == frozenset()
    house.capture_turn()
    document = house.document()
    assert document["tags"] == ["t"]
    assert cast(dict[str, object], document["beat"])["name"] == "new"


def test_capture_has_its_new_intervals_and_limits(house: House) -> None:
    config = msgspec.structs.replace(
        house.settings.connbeat, aggregation_seconds=5, poll_interval_seconds=9, report_self=True
    )
    house.reload(connbeat=config)
    house.capture_turn()
    tracker = house.agent.observation.observer._tracker
    assert tracker._policy.plan.interval_ns == 5_000_000_000
    assert tracker._policy.own_pid == 0
    assert house.agent.observation.snapshots._policy.fresh_ns == 5_000_000_000
    assert house.agent.observer_thread._poll_interval_ns == 9_000_000_000


def test_the_log_shows_what_is_wanted_now(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[LogSettings] = []
    monkeypatch.setattr(reloader, "set_up", made.append)
    house.reload(name="no change of the log")
    assert made == []
    house.reload(logging=LoggingConfig(level="debug", selectors=("queue",)))
    assert made == [LogSettings(level="debug", selectors=("queue",))]


def test_an_output_whose_settings_changed_is_handed_to_its_worker(
    house: House, tmp_path: Path
) -> None:
    file = FileConfig(path=str(tmp_path / "other"))
    outputs = {**house.settings.outputs, "file": file}
    assert house.reload(outputs=outputs) == {"file"}
    ((policy, output),) = house.exchanges("file")
    assert policy.max_events == DEFAULTS.max_events
    assert isinstance(output, FileOutput)
    assert house.exchanges("http") == []
    assert house.reloader.settings.outputs["file"] == file


def test_a_worker_learns_what_it_does_itself_without_a_new_output(house: House) -> None:
    http = HttpConfig(hosts=("127.0.0.1:1",), max_retries=3)
    assert house.reload(outputs={**house.settings.outputs, "http": http}) == frozenset()
    ((policy, output),) = house.exchanges("http")
    assert (policy.max_retries, output) == (3, None)


def test_an_output_that_could_not_take_its_settings_tries_again(house: House) -> None:
    house.agent.workers[0].has_refused = True
    assert house.reload() == {house.agent.workers[0].name}


def test_what_needs_a_restart_is_named_and_stays(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    config = msgspec.structs.replace(house.settings.connbeat, capture="dump")
    house.reload(name="new", connbeat=config)
    assert "The configuration was read again. changed=name" in caplog.text
    assert "A changed setting needs a restart. setting=connbeat.capture" in caplog.text
    assert house.reloader.settings.connbeat.capture == "auto"
    assert house.reloader.settings.name == "new"


def test_a_configuration_with_faults_changes_nothing_and_tells_them_all(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.faults = ("f.yml:1: one", "f.yml:2: two")
    assert house.reload(name="new") == frozenset()
    house.capture_turn()
    assert cast(dict[str, object], house.document()["beat"])["name"] == "n"
    for text in ("fault=f.yml:1: one", "fault=f.yml:2: two", "is refused", "faults=2"):
        assert text in caplog.text
    assert house.reloader.settings.name == "n"


def test_one_whose_output_cannot_even_be_made_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def impossible(*_: object) -> None:
        raise ConfigError(("output.http: no such library",))

    monkeypatch.setattr(reloader, "build_outputs", impossible)
    http = HttpConfig(hosts=("127.0.0.1:2",))
    house.reload(name="new", outputs={**house.settings.outputs, "http": http})
    house.capture_turn()
    assert "no such library" in caplog.text
    assert cast(dict[str, object], house.document()["beat"])["name"] == "n"
    assert house.exchanges("http") == []


def test_a_bug_in_it_does_not_end_the_agent(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(reloader, "set_up", breaks)
    assert house.reload(logging=LoggingConfig(level="debug")) == frozenset()
    assert "could not be put in force" in caplog.text
    assert "can't start new thread" in caplog.text


def test_warnings_go_to_the_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.warnings = ("f.yml:1: old",)
    house.reload()
    assert "warning=f.yml:1: old" in caplog.text
    assert "changed=nothing" in caplog.text


def test_other_processors_take_their_place_in_the_capture_thread(tmp_path: Path) -> None:
    house = House(Settings(outputs={"file": FileConfig(path=str(tmp_path))}))
    events = house.agent.observer_thread._events
    report = connection_report()
    house.reload(processors=steps_of("- drop_event: ~"))
    assert len(list(events.make([report], HOST_NETNS))) == 1
    house.capture_turn()
    assert list(events.make([report], HOST_NETNS)) == []
    house.reload(processors=())
    house.capture_turn()
    assert len(list(events.make([report], HOST_NETNS))) == 1
