"""argv to `Options`. Pure: nothing is printed, opened or left.

Every word that is no flag and no flag's value belongs to the command, but for the last one of a
command with an argument; so flags may stand on both sides of it. The flags of the Go program work
as they were written then: `-configtest`, `--c FILE`, `-e=false`, `-path.home DIR`.
"""

import argparse
import re
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any, NoReturn

from connbeat.cli.commands import COMMANDS, group
from connbeat.cli.flags import FLAGS, MORE_FLAGS, PATHS, WITHOUT_MEANING, Flag, flags_of
from connbeat.cli.options import Options, PathOverrides
from connbeat.errors import ConfigError

_OLD_COMMANDS = {"version": "version", "configtest": "test config"}
_ALL_FLAGS = (*FLAGS, *MORE_FLAGS, *WITHOUT_MEANING)
_NAMES = {name: flag for flag in _ALL_FLAGS for name in flag.names}
_SWITCHES = {name for name, flag in _NAMES.items() if not flag.has_value}
_SHORT_WITH_VALUE = re.compile(r"-[evNh]*[cEd]")
_SHORT = re.compile(r"-[evNh]*([evNh]|[cEd].*)", re.DOTALL)
_DESCRIPTION = "Reports the metadata of every TCP connection of this host and its containers."


class HelpWanted(Exception):  # noqa: N818  no error: what was asked for
    """`-h`, `--help` or `help`; the message is the help."""


def parse_arguments(argv: Sequence[str]) -> Options:
    """Raises ConfigError, one line, and HelpWanted."""
    words, flags = _split(argv)
    is_help_command = words[:1] == ["help"]
    words = words[1:] if is_help_command else words
    if is_help_command or "-h" in flags or "--help" in flags:
        raise HelpWanted(_help(words))
    command, argument = _command_and_argument(words)
    given, left = _parser(command).parse_known_args(flags)
    if left:
        raise _fault(command, f"there is no flag {left[0]} here{_who_has(left[0])}")
    if COMMANDS[command].argument and not argument:
        raise ConfigError((f"connbeat {command}: expected {COMMANDS[command].usage(command)}",))
    return _options(command, vars(given))._replace(key=argument)


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
        if _SHORT_WITH_VALUE.fullmatch(flag) or (flag in _NAMES and _NAMES[flag].has_value):
            flags += [value for value in (next(rest, None),) if value is not None]
    return words, flags


def _modern(argument: str) -> str:
    """A flag as argparse knows it, "" for one that Go's `=false` switches off."""
    name, equals, value = argument.partition("=")
    if len(name) > 2 and f"-{name}" in _NAMES:
        name = f"-{name}"
    elif len(name) == 3 and name[1:] in _NAMES:
        name = name[1:]
    _refuse_unknown(name)
    if name == "--strict.perms" and not equals:
        return "--strict.perms=true"
    if name in _SWITCHES and equals and value in ("true", "false"):
        return name if value == "true" else ""
    return f"{name}{equals}{value}"


def _refuse_unknown(name: str) -> None:
    """Before the words are looked at: the value of a misspelt flag looks like a command."""
    if name in _NAMES:
        return
    is_short = bool(_SHORT.fullmatch(name))
    long_names = [known for known in _NAMES if known.startswith("--")]
    wanted = name if name.startswith("--") else f"-{name}"
    # -cx.yml is -c with a value, and -configtset is most probably not; -ex is like nothing.
    cutoff = 0.85 if is_short or len(name) < 4 else 0.6
    near = _nearest(wanted, long_names, cutoff)
    if is_short and not near:
        return
    hint = f"did you mean {near}?" if near else "connbeat --help lists the flags"
    raise ConfigError((f"connbeat: there is no flag {name}, {hint}",))


def _who_has(flag: str) -> str:
    """Of a flag that other commands have, which."""
    name = flag.partition("=")[0]
    have = [command for command in COMMANDS if name in COMMANDS[command].flags]
    return f"; it is of {', '.join(have)}" if have else ""


