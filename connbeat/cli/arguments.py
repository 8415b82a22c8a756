"""argv to `Options`. Pure: nothing is printed, opened or left.

The commands take no arguments, so every word that is no flag and no flag's value belongs to the
command, and flags may stand on both sides of it. The flags of the Go program work as they were
written then: `-configtest`, `--c FILE`, `-e=false`, `-path.home DIR`.
"""

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from connbeat.cli.options import Options, PathOverrides
from connbeat.errors import ConfigError

COMMANDS = {
    "run": "observe, and send events to the outputs (what happens without a command)",
    "show": "print the connections of this moment as a table",
    "doctor": "say what can be seen here, what cannot, and what would change that",
    "health": "ask the running agent whether it lives (exit code 0) or not (1)",
    "version": "print the version",
    "test config": "check the configuration and print Config OK",
    "test output": "try every output that is on, step by step, without sending an event",
    "export config": "print the merged configuration, secrets masked",
    "export schema": "print the JSON Schema of the events",
    "export template": "print the Elasticsearch index template",
    "export ilm-policy": "print the Elasticsearch lifecycle policy",
    "help": "print the help of a command",
}
_EXAMPLES = {
    "run": (
        "connbeat -c connbeat.yml -e\n"
        "  connbeat -E output.console.pretty=true -E connbeat.poll_interval=1s\n\n"
        "Without -c, connbeat.yml of this directory is read, else /etc/connbeat/connbeat.yml;\n"
        "without any, events go to stdout."
    ),
    "show": "connbeat show\n  connbeat show --json",
    "doctor": "connbeat doctor -c connbeat.yml",
    "health": (
        "connbeat health -c connbeat.yml\n"
        "  connbeat health --ready\n\n"
        "The agent has to run with the same http.enabled, http.host and http.port."
    ),
    "version": "connbeat version",
    "test config": "connbeat test config -c base.yml -c this-host.yml",
    "test output": (
        "connbeat test output -c connbeat.yml\n"
        "  connbeat test output -E 'output.http.hosts=[https://collector/events]'\n\n"
        "The exit code is 1 if a step of any output failed."
    ),
    "export config": "connbeat export config -E output.file.path=/var/log/connbeat",
    "export schema": "connbeat export schema > event.schema.json",
    "export template": (
        "connbeat export template --es.version 7.17.0 > connbeat.template.json\n"
        "  curl -X PUT -H 'Content-Type: application/json' \\\n"
        "    --data-binary @connbeat.template.json http://es:9200/_index_template/connbeat"
    ),
    "export ilm-policy": "connbeat export ilm-policy -c connbeat.yml > policy.json",
}
_WITH_JSON = ("show", "doctor", "test output")
_WITH_ES_VERSION = ("export template",)
_OLD_COMMANDS = {"version": "version", "configtest": "test config"}
_WITHOUT_MEANING = ("setup", "httpprof", "cpuprofile", "memprofile", "plugin")
_PATHS = ("home", "config", "data", "logs")
_SHORT_WITH_VALUE = re.compile(r"-[evN]*[cEd]")
_LONG_WITH_VALUE = {
    "--unknown-keys",
    "--es.version",
    *(f"--{name}" for name in _WITHOUT_MEANING if name != "setup"),
    *(f"--path.{name}" for name in _PATHS),
}
_LONG_NAMES = {
    *_LONG_WITH_VALUE,
    "--strict.perms",
    "--setup",
    "--help",
    "--version",
    "--configtest",
}
_SWITCHES = {"-e", "-v", "-N", "--setup", "--version", "--configtest"}


class HelpWanted(Exception):  # noqa: N818  no error: what was asked for
    """`-h`, `--help` or `help`; the message is the help."""


def parse_arguments(argv: Sequence[str]) -> Options:
    """Raises ConfigError, one line, and HelpWanted."""
    words, flags = _split(argv)
    wants_help = words[:1] == ["help"]
    command = _command(words[1:] if wants_help else words)
    parser = _parser(command)
    if wants_help:
        raise HelpWanted(_help(parser, words[1:]))
    given = vars(parser.parse_args(flags))
    if given["help"]:
        raise HelpWanted(_help(parser, words))
    return _options(command, given)


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of the command, and the flags with their values, spelled in one way."""
    words: list[str] = []
    flags: list[str] = []
    rest = iter(argv)
    for argument in rest:
        if not argument.startswith("-") or argument == "-":
            words.append(argument)
            continue
        flag = _modern(argument)
        flags += [flag] if flag else []
        if _SHORT_WITH_VALUE.fullmatch(flag) or flag in _LONG_WITH_VALUE:
            flags += [value for value in (next(rest, None),) if value is not None]
    return words, flags


def _modern(argument: str) -> str:
    """A flag as argparse knows it, "" for one that Go's `=false` switches off."""
    name, equals, value = argument.partition("=")
    if f"-{name}" in _LONG_NAMES:
        name = f"-{name}"
    elif re.fullmatch(r"--[cEevdN]", name):
        name = name[1:]
    if name == "--strict.perms" and not equals:
        return "--strict.perms=true"
    if name in _SWITCHES and equals and value in ("true", "false"):
        return name if value == "true" else ""
    return f"{name}{equals}{value}"


