import json
import logging
from pathlib import Path

import pytest

from connbeat.agent.delivery.dead_letters import DeadLetters, dead_letter_directory
from connbeat.model.batches import Drop
from connbeat.outputs.file.client import FileOutput
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock, event, files_end_at


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def letters(tmp_path: Path, metrics: Metrics) -> DeadLetters:
    return DeadLetters("http", FileOutput(tmp_path / "d", "http.ndjson"), metrics, FakeClock())


def lines(tmp_path: Path) -> list[object]:
    text = (tmp_path / "d" / "http.ndjson").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_an_event_is_kept_with_what_was_wrong(
    letters: DeadLetters, tmp_path: Path, metrics: Metrics
) -> None:
    assert letters.keep((Drop(event(1), "refused", "400 no"), Drop(event(2), "too_large")))
    letters.close()
    assert lines(tmp_path) == [
        {
            "dropped_at": "1970-01-01T00:00:01Z",
            "output": "http",
            "id": "e1",
            "reason": "refused",
            "error": "400 no",
            "event": {"n": 1},
        },
        {
            "dropped_at": "1970-01-01T00:00:01Z",
            "output": "http",
            "id": "e2",
            "reason": "too_large",
            "error": "",
            "event": {"n": 2},
        },
    ]
    assert metrics.get(Metric.DEAD_LETTERS, output="http") == 2


@pytest.mark.parametrize("body", [b"nonsense", b"\xff", b'{"a":', b"{}\n{}"])
def test_a_body_that_is_no_json_is_kept_as_text(
    letters: DeadLetters, tmp_path: Path, body: bytes
) -> None:
    assert letters.keep((Drop(event(1, body), "refused"),))
    (line,) = lines(tmp_path)
    assert isinstance(line, dict)
    assert line["event"] == body.decode(errors="replace")


def test_without_a_refused_event_there_is_no_file(letters: DeadLetters, tmp_path: Path) -> None:
    letters.close()
    assert not (tmp_path / "d").exists()


def test_a_full_disk_is_said_and_nothing_stops(
    letters: DeadLetters, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with files_end_at(0):
        assert not letters.keep((Drop(event(1), "refused"),))
    assert metrics.get(Metric.DEAD_LETTERS, output="http") == 0
    assert "cannot be written" in caplog.text
    assert letters.keep((Drop(event(2), "refused"),))


def test_the_directory_is_the_configured_one_or_below_the_data() -> None:
    assert dead_letter_directory("/x", "/data") == Path("/x")
    assert dead_letter_directory("", "/data") == Path("/data/dead_letter")
