import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.telemetry.log_lines import JsonFormatter, LineFormatter, SyslogFormatter


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


def test_syslog_knows_the_time_by_itself() -> None:
    line = SyslogFormatter().format(record("A namespace ended. netns=%d", 7))
    assert line == "INFO connbeat.capture A namespace ended. netns=7"


@given(st.text())
def test_machines_get_an_object_with_the_keys_of_beats(value: str) -> None:
    line = JsonFormatter().format(record("Odd process. name=%s", value))
    assert len(line.split("\n")) == 1
    assert json.loads(line) == {
        "@timestamp": "2026-11-23T10:00:00.123Z",
        "log.level": "info",
        "log.logger": "connbeat.capture",
        "message": f"Odd process. name={value}",
        "service.name": "connbeat",
        "ecs.version": "1.6.0",
    }


def test_a_name_that_is_no_text_does_not_break_the_object() -> None:
    line = JsonFormatter().format(record("name=%s", "\udcff"))
    assert json.loads(line)["message"] == "name=\\udcff"


def test_a_traceback_has_a_key_of_its_own() -> None:
    entry = json.loads(JsonFormatter().format(record("It failed.", error=raised("why"))))
    assert entry["message"] == "It failed."
    assert entry["error.stack_trace"].endswith("ValueError: why")
