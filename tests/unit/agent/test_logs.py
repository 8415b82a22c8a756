from typing import Any

import pytest

from connbeat.agent.logs import log_settings
from connbeat.config.schema import LogFilesConfig, LoggingConfig, PathConfig, Settings
from connbeat.telemetry.log_targets import LogFiles


@pytest.mark.parametrize(
    ("logging", "expected"),
    [
        ({}, "stderr"),
        ({"to_stderr": True}, "stderr"),
        ({"to_stderr": False}, "files"),
        ({"to_files": True}, "files"),
        ({"to_files": False}, "stderr"),
        ({"to_stderr": True, "to_files": True}, "stderr files"),
        ({"to_syslog": True}, "syslog"),
        ({"to_syslog": True, "to_stderr": False}, "syslog"),
        ({"to_syslog": True, "to_files": True}, "syslog files"),
        ({"to_stderr": False, "to_files": False}, ""),
    ],
)
def test_where_the_log_goes(logging: dict[str, Any], expected: str) -> None:
    found = log_settings(Settings(logging=LoggingConfig(**logging)))
    places = {
        "stderr": found.to_stderr,
        "syslog": found.to_syslog,
        "files": found.files is not None,
    }
    assert " ".join(name for name, is_on in places.items() if is_on) == expected


def test_what_is_configured_arrives() -> None:
    settings = Settings(
        path=PathConfig(logs="/l"),
        logging=LoggingConfig(level="debug", selectors=("a",), json=True, to_files=True),
        logging_files=LogFilesConfig(
            name="n",
            rotateeverybytes=5,
            keepfiles=3,
            permissions=0o644,
            interval_seconds=3600.0,
            rotateonstartup=False,
        ),
    )
    found = log_settings(settings)
    assert (found.level, found.selectors, found.is_json) == ("debug", ("a",), True)
    assert found.files == LogFiles(
        directory="/l",
        name="n",
        rotate_every_bytes=5,
        keep_files=3,
        permissions=0o644,
        interval_seconds=3600.0,
        rotate_on_startup=False,
    )


def test_the_defaults_of_the_section_are_those_of_the_files() -> None:
    settings = Settings(logging=LoggingConfig(to_files=True))
    assert log_settings(settings).files == LogFiles(directory="")
    assert log_settings(settings, is_start=False).files == LogFiles(
        directory="", rotate_on_startup=False
    )
