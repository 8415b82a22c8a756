"""`connbeat export man`: the manual page connbeat(1).

Made from the tables of commands, flags and options. It names the version and no date, so that one
version has one page, wherever and whenever a package is built.
"""

import re
import sys
from collections.abc import Iterator

import connbeat
from connbeat.cli.commands import COMMANDS, Command
from connbeat.cli.exit_codes import EXIT_CODES
from connbeat.cli.flags import FLAGS, MORE_FLAGS, Flag
from connbeat.cli.options import Options
from connbeat.config.option import Option, Status
from connbeat.config.options import OPTIONS, default_of

_DESCRIPTION = """connbeat reports the metadata of every TCP connection of this host and of every
container on it: which process in which container talked to whom, in which direction, for how long
and how many bytes, or why it failed. It never reads contents. Events go to the console, to files,
HTTP, Elasticsearch, Kafka, Redis or Logstash.

Flags may stand before or after the command. Long flags may be written with one dash, too."""
_FILES = {
    "connbeat.yml": "The configuration, of the working directory or of --path.config, if -c names "
    "no other.",
    "/etc/connbeat/connbeat.yml": "The configuration where there is none in the working directory.",
    "/etc/connbeat/connbeat.reference.yml": "Every setting with its default, to copy from.",
    "${path.data}": "What the agent keeps: the disk queue, dead letters.",
    "${path.data}/connbeat.keystore": "Secrets, as the keystore commands keep them.",
    "${path.logs}": "Log files, where logging.to_files is on.",
}
_ENVIRONMENT = {
    "BEAT_STRICT_PERMS": "false is the same as --strict.perms=false.",
    "DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH": "Which Docker engine is asked, as for "
    "docker(1).",
    "DOCKERHOST_HOSTNAME, DOCKERHOST_IP": "What events say about the engine's host.",
    "HTTP_PROXY, HTTPS_PROXY, NO_PROXY": "The proxy of outputs that speak HTTP.",
    "PROC_NET_TCP, PROC_NET_TCP6": "Files to read instead of the host's tables of sockets.",
}
_SIGNALS = {
    "SIGTERM, SIGINT": "Stop: tell what is known, and deliver what waits within shutdown_timeout. "
    "A second one ends the process at once.",
    "SIGHUP": "Read the configuration again, apply what can change under way, and open files and "
    "connections of the outputs anew. A configuration with a fault is refused, the old one stays.",
}


def run(options: Options) -> int:  # noqa: ARG001  every command takes them
    sys.stdout.write(manual_page())
    return 0


def manual_page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    version = connbeat.__version__
    yield f'.TH CONNBEAT 1 "" "connbeat {version}" "connbeat"'
    yield from (".SH NAME", r"connbeat \- report every TCP connection of a host and its containers")
    yield from (".SH SYNOPSIS", r".B connbeat", r"[\fIcommand\fR] [\fIflags\fR]")
    yield ".SH DESCRIPTION"
    yield from _paragraphs(_DESCRIPTION)
    yield ".SH COMMANDS"
    for name, command in COMMANDS.items():
        yield from _command(name, command)
    yield ".SH OPTIONS"
    for flag in (*FLAGS, *MORE_FLAGS):
        yield from _flag(flag)
    yield ".SH SETTINGS"
    yield from _paragraphs(
        "The keys of the configuration file, and of -E, each with its type and default."
    )
    for option in OPTIONS.values():
        if option.status is Status.USED:
            yield from _setting(option)
    yield from _section("FILES", _FILES)
    yield from _section("ENVIRONMENT", _ENVIRONMENT)
    yield from _section("SIGNALS", _SIGNALS)
    yield from _section("EXIT STATUS", {str(code): text for code, text in EXIT_CODES.items()})
    yield from (".SH SEE ALSO", r"\fBss\fR(8), \fBproc\fR(5), \fBcapabilities\fR(7)")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield ".PP"
        yield _escaped(" ".join(paragraph.split()))


def _command(name: str, command: Command) -> Iterator[str]:
    yield ".TP"
    yield rf"\fBconnbeat {_escaped(name)}\fR \fI{_escaped(command.argument)}\fR"
    yield _sentence(command.text)
    if command.note:
        yield _escaped(command.note)
    yield from (".RS", ".PP", ".nf", ".EX")
    yield from (_escaped(line) for line in command.examples)
    yield from (".EE", ".fi", ".RE")


def _flag(flag: Flag) -> Iterator[str]:
    value = rf" \fI{_escaped(flag.metavar or '|'.join(flag.choices))}\fR" if flag.has_value else ""
    yield ".TP"
    yield ", ".join(rf"\fB{_escaped(name)}\fR" for name in flag.names) + value
    yield _sentence(flag.text)
    if flag.default:
        yield f"The default is {_escaped(flag.default)}."
    names = [name for name, command in COMMANDS.items() if flag.names[0] in command.flags]
    if names:
        yield f"Of {_escaped(', '.join(names))}."


def _setting(option: Option) -> Iterator[str]:
    default = default_of(option)
    shown = "" if default in (None, "", (), {}) else option.kind.show(default)
    yield ".TP"
    yield rf"\fB{_escaped(option.key)}\fR"
    yield f"({_marked(option.kind.name)}{f', {_escaped(shown)}' if shown else ''}) " + _marked(
        option.text
    )


def _section(title: str, rows: dict[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for name, text in rows.items():
        yield ".TP"
        yield rf"\fB{_escaped(name)}\fR"
        yield _marked(text)


def _sentence(text: str) -> str:
    return f"{_escaped(text[0].upper() + text[1:])}."


def _marked(text: str) -> str:
    """Markdown's `code` in bold."""
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _escaped(text))


def _escaped(text: str) -> str:
    """As roff reads it: no backslash, dash or beginning of a line means more than itself."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^([.'])", r"\\&\1", text)
