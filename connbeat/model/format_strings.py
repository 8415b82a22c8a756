r"""Format strings, `connbeat-%{[beat.name]:any}-%{+yyyy.MM.dd}`, as libbeat has them. Pure.

    %{[a.b]}  %{[a][b]}     a field; a text, a number or a boolean
    %{[a.b]:default}        the same, or the default where the event has no such field
    %{+yyyy.MM.dd}          the event's time in UTC, in Joda's letters: yYxMdDweEaKhHkms
    \x                      the character x, whatever it is

A text without any of these costs nothing to render.
"""

import re
from collections.abc import Callable, Iterator
from typing import Self

from connbeat.model.batches import Event
from connbeat.model.dates import date_format
from connbeat.model.documents import Document, decode_document, field_value

_Part = Callable[[Document, int], str]
_FIELD = re.compile(r"\[([^][{}]+)\](?:\[([^][{}]+)\])*(?::(.*))?", re.DOTALL)


class MissingField(Exception):  # noqa: N818  a fact about an event, and the answer is the caller's
    """The event lacks a field that has no default; the message is its name."""


class FormatString:
    """A compiled format string. Values: equal if their texts are. Any thread may render."""

    __slots__ = ("_has_fields", "_parts", "constant", "text")

    def __init__(self, text: str, parts: tuple[str | _Part, ...], *, has_fields: bool) -> None:
        """For `parse`; `constant` is the result where it is always the same, otherwise None."""
        self.text = text
        self.constant: str | None = None
        if all(isinstance(part, str) for part in parts):
            self.constant = "".join(part for part in parts if isinstance(part, str))
        self._parts = tuple(_literal(part) if isinstance(part, str) else part for part in parts)
        self._has_fields = has_fields

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, which says what is wrong and where."""
        pieces = tuple(_pieces(text))
        return cls(
            text,
            tuple(piece if isinstance(piece, str) else piece[1] for piece in pieces),
            has_fields=any(not isinstance(piece, str) and piece[0] for piece in pieces),
        )

    def render(self, event: Event) -> str:
        """Raises MissingField. The body is decoded only if a field is asked for."""
        if self.constant is not None:
            return self.constant
        document = (decode_document(event.body) or {}) if self._has_fields else {}
        return self.render_document(document, event.timestamp_ns)

    def render_document(self, document: Document, timestamp_ns: int) -> str:
        """The same for who has the document at hand. Raises MissingField."""
        if self.constant is not None:
            return self.constant
        return "".join([part(document, timestamp_ns) for part in self._parts])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FormatString) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"FormatString({self.text!r})"


def _pieces(text: str) -> Iterator[str | tuple[bool, _Part]]:
    """Literal texts, and functions with whether they look into the document."""
    literal = ""
    at = 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            literal += text[at + 1]
            at += 2
        elif text.startswith("%{", at):
            if literal:
                yield literal
                literal = ""
            end = text.find("}", at)
            if end < 0:
                raise ValueError(f"found %{{ without }} at character {at + 1}")
            yield _expression(text[at + 2 : end], at + 1)
            at = end + 1
        else:
            literal += text[at]
            at += 1
    if literal or not text:
        yield literal


def _expression(inside: str, place: int) -> tuple[bool, _Part]:
    if inside.startswith("+"):
        try:
            formatted = date_format(inside[1:])
        except ValueError as error:
            raise ValueError(f"{error} in the date at character {place}") from error
        return False, lambda _, timestamp_ns: formatted(timestamp_ns)
    match = _FIELD.fullmatch(inside)
    if match is None:
        raise ValueError(
            f"found %{{{inside}}} at character {place}, expected %{{[field]}} or %{{+yyyy.MM.dd}}"
        )
    name = inside[: match.start(3) - 1] if match[3] is not None else inside
    return True, _field(name[1:-1].replace("][", "."), match[3])


def _literal(text: str) -> _Part:
    return lambda _, __: text


def _field(name: str, default: str | None) -> _Part:
    def render(document: Document, _: int) -> str:
        text = _as_text(field_value(document, name))
        if text is None:
            if default is None:
                raise MissingField(name)
            return default
        return text

    return render


def _as_text(value: object) -> str | None:
    """None for what is no single value: lists and objects have no text, as in libbeat."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None
