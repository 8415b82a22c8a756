"""The JSON Schema and the reference page of the events, both from the catalogue."""

from typing import Any

from connbeat.model.catalogue import fields_of
from connbeat.model.fields import FIELDS, Field, FieldType
from connbeat.model.schemas import SchemaName

_STRING: dict[str, Any] = {"type": "string"}
_IP: dict[str, Any] = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
_TITLES: dict[SchemaName, str] = {
    "connbeat": "An event of connbeat",
    "ecs": "An event of connbeat in Elastic Common Schema",
}
_BINDING: dict[str, Any] = {
    "type": "object",
    "properties": {"HostIp": _STRING, "HostPort": _STRING},
    "required": ["HostIp", "HostPort"],
    "additionalProperties": False,
}
_TYPES: dict[FieldType, dict[str, Any]] = {
    FieldType.KEYWORD: _STRING,
    FieldType.IP: _IP,
    FieldType.INTEGER: {"type": "integer", "minimum": 0},
    FieldType.NUMBER: {"type": "number", "minimum": 0},
    FieldType.DATE: {"type": "string", "format": "date-time"},
    FieldType.STRINGS: {"type": "array", "items": _STRING},
    FieldType.IPS: {"type": "array", "items": _IP},
    FieldType.LABELS: {"type": "object", "additionalProperties": _STRING},
    FieldType.PORTS: {
        "type": "object",
        "additionalProperties": {"type": "array", "items": _BINDING},
    },
    FieldType.ANY: {},
}


def event_schema(schema: SchemaName = "connbeat") -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one document, as sent without `fields_under_root`."""
    root = _object()
    for field in fields_of(schema):
        *parents, leaf = [field.name] if field.name.startswith("@") else field.name.split(".")
        node, is_required = root, field.is_required
        for parent in parents:
            if is_required:
                _require(node, parent)
            node = node["properties"].setdefault(parent, _object())
        node["properties"][leaf] = _property(field)
        if is_required:
            _require(node, leaf)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": _TITLES[schema],
        **root,
    }


def events_reference() -> str:
    """`docs/events.md`: one row a field, in the catalogue's order."""
    return "\n".join((_HEAD, *map(_row, FIELDS))) + "\n"


def _row(field: Field) -> str:
    cells = (f"`{field.name}`", field.type, field_text(field), field_example(field), field.origin)
    return f"| {' | '.join(cells)} |"


def _object() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "additionalProperties": False}


def _require(node: dict[str, Any], name: str) -> None:
    required = node.setdefault("required", [])
    if name not in required:
        required.append(name)


def _property(field: Field) -> dict[str, Any]:
    found = {**_TYPES[field.type], "description": field.text}
    if field.choices:
        found["enum"] = list(field.choices)
    return found


def field_text(field: Field) -> str:
    """What it means, with all its values if they are few, as a cell of a page."""
    always = " In every event." if field.is_required else ""
    choices = ", ".join(f"`{choice}`" for choice in field.choices)
    return field.text + (f" One of {choices}." if len(field.choices) > 1 else "") + always


def field_example(field: Field) -> str:
    return f"`{field.example}`" if field.example else ""


_HEAD = """# The events

One document an event: a connection or a listener that was opened, goes on (again every
`aggregation`), or closed, or a connection that failed to open. This page is made from the catalogue
in `connbeat/model/fields.py` by `make docs`; `connbeat export schema` prints the same as a JSON
Schema, `connbeat export fields` as Beats list theirs. "5.6" marks the fields of the original
connbeat, which keep name, place, type and meaning. With `schema: ecs` documents have the names of
[Elastic Common Schema](events-ecs.md) instead.

A connection's event has `local_*`, `remote_*` and `connection`; a listener's has `local_port` and
`listener`. Times that come from polls are as exact as `poll_interval`.

| field | type | meaning | example | since |
|---|---|---|---|---|"""
