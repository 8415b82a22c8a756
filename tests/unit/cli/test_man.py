import re

import pytest

from connbeat.cli.commands import COMMANDS
from connbeat.cli.exit_codes import EXIT_CODES
from connbeat.cli.flags import FLAGS, MORE_FLAGS
from connbeat.cli.man import manual_page, run
from connbeat.cli.options import Options
from connbeat.config.option import Status
from connbeat.config.options import OPTIONS

PAGE = manual_page()
SHOWN = PAGE.replace(r"\-", "-")


def test_it_is_the_same_at_any_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(command="export man")) == 0
    assert capsys.readouterr().out == PAGE
    assert re.search(r"\b20[0-9][0-9]-", SHOWN) is None, "a date"


def test_it_has_every_command_flag_setting_and_exit_code() -> None:
    names = [
        *(f"connbeat {name}" for name in COMMANDS),
        *(name for flag in (*FLAGS, *MORE_FLAGS) for name in flag.names),
        *(option.key for option in OPTIONS.values() if option.status is Status.USED),
        *map(str, EXIT_CODES),
    ]
    assert [name for name in names if rf"\fB{name}\fR" not in SHOWN] == []


def test_it_has_the_sections_of_a_manual_page() -> None:
    assert PAGE.startswith('.TH CONNBEAT 1 "" "connbeat ')
    heads = re.findall(r"^\.SH (.*)$", PAGE, re.MULTILINE)
    assert heads == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "SETTINGS", "FILES",
        "ENVIRONMENT", "SIGNALS", "EXIT STATUS", "SEE ALSO",
    ]  # fmt: skip


def test_no_text_is_taken_for_an_instruction() -> None:
    requests = {line.split()[0] for line in PAGE.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".PP", ".TP", ".B", ".nf", ".fi", ".EX", ".EE", ".RS", ".RE"}
    assert set(re.findall(r"\\.", PAGE)) == {r"\-", r"\f", r"\e"}


def test_a_default_stands_beside_the_type() -> None:
    assert r"(duration, 30s) A connection that stays open" in PAGE
