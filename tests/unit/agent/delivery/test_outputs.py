import importlib
import sys
from pathlib import Path

import pytest

from connbeat.agent.delivery.outputs import _CLIENTS, build_outputs, delivery_policy
from connbeat.config.outputs.registry import OUTPUTS
from connbeat.config.schema import DeadLetterConfig, PathConfig, QueueMemConfig, Settings
from connbeat.errors import ConfigError
from connbeat.model.batches import Drop
from connbeat.outputs.configuration import OutputConfig
from connbeat.outputs.console.config import ConsoleConfig
from connbeat.outputs.file.config import FileConfig
from connbeat.outputs.protocol import Output
from connbeat.telemetry.metrics import Metrics
from tests.deliveries import FakeClock, batch, event


def built(**outputs: OutputConfig) -> dict[str, Output]:
    return build_outputs(Settings(outputs=outputs), FakeClock(), Metrics())


def test_there_is_an_output_for_every_section_that_is_on(tmp_path: Path) -> None:
    assert built() == {}
    outputs = built(console=ConsoleConfig(), file=FileConfig(path=str(tmp_path)))
    assert [(name, output.name) for name, output in outputs.items()] == [
        ("console", "console"),
        ("file", "file"),
    ]


def test_the_file_output_has_the_path_and_permissions_of_the_settings(tmp_path: Path) -> None:
    config = FileConfig(path=str(tmp_path), filename="events", permissions=0o640)
    output = built(file=config)["file"]
    output.open()
    output.send(batch(event(1)))
    output.close()
    written = tmp_path / "events"
    assert written.read_bytes() == event(1).body + b"\n"
    assert written.stat().st_mode & 0o777 == 0o640


def test_every_output_that_can_be_configured_can_be_built() -> None:
    assert set(_CLIENTS) == set(OUTPUTS)
    for module in _CLIENTS.values():
        assert callable(importlib.import_module(module).build)


def test_a_library_that_is_missing_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_CLIENTS, "file", "connbeat.outputs.gone")
    with pytest.raises(ModuleNotFoundError):  # a mistake of our own is not the user's
        built(file=FileConfig())
    for module in [name for name in sys.modules if name.split(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(_CLIENTS, "file", "redis.client")
    with pytest.raises(ConfigError, match=r"install connbeat\[redis\]"):
        built(file=FileConfig())


def test_the_worker_is_as_the_section_says() -> None:
    config = FileConfig(
        bulk_max_size=7,
        max_retries=3,
        backoff_init_seconds=0.5,
        backoff_max_seconds=2,
        when={"equals": {"n": 1}},
    )
    settings = Settings(
        outputs={"file": config}, queue_mem=QueueMemConfig(events=5, flush_timeout_seconds=9)
    )
    policy = delivery_policy("file", settings, FakeClock(), Metrics())
    assert (policy.max_events, policy.min_events, policy.flush_seconds) == (7, 5, 9)
    assert (policy.max_retries, policy.backoff.init_seconds, policy.backoff.max_seconds) == (
        3,
        0.5,
        2,
    )
    assert policy.wanted.split((event(1), event(2))) == ((event(1),), (event(2),))


def test_dead_letters_have_a_file_an_output(tmp_path: Path) -> None:
    settings = Settings(outputs={"file": FileConfig()}, path=PathConfig(data=str(tmp_path)))
    policy = delivery_policy("file", settings, FakeClock(), Metrics())
    assert policy.dead_letters is not None
    assert policy.dead_letters.keep((Drop(event(1), "refused"),))
    policy.dead_letters.close()
    assert (tmp_path / "dead_letter" / "file.ndjson").stat().st_mode & 0o777 == 0o600


def test_dead_letters_can_be_switched_off() -> None:
    settings = Settings(outputs={"file": FileConfig()}, dead_letter=DeadLetterConfig(enabled=False))
    assert delivery_policy("file", settings, FakeClock(), Metrics()).dead_letters is None


def test_no_wait_is_longer_than_the_longest() -> None:
    settings = Settings(outputs={"file": FileConfig(backoff_max_seconds=0.2)})
    assert delivery_policy("file", settings, FakeClock(), Metrics()).backoff.init_seconds == 0.2
