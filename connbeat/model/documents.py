"""Questions to a document by the dotted name of a field. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

#: A document as plain values; its keys are as they were written, dots included.
Document = Mapping[str, Any]

_decoder = msgspec.json.Decoder()


def decode_document(body: bytes) -> Document | None:
    """The document of an event's body; None if it is none."""
    try:
        document = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def field_value(document: Document, name: str) -> Any:  # noqa: ANN401  whatever stands there
    """What stands at `a.b.c`; None if nothing does.

    A key that itself has dots wins over its parts, as in libbeat: container labels have such.
    """
    rest = name
    inside: Any = document
    while isinstance(inside, Mapping):
        if rest in inside:
            return inside[rest]
        head, dot, rest = rest.partition(".")
        if not dot:
            return None
        inside = inside.get(head)
    return None


def field_getter(name: str) -> Callable[[Document], Any]:
    """`field_value` of one name, for who asks every document: the name is taken apart once."""
    if "." not in name:
        return lambda document: document.get(name)
    *parents, last = split_name(name)

    def get(document: Document) -> Any:  # noqa: ANN401  whatever stands there
        inside: Any = document
        for rest, head in parents:
            if not isinstance(inside, dict):
                return None
            if rest in inside:
                return inside[rest]
            inside = inside.get(head)
        return inside.get(last[0]) if isinstance(inside, dict) else None

    return get


def split_name(name: str) -> tuple[tuple[str, str], ...]:
    """What is looked for at each depth, and the section to look into where it is not there.

    `a.b.c` is (`a.b.c`, `a`), (`b.c`, `b`), (`c`, `c`).
    """
    found: list[tuple[str, str]] = []
    rest, dot = name, "."
    while dot:
        head, dot, below = rest.partition(".")
        found.append((rest, head))
        rest = below
    return tuple(found)
