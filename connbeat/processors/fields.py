"""One field of a document, by its dotted name: other documents with it, or without it. Pure.

A document is copied as far as it changes and no further: the sections on the way to the field.
As everywhere, a key that itself has dots wins over its parts.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connbeat.model.documents import Document, split_name
from connbeat.processors.protocol import ProcessorFailed

Setter = Callable[[Document, Any], Document]
Remover = Callable[[Document], Document]

TIME = "@timestamp"
#: What every event keeps, whatever somebody drops.
KEPT = (TIME, "type")


def field_setter(name: str) -> Setter:
    """A function that gives the document with this value there, sections made where they lack.

    It raises ProcessorFailed where something on the way is no section.
    """
    if "." not in name:
        return lambda document, value: {**document, name: value}
    *parents, (last, _) = split_name(name)

    def put(document: Document, value: object) -> Document:
        result = current = dict(document)
        for rest, head in parents:
            if rest in current:
                current[rest] = value
                return result
            inside = current.get(head)
            if inside is not None and not isinstance(inside, dict):
                raise ProcessorFailed(f"{head} is no section, so {name} has no place")
            current[head] = inside = dict(inside or ())
            current = inside
        current[last] = value
        return result

    return put


def field_remover(name: str) -> Remover:
    """A function that gives the document without the field; itself where it was not there."""
    *parents, (last, _) = split_name(name)

    def remove(document: Document) -> Document:
        result = current = dict(document)
        for rest, head in parents:
            if rest in current:
                del current[rest]
                return result
            inside = current.get(head)
            if not isinstance(inside, dict):
                return document
            current[head] = inside = dict(inside)
            current = inside
        if last not in current:
            return document
        del current[last]
        return result

    return remove


def path_finder(name: str) -> Callable[[Document], tuple[str, ...] | None]:
    """A function that gives the keys under which the field stands; None if it is not there."""
    levels = split_name(name)
    heads = tuple(head for _, head in levels)
    ways = tuple((rest, head, (*heads[:at], rest)) for at, (rest, head) in enumerate(levels))

    def find(document: Document) -> tuple[str, ...] | None:
        inside: Any = document
        for rest, head, path in ways:
            if not isinstance(inside, dict):
                return None
            if rest in inside:
                return path
            inside = inside.get(head)
        return None

    return find


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both in one, `above` winning; sections key by key, everything else as a whole."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            result[key] = merged(known, value)
        else:
            result[key] = value
    return result


def flattened(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value and every section below, by its dotted name; a section after what is in it."""
    for key, value in section.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from flattened(value, f"{name}.")
        yield name, value


def as_text(value: object) -> str | None:
    """A single value as it stands in JSON; None for lists and sections."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None
