"""Questions to a document by the dotted name of a field. Pure."""

from collections.abc import Mapping
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
