"""The script in the shell it is for: bash is wherever connbeat is developed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from connbeat.cli.completion import offers
from connbeat.cli.flags import FLAGS
from connbeat.cli.shells.bash import bash_script

# COMP_WORDS as bash splits a line: `=` is a word of its own.
_ASK = """
source "$1"; shift
compopt() { :; }  # it works only while a line is being completed
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_connbeat
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], set[str]]:
    directory = tmp_path_factory.mktemp("bash")
    script = directory / "connbeat.bash"
    script.write_text(bash_script(offers()))
    (directory / "this.yml").touch()
    (directory / "that dir").mkdir()

    def ask(line: str) -> set[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", _ASK, "bash", str(script), "connbeat", *line.split(" ")],
            capture_output=True,
            text=True,
            check=True,
            cwd=directory,
        )
        assert done.stderr == ""
        return set(done.stdout.split("\n")) - {""}

    return ask


Complete = Callable[[str], set[str]]


def test_commands_are_offered_word_by_word(complete: Complete) -> None:
    assert {"run", "show", "export", "test", "help"} <= complete("")
    assert complete("exp") == {"export"}
    assert complete("test ") == {"config", "output"}
    assert complete("help test o") == {"output"}
    assert complete("show ") == set()


def test_the_values_of_flags_are_no_commands(complete: Complete) -> None:
    assert complete("-c export test c") == {"config"}
    assert complete("-E logging.level = debug test c") == {"config"}
    assert complete("--unknown-keys = warn test c") == {"config"}
    assert complete("-e -v test c") == {"config"}


def test_flags_are_those_of_the_command(complete: Complete) -> None:
    assert {name for flag in FLAGS for name in flag.names} == complete("-") | {"-"} - {"-"}
    assert complete("show --j") == {"--json"}
    assert complete("run --j") == set()
    assert complete("export template --es") == {"--es.version"}


def test_values_are_offered(complete: Complete) -> None:
    assert complete("--unknown-keys ") == {"error", "warn"}
    assert complete("--unknown-keys =") == {"error", "warn"}
    assert complete("--unknown-keys = w") == {"warn"}
    assert complete("-d capt") == {"capture"}
    assert complete("-E connbeat.poll") == {"connbeat.poll_interval="}
    assert complete("-c th") == {"this.yml", "that dir"}
    assert complete("--path.data th") == {"that dir"}


def test_the_script_has_no_path_of_the_machine_it_was_made_on() -> None:
    assert str(Path(__file__).parents[4]) not in bash_script(offers())