def _command(words: list[str]) -> str:
    command = " ".join(words) or "run"
    if command in COMMANDS:
        return command
    below = [
        name.removeprefix(f"{command} ") for name in COMMANDS if name.startswith(command + " ")
    ]
    if below:
        expected = " or ".join(f"connbeat {command} {name}" for name in below)
        raise ConfigError((f"connbeat {command}: expected {expected}",))
    near = difflib.get_close_matches(command, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else "connbeat help lists the commands"
    raise ConfigError((f"connbeat: there is no command {command!r}, {hint}",))


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print and leave."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError((f"{self.prog}: {message}; see {self.prog} --help",))


def _parser(command: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"connbeat {command}",
        usage=f"connbeat {command} [flags]",
        add_help=False,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"{COMMANDS[command][0].upper()}{COMMANDS[command][1:]}.",
    )
    if command in _EXAMPLES:
        parser.epilog = f"examples:\n  {_EXAMPLES[command]}"
    _add_flags(parser)
    if command in _WITH_JSON:
        parser.add_argument("--json", action="store_true", help="print JSON, for machines")
    if command == "health":
        parser.add_argument(
            "--ready", action="store_true", help="ask whether it does its work, too"
        )
    if command in _WITH_ES_VERSION:
        parser.add_argument(
            "--es.version", metavar="VERSION", help="of Elasticsearch, such as 7.17.0"
        )
    return parser


def _add_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "-c", action="append", metavar="FILE", help="configuration file; repeatable, later ones win"
    )
    add("-E", action="append", metavar="KEY=VALUE", help="one setting; repeatable, wins over files")
    add("-e", action="store_true", help="log to stderr, as it does anyway")
    add("-v", action="store_true", help="log at level info at least")
    add("-d", action="append", metavar="SELECTORS", help="debug log of these parts, * for all")
    add("-N", action="store_true", help="dry run: count events, send none")
    add("--unknown-keys", choices=("error", "warn"), default="error", help="default: error")
    for name in _PATHS:
        add(f"--path.{name}", metavar="DIR", help=f"the setting path.{name}")
    add(
        "--strict.perms",
        choices=("true", "false"),
        default="true",
        help="refuse configuration files that others may write (default: true)",
    )
    add("-h", "--help", action="store_true", help="print this")
    add("--version", action="store_true", help="the command version")
    add("--configtest", action="store_true", help="the command test config")
    for name in _WITHOUT_MEANING:
        action: dict[str, Any] = {"action": "store_true"} if name == "setup" else {}
        add(f"--{name}", help=argparse.SUPPRESS, **action)


def _help(parser: argparse.ArgumentParser, words: list[str]) -> str:
    if words:
        return parser.format_help()
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, text in COMMANDS.items()]
    parser.usage = "connbeat [command] [flags]"
    parser.description = (
        "Reports the metadata of every TCP connection of this host and its containers.\n\n"
        "commands:\n" + "\n".join(lines)
    )
    return parser.format_help()


def _options(command: str, given: dict[str, Any]) -> Options:
    for old, replacement in _OLD_COMMANDS.items():
        command = replacement if given[old] else command
    selectors = ",".join(given["d"] or ()).split(",")
    return Options(
        command=command,
        config_files=tuple(given["c"] or ()),
        overrides=tuple(given["E"] or ()),
        log_to_stderr=given["e"],
        verbose=given["v"],
        debug_selectors=tuple(name for part in selectors if (name := part.strip())),
        dry_run=given["N"],
        unknown_keys=given["unknown_keys"],
        strict_permissions=given["strict.perms"] == "true",
        paths=PathOverrides(*(given[f"path.{name}"] for name in _PATHS)),
        as_json=given.get("json", False),
        es_version=given.get("es.version") or "",
        ready=given.get("ready", False),
        warnings=tuple(
            f"-{name} has no meaning in this version" for name in _WITHOUT_MEANING if given[name]
        ),
    )