def _command_and_argument(words: list[str]) -> tuple[str, str]:
    command = " ".join(words[:-1])
    if command in COMMANDS and COMMANDS[command].argument:
        return command, words[-1]
    return _command(words), ""


def _command(words: list[str]) -> str:
    command = " ".join(words) or "run"
    if command in COMMANDS:
        return command
    if group(command):
        expected = " or ".join(f"connbeat {name}" for name in group(command))
        raise ConfigError((f"connbeat {command}: expected {expected}",))
    groups = {name.partition(" ")[0] for name in COMMANDS}
    near = _nearest(command, [*COMMANDS, *sorted(groups)], 0.6)
    hint = f"did you mean {near}?" if near else "connbeat help lists the commands"
    raise ConfigError((f"connbeat: there is no command {command!r}, {hint}",))


def _nearest(word: str, words: Collection[str], cutoff: float) -> str:
    """The one most like it, "" if none is."""
    import difflib  # noqa: PLC0415  0.3 MB, for who has mistyped something

    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=cutoff)), "")


def _fault(command: str, text: str) -> ConfigError:
    return ConfigError((f"connbeat {command}: {text}; see connbeat {command} --help",))


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print and leave."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError((f"{self.prog}: {message}; see {self.prog} --help",))


def _parser(command: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"connbeat {command}",
        add_help=False,
        allow_abbrev=False,
        # With a width given argparse does not ask for the terminal's, for which it loads 0.7 MB.
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=80),
    )
    for flag in (*flags_of(COMMANDS[command].flags), *WITHOUT_MEANING):
        _add_flag(parser, flag)
    return parser


def _add_flag(parser: argparse.ArgumentParser, flag: Flag) -> None:
    text = argparse.SUPPRESS if flag in WITHOUT_MEANING else flag.text
    if not flag.has_value:
        parser.add_argument(*flag.names, action="store_true", help=text)
        return
    if flag.default:
        text += f" (default: {flag.default})"
    parser.add_argument(
        *flag.names,
        action="append" if flag.is_repeatable else "store",
        metavar=flag.metavar or None,
        choices=flag.choices or None,
        default=flag.default or None,
        help=text,
    )


# ---------------------------------------------------------------------- help
def _help(words: list[str]) -> str:
    """Of everything, of the commands that begin with a word, or of one command."""
    name = " ".join(words)
    if not words:
        return _help_of_many("connbeat [command]", _DESCRIPTION, COMMANDS, _parser("run"))
    if group(name):
        text = f"One of {len(group(name))} commands; connbeat help {name} NAME tells of each."
        return _help_of_many(f"connbeat {name} NAME", text, group(name), _parser(group(name)[0]))
    command = COMMANDS[_command(words)]
    parser = _parser(name)
    parser.usage = f"{command.usage(name)} [flags]"
    parser.description = f"{command.text[0].upper()}{command.text[1:]}."
    parser.epilog = "\n".join(["examples:", *(f"  {line}" for line in command.examples)])
    parser.epilog += f"\n\n{command.note}" if command.note else ""
    return _formatted(parser)


def _help_of_many(
    usage: str, text: str, names: Iterable[str], parser: argparse.ArgumentParser
) -> str:
    names = tuple(names)
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {COMMANDS[name].text}" for name in names]
    examples = [f"  {COMMANDS[name].examples[0]}" for name in names]
    parser.usage = f"{usage} [flags]"
    parser.description = f"{text}\n\ncommands:\n" + "\n".join(lines)
    parser.epilog = "\n".join(["examples:", *examples])
    return _formatted(parser)


def _formatted(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter  # of the terminal's width
    return parser.format_help()


# ---------------------------------------------------------------------- options
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
        paths=PathOverrides(*(given[f"path.{name}"] for name in PATHS)),
        as_json=given.get("json", False),
        es_version=given.get("es.version") or "",
        force=given.get("force", False),
        from_stdin=given.get("stdin", False),
        ready=given.get("ready", False),
        warnings=tuple(
            f"-{name} has no meaning in this version: {flag.text}"
            for flag in WITHOUT_MEANING
            if given[name := flag.names[0].lstrip("-")]
        ),
    )
