from pathlib import Path

import pytest

from connbeat.agent.delivery.queues import build_queues, flushing, spool_directory
from connbeat.config.schema import PathConfig, QueueDiskConfig, QueueMemConfig, Settings
from connbeat.errors import Permanent
from connbeat.queue.memory import MemoryQueue
from connbeat.telemetry.metrics import Metrics
from tests.deliveries import FakeClock, events, ids


def on_disk(directory: Path) -> Settings:
    return Settings(
        queue_disk=QueueDiskConfig(enabled=True), path=PathConfig(data=str(directory / "data"))
    )


def test_in_memory_every_output_has_its_own_queue() -> None:
    settings = Settings(queue_mem=QueueMemConfig(events=3))
    queues = build_queues(settings, ["a", "b"], FakeClock(), Metrics())
    queues.open()
    queues.intake.put(events(5))
    for place in queues.places:
        assert isinstance(place, MemoryQueue)
        batch = place.lease(10)
        assert batch is not None
        assert ids(batch.events) == ["e2", "e3", "e4"]
    queues.close()


def test_on_disk_all_outputs_share_a_spool_below_path_data(tmp_path: Path) -> None:
    queues = build_queues(on_disk(tmp_path), ["a", "b"], FakeClock(), Metrics())
    assert not (tmp_path / "data").exists(), "nothing is opened before its time"
    queues.open()
    queues.intake.put(events(2))
    for place in queues.places:
        batch = place.lease(10)
        assert batch is not None
        assert ids(batch.events) == ["e0", "e1"]
    assert queues.trouble() == ""
    queues.close()
    assert (tmp_path / "data" / "spool" / "spool.db").exists()


def test_without_outputs_there_is_no_spool(tmp_path: Path) -> None:
    queues = build_queues(on_disk(tmp_path), [], FakeClock(), Metrics())
    queues.open()
    queues.intake.put(events(2))
    queues.close()
    assert not (tmp_path / "data").exists()


def test_a_spool_that_cannot_be_used_is_told_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    queues = build_queues(on_disk(tmp_path), ["a"], FakeClock(), Metrics())
    with pytest.raises(Permanent):
        queues.open()


def test_a_path_of_its_own_goes_before_path_data() -> None:
    assert spool_directory(QueueDiskConfig(path="/x"), "/data") == Path("/x")
    assert spool_directory(QueueDiskConfig(), "/data") == Path("/data/spool")


def test_what_comes_from_disk_has_waited_already() -> None:
    memory = QueueMemConfig(events=10, flush_min_events=1600, flush_timeout_seconds=2.0)
    assert flushing(Settings(queue_mem=memory)) == (10, 2.0)
    assert flushing(Settings(queue_disk=QueueDiskConfig(enabled=True))) == (1, 0.0)
