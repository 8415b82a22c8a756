"""replace: what a pattern matches in a text becomes another text.

The replacement is as in Go: `$1` and `${name}` are groups of the match, `$$` is a dollar.
"""

import re
from collections.abc import Callable

import msgspec

from connbeat.model.documents import Document, field_getter
from connbeat.processors.fields import field_setter
from connbeat.processors.moves import in_order
from connbeat.processors.protocol import Processor, ProcessorConfig, ProcessorFailed, Services

_Render = Callable[[re.Match[str]], str]

_GROUP = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """`pattern` is a regular expression that compiles."""

    field: str
    pattern: str
    replacement: str


class ReplaceConfig(ProcessorConfig, frozen=True, kw_only=True):
    """Replacements, done in their order."""

    fields: tuple[Replacement, ...] = ()
    ignore_missing: bool = False
    fail_on_error: bool = True


def build(config: ReplaceConfig, _services: Services) -> Processor:
    parts = tuple(_part(one, config.ignore_missing) for one in config.fields)
    return in_order(parts, fail_on_error=config.fail_on_error)


def _part(one: Replacement, ignore_missing: bool) -> Processor:
    get, put = field_getter(one.field), field_setter(one.field)
    pattern = re.compile(one.pattern)
    replacement = _replacement(one.replacement, pattern)

    def run(document: Document) -> Document:
        value = get(document)
        if value is None:
            if ignore_missing:
                return document
            raise ProcessorFailed(f"there is no field {one.field}")
        if not isinstance(value, str):
            raise ProcessorFailed(f"{one.field} is no text")
        text = pattern.sub(replacement, value)
        return document if text == value else put(document, text)

    return run


def _replacement(text: str, pattern: re.Pattern[str]) -> str | _Render:
    """For `sub`."""
    if "$" not in text:
        return text.replace("\\", r"\\")
    pieces: list[_Render] = []
    at = 0
    for found in _GROUP.finditer(text):
        pieces += (_literal(text[at : found.start()]), _piece(found, pattern))
        at = found.end()
    pieces.append(_literal(text[at:]))
    return lambda match: "".join([piece(match) for piece in pieces])


def _piece(found: re.Match[str], pattern: re.Pattern[str]) -> _Render:
    """A dollar or a group. One that the pattern has not is empty, as in Go."""
    name = found[1] or found[2]
    if name is None:
        return _literal("$")
    if name.isdecimal():
        number = int(name)
        return _literal("") if number > pattern.groups else lambda match: match[number] or ""
    return _literal("") if name not in pattern.groupindex else lambda match: match[name] or ""


def _literal(text: str) -> _Render:
    return lambda _: text
