"""`connbeat.reference.yml`: every option that is used, what it does, and its default. Pure.

Everything is commented out but the output that is on by itself, so the file means the defaults.
Each line stands alone: with its `#` taken away it is right, wherever it stands.
"""

import re
import textwrap
from collections.abc import Iterator

from connbeat.config.kinds import Kind
from connbeat.config.option import Option, Status
from connbeat.config.options import OPTIONS, default_of

_WIDTH = 98
_HEAD = """\
# Every option of connbeat, with what it does and its default. This is a reference to copy from, not
# a file to begin with: docs/configuration.md says how a configuration is written. It is made from
# connbeat/config by `make docs`. An option without a value has no default; {mark}
# marks what is none.
#
# A line says all of its key, so that it can be copied alone. Nested it means the same:
# `logging.files.path: /x` is `logging: {{files: {{path: /x}}}}`.
"""
#: All that is no comment: the output that is on where no other is.
_MINIMUM = {"output.console.enabled": "true"}
_SECTIONS = {
    "": "General",
    "timestamp": "Times in events",
    "connbeat": "What is observed, and what of it is shown",
    "processors": "What becomes of events on their way",
    "output": "Outputs",
    "dead_letter": "Events an output gave up",
    "queue": "Where events wait",
    "logging": "The agent's own log",
    "http": "The monitoring endpoint",
    "path": "Directories",
    "keystore": "Secrets in a file of their own",
}
#: Where there is no default, and an empty value would be none.
_EXAMPLES = {
    "processors": "[{add_tags: {tags: [edge], when.network.remote_ip: public}}]",
    "output.elasticsearch.hosts": "[https://localhost:9200]",
    "output.http.hosts": "[http://localhost:8080/events]",
    "output.kafka.hosts": "[localhost:9092]",
    "output.logstash.hosts": "[localhost:5044]",
    "output.redis.hosts": "[localhost:6379]",
    "output.file.path": "/var/log/connbeat",
    "output.kafka.topic": "connbeat",
}
_MARK = "  # an example"
# What YAML takes for nothing but a text, or for a list or section of such.
_PLAIN = re.compile(r"[\w./+-][\w ./:+%{}-]*|\[[\w ,./:+-]*\]|\{\}", re.ASCII)


def reference_file() -> str:
    return "\n".join((_HEAD.format(mark=f'"{_MARK.strip()}"'), *_lines()))


def _lines() -> Iterator[str]:
    seen = ""
    used = [option for option in OPTIONS.values() if option.status is Status.USED]
    yield from _heading(_SECTIONS[""])
    for option in sorted(used, key=lambda option: "." in option.key):
        section = _section(option.key)
        if section != seen:
            seen = section
            yield from _heading(_title(section))
        yield from _option(option)


def _section(key: str) -> str:
    """What goes under one heading: an output by itself, of others the first name."""
    names = key.split(".")
    return ".".join(names[:2] if names[0] == "output" else names[:-1][:1])


def _title(section: str) -> str:
    first = section.partition(".")[0]
    title = _SECTIONS.get(first, first)
    return f"{title}: {section}" if section else title


def _heading(title: str) -> Iterator[str]:
    yield f"# {f' {title} ':=^{_WIDTH - 2}}"
    yield ""


def _option(option: Option) -> Iterator[str]:
    yield from textwrap.wrap(
        option.text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    mark = "" if option.key in _MINIMUM else "#"
    yield f"{mark}{option.key}: {_value(option)}".rstrip()
    yield ""


def _value(option: Option) -> str:
    if option.key in _MINIMUM:
        return _MINIMUM[option.key]
    if option.key in _EXAMPLES:
        return _EXAMPLES[option.key] + _MARK
    default = default_of(option)
    return "" if default in (None, "", (), {}) else _written(option.kind, default)


def _written(kind: Kind, default: object) -> str:
    shown = kind.show(default)
    return shown if _PLAIN.fullmatch(shown) else "'" + shown.replace("'", "''") + "'"
