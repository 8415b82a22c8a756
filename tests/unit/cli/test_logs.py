from typing import Any

import pytest

from connbeat.cli.logs import log_settings
from connbeat.cli.options import Environment
from connbeat.config.schema import LogFilesConfig, LoggingConfig, PathConfig, Settings
from connbeat.telemetry.log_targets import LogFiles

SECTION = LogFilesConfig(keepfiles=3)


@pytest.mark.parametrize(
    ("logging", "section", "environment", "expected"),
    [
        ({}, None, "default", "stderr"),
        ({"to_stderr": True}, None, "default", "stderr"),
        ({"to_stderr": False}, None, "default", "files"),
        ({"to_files": True}, None, "default", "files"),
        ({"to_files": False}, SECTION, "default", "stderr"),
        ({}, SECTION, "default", "files"),
        ({"to_stderr": True}, SECTION, "default", "stderr files"),
        ({"to_syslog": True}, None, "default", "syslog"),
        ({"to_syslog": True, "to_stderr": False}, None, "default", "syslog"),
        ({"to_syslog": True}, SECTION, "default", "syslog files"),
        ({"to_stderr": False, "to_files": False}, None, "default", ""),
        ({}, SECTION, "container", "stderr"),
        ({}, SECTION, "systemd", "stderr"),
        ({"to_files": True}, SECTION, "container", "files"),
    ],
)
def test_where_the_log_goes(
    logging: dict[str, Any],
    section: LogFilesConfig | None,
    environment: Environment,
    expected: str,
) -> None:
    settings = Settings(logging=LoggingConfig(**logging), logging_files=section)
    found = log_settings(settings, environment)
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
    found = log_settings(settings, "default")
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
    files = log_settings(Settings(logging=LoggingConfig(to_files=True)), "default").files
    assert files == LogFiles(directory="")
