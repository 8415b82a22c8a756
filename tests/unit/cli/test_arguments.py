import contextlib
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.cli.arguments import HelpWanted, parse_arguments
from connbeat.cli.commands import COMMANDS
from connbeat.cli.options import Options, PathOverrides
from connbeat.errors import ConfigError


def fault_of(*argv: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_arguments(argv)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", Options()),
        ("run", Options()),
        ("test config", Options(command="test config")),
        ("-c a.yml -c b.yml", Options(config_files=("a.yml", "b.yml"))),
        ("-c a.yml show -c b.yml", Options(command="show", config_files=("a.yml", "b.yml"))),
        ("show -c a.yml -c b.yml", Options(command="show", config_files=("a.yml", "b.yml"))),
        ("test -c run config", Options(command="test config", config_files=("run",))),
        ("-E a=b run -E c", Options(overrides=("a=b", "c"))),
        ("-E a=-5", Options(overrides=("a=-5",))),
        ("-Ea=b -cx.yml", Options(overrides=("a=b",), config_files=("x.yml",))),
        ("--environment container", Options()),
        ("-e -v -N", Options(log_to_stderr=True, verbose=True, dry_run=True)),
        ("-evN", Options(log_to_stderr=True, verbose=True, dry_run=True)),
        ("-ec run show", Options(command="show", log_to_stderr=True, config_files=("run",))),
        ("-d a,b -d *", Options(debug_selectors=("a", "b", "*"))),
        ("--unknown-keys warn", Options(unknown_keys="warn")),
        ("--unknown-keys=warn show", Options(command="show", unknown_keys="warn")),
        ("--path.home /h --path.logs=/l", Options(paths=PathOverrides(home="/h", logs="/l"))),
        ("--json show", Options(command="show", as_json=True)),
        ("test output --json", Options(command="test output", as_json=True)),
        ("doctor --json", Options(command="doctor", as_json=True)),
        ("--version", Options(command="version")),
        ("show --version", Options(command="version")),
    ],
)
def test_flags_stand_on_both_sides_of_the_command(line: str, options: Options) -> None:
    assert parse_arguments(line.split()) == options


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("-c=a.yml -E=a=b", Options(config_files=("a.yml",), overrides=("a=b",))),
        ("--c a.yml --e --N", Options(config_files=("a.yml",), log_to_stderr=True, dry_run=True)),
        ("-e=true -v=false", Options(log_to_stderr=True)),
        ("-configtest", Options(command="test config")),
        ("-configtest -c a.yml", Options(command="test config", config_files=("a.yml",))),
        ("-version=true", Options(command="version")),
        ("-path.home /h -path.config=/c", Options(paths=PathOverrides(home="/h", config="/c"))),
        ("-strict.perms=false", Options(strict_permissions=False)),
        ("-strict.perms -e", Options(log_to_stderr=True)),
    ],
)
def test_the_flags_of_the_go_program_work(line: str, options: Options) -> None:
    assert parse_arguments(line.split()) == options


def test_old_flags_without_meaning_give_a_warning_each() -> None:
    line = "-setup -httpprof :6060 -cpuprofile f -memprofile=g -plugin p run"
    options = parse_arguments(line.split())
    assert options.command == "run"
    assert options.warnings == (
        "-setup has no meaning in this version: no dashboards to load",
        "-httpprof has no meaning in this version: no profiles of Go",
        "-cpuprofile has no meaning in this version: no profiles of Go",
        "-memprofile has no meaning in this version: no profiles of Go",
        "-plugin has no meaning in this version: no plugins of Go",
    )


def test_a_wrong_command_line_is_one_line_with_a_hint() -> None:
    assert fault_of("shwo") == "connbeat: there is no command 'shwo', did you mean show?"
    assert fault_of("x") == "connbeat: there is no command 'x', connbeat help lists the commands"
    assert fault_of("test") == (
        "connbeat test: expected connbeat test config or connbeat test output"
    )
    assert "connbeat export config or connbeat export config-schema" in fault_of("export")
    assert fault_of("exprot") == ("connbeat: there is no command 'exprot', did you mean export?")
    assert fault_of("export", "shema").endswith("did you mean export schema?")
    assert "expected one argument" in fault_of("show", "-c")
    assert "invalid choice: 'no'" in fault_of("--unknown-keys=no")
    assert "--strict.perms" in fault_of("--strict.perms=maybe")


def test_an_unknown_flag_is_told_with_the_nearest_one_or_the_commands_that_have_it() -> None:
    assert fault_of("--jsno", "show") == ("connbeat: there is no flag --jsno, did you mean --json?")
    assert fault_of("-path.hom", "/h") == (
        "connbeat: there is no flag -path.hom, did you mean --path.home?"
    )
    assert fault_of("-configtset") == (
        "connbeat: there is no flag -configtset, did you mean --configtest?"
    )
    assert fault_of("--zzz") == (
        "connbeat: there is no flag --zzz, connbeat --help lists the flags"
    )
    assert fault_of("run", "--json") == (
        "connbeat run: there is no flag --json here; it is of show, doctor, test output;"
        " see connbeat run --help"
    )
    assert fault_of("-ex") == "connbeat: there is no flag -ex, connbeat --help lists the flags"


@pytest.mark.parametrize("argv", [["help"], ["-h"], ["--help"], ["-help"], ["-e", "help"]])
def test_help_without_a_command_lists_them_all(argv: Sequence[str]) -> None:
    with pytest.raises(HelpWanted) as caught:
        parse_arguments(argv)
    assert [name for name in COMMANDS if f"  {name} " not in str(caught.value)] == []


def test_even_help_has_help() -> None:
    with pytest.raises(HelpWanted, match="usage: connbeat help"):
        parse_arguments(["help", "help"])


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "help"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    for argv in (["help", *command.split()], [*command.split(), "--help"]):
        with pytest.raises(HelpWanted) as caught:
            parse_arguments(argv)
        assert f"usage: connbeat {command}" in str(caught.value)
        assert "examples:" in str(caught.value)
        assert "-c FILE" in str(caught.value)


@pytest.mark.parametrize("argv", [["export", "-h"], ["help", "export"], ["--help", "export"]])
def test_the_first_word_of_commands_has_help_that_lists_them(argv: Sequence[str]) -> None:
    with pytest.raises(HelpWanted) as caught:
        parse_arguments(argv)
    assert "usage: connbeat export NAME [flags]" in str(caught.value)
    assert "  connbeat export schema > event.schema.json" in str(caught.value)
    assert "doctor" not in str(caught.value)


@given(st.lists(st.text() | st.sampled_from(["-", "--", "-c", "-E", "-d", "-e", "show", "--json"])))
def test_any_argv_gives_options_or_an_error_of_ours(argv: list[str]) -> None:
    command = "run"
    with contextlib.suppress(ConfigError, HelpWanted):
        command = parse_arguments(argv).command
    assert command in COMMANDS


def test_a_command_line_without_a_mistake_loads_nothing_for_help_and_hints() -> None:
    program = (
        "import sys; from connbeat.cli.arguments import parse_arguments;"
        "parse_arguments(['run', '-E', 'name=edge']);"
        "sys.exit(', '.join({'difflib', 'shutil'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_help_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def widest(columns: int) -> int:
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(HelpWanted) as told:
            parse_arguments(["run", "--help"])
        return max(map(len, str(told.value).partition("examples:")[0].splitlines()))

    assert widest(60) < widest(120)
