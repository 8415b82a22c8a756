import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.telemetry.log import (
    LineFormatter,
    LogSettings,
    RateLimited,
    levels,
    set_up,
)
from tests.deliveries import FakeClock


def raised(message: str) -> ValueError:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  any
        raise ValueError(message)
    return caught.value


def record(message: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    made = logging.LogRecord(
        "connbeat.capture",
        logging.INFO,
        __file__,
        1,
        message,
        args,
        (type(error), error, error.__traceback__) if error else None,
    )
    made.created, made.msecs = 1795428000.123, 123.0
    return made


# Lines


def test_a_line_has_the_time_in_utc_the_level_and_the_room() -> None:
    line = LineFormatter().format(record("A namespace ended. netns=%d", 7))
    assert line == "2026-11-23T10:00:00.123Z INFO connbeat.capture A namespace ended. netns=7"


@given(st.text())
def test_nothing_in_a_value_can_break_the_line_or_color_it(value: str) -> None:
    line = LineFormatter().format(record("Odd process. name=%s", value))
    assert len(line.splitlines()) == 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)


def test_a_traceback_keeps_its_lines_and_nothing_else() -> None:
    text = LineFormatter().format(record("It failed.", error=raised("\x1b[31mred")))
    assert text.splitlines()[1] == "Traceback (most recent call last):"
    assert "\x1b" not in text
    assert "\\x1b[31mred" in text


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


# Where it goes


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as it was, for the next test."""
    yield
    set_up(LogSettings(level="debug"))
    root = logging.getLogger()
    for handler in [one for one in root.handlers if one.get_name() == "connbeat"]:
        root.removeHandler(handler)
        handler.close()
    logging.getLogger("connbeat").setLevel(logging.NOTSET)


@pytest.mark.usefixtures("restored")
def test_everything_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(LogSettings())
    logging.getLogger("connbeat.capture").info("Hello.")
    logging.getLogger("connbeat.capture").debug("Not this.")
    logging.getLogger("urllib3").warning("A library speaks up.")
    logging.getLogger("urllib3").info("Not this.")
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(" ")[2] for line in err.splitlines()] == [
        "INFO connbeat.capture Hello.",
        "WARNING urllib3 A library speaks up.",
    ]


@pytest.mark.usefixtures("restored")
def test_a_second_set_up_takes_the_place_of_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(LogSettings(level="debug", selectors=("capture",)))
    set_up(LogSettings(level="info"))
    logging.getLogger("connbeat.capture").debug("Not this.")
    logging.getLogger("connbeat.capture").info("Once.")
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("restored")
@pytest.mark.usefixtures("restored")
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
