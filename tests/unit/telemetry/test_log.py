import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.telemetry.log import (
    LogSettings,
    RateLimited,
    levels,
    set_up,
    take_down,
    tell_of_broken_threads,
)
from connbeat.telemetry.log_targets import LogFiles
from tests.deliveries import FakeClock


@pytest.mark.parametrize(
    ("level", "selectors", "expected"),
    [
        ("info", (), {"connbeat": "INFO"}),
        ("info", ("capture",), {"connbeat": "INFO"}),
        ("debug", (), {"connbeat": "DEBUG"}),
        ("debug", ("*",), {"connbeat": "DEBUG"}),
        ("debug", ("capture", "*"), {"connbeat": "DEBUG"}),
        ("debug", ("",), {"connbeat": "DEBUG"}),
        (
            "debug",
            ("capture", "queue.memory"),
            {"connbeat": "INFO", "connbeat.capture": "DEBUG", "connbeat.queue.memory": "DEBUG"},
        ),
    ],
)
def test_selectors_choose_what_is_debugged(
    level: str, selectors: tuple[str, ...], expected: dict[str, str]
) -> None:
    assert levels(LogSettings(level=level, selectors=selectors)) == expected


def test_a_thread_that_breaks_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks() -> None:
        raise ValueError("bug")

    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    tell_of_broken_threads()
    for target in (breaks, sys.exit):
        thread = threading.Thread(target=target, name="dns-0")
        thread.start()
        thread.join()
    (record,) = caplog.records
    assert record.getMessage() == "A thread has broken and is gone. thread=dns-0"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "bug"


# Where it goes


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as it was, for the next test."""
    yield
    set_up(LogSettings(level="debug"))
    take_down()
    logging.getLogger("connbeat").setLevel(logging.NOTSET)


@pytest.mark.usefixtures("restored")
def test_everything_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    set_up(LogSettings())
    logging.getLogger("connbeat.capture").info("Hello.")
    logging.getLogger("connbeat.capture").debug("Not this.")
    logging.getLogger("urllib3").warning("A library speaks up.")
    logging.getLogger("urllib3").info("Not this.")
    take_down()
    out, err = capfd.readouterr()
    assert out == ""
    assert [line.partition(" ")[2] for line in err.splitlines()] == [
        "INFO connbeat.capture Hello.",
        "WARNING urllib3 A library speaks up.",
    ]


@pytest.mark.usefixtures("restored")
def test_a_second_set_up_takes_the_place_of_the_first(capfd: pytest.CaptureFixture[str]) -> None:
    set_up(LogSettings(level="debug", selectors=("capture",)))
    set_up(LogSettings(level="info"))
    logging.getLogger("connbeat.capture").debug("Not this.")
    logging.getLogger("connbeat.capture").info("Once.")
    take_down()
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("restored")
def test_lines_go_to_files_and_not_to_stderr_where_that_is_wanted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up(LogSettings(to_stderr=False, files=LogFiles(directory=str(tmp_path)), is_json=True))
    logging.getLogger("connbeat.capture").info("Hello. n=%d", 1)
    take_down()
    assert capfd.readouterr().err == ""
    assert json.loads((tmp_path / "connbeat").read_text())["message"] == "Hello. n=1"


@pytest.mark.usefixtures("restored")
def test_a_log_that_cannot_be_written_is_told_once_and_goes_to_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    set_up(LogSettings(to_stderr=False, files=LogFiles(directory=str(tmp_path / "file" / "x"))))
    for number in range(3):
        logging.getLogger("connbeat.capture").info("Hello. n=%d", number)
    take_down()
    lines = capfd.readouterr().err.splitlines()
    assert "The log cannot be written there; its lines go to stderr." in lines[0]
    assert "Not a directory" in lines[0]
    assert [line[-4:] for line in lines[1:]] == [" n=0", " n=1", " n=2"]


def test_the_first_line_comes_at_once_and_the_next_with_what_was_held_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    lines = RateLimited(logging.getLogger("connbeat.test"), clock, seconds=30)
    for _ in range(61):
        lines.warning("It happened. n=%d", 1)
        clock.advance(1)
    assert [one.getMessage() for one in caplog.records] == [
        "It happened. n=1",
        "It happened. n=1 suppressed=29",
        "It happened. n=1 suppressed=29",
    ]


def test_lines_with_another_key_or_message_do_not_hold_each_other_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = RateLimited(logging.getLogger("connbeat.test"), FakeClock())
    for key in ("one", "other"):
        for _ in range(2):
            lines.error("It happened.", key=key)
            lines.warning("Something else happened.", key=key)
    assert len(caplog.records) == 4
