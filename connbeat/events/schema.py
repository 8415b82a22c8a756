"""The JSON Schema and the reference page of the events, both from the catalogue."""

from typing import Any

from connbeat.model.fields import FIELDS, Field, FieldType

_STRING: dict[str, Any] = {"type": "string"}
_IP: dict[str, Any] = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
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


def event_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one document, as sent without `fields_under_root`."""
    root = _object()
    for field in FIELDS:
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
        "title": "An event of connbeat",
        **root,
    }


def events_reference() -> str:
    """`docs/events.md`: one row a field, in the catalogue's order."""
    rows = [
        f"| `{field.name}` | {field.type} | {_text(field)} | {_example(field)} | {field.origin} |"
        for field in FIELDS
    ]
    return "\n".join((_HEAD, *rows)) + "\n"


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


def _text(field: Field) -> str:
    always = " In every event." if field.is_required else ""
    choices = ", ".join(f"`{choice}`" for choice in field.choices)
    return field.text + (f" One of {choices}." if len(field.choices) > 1 else "") + always


def _example(field: Field) -> str:
    return f"`{field.example}`" if field.example else ""


_HEAD = """# The events

One document an event: a connection or a listener that was opened, goes on (again every
`aggregation`), or closed, or a connection that failed to open. This page is made from the catalogue
in `connbeat/model/fields.py` by `make docs`; `connbeat export schema` prints the same as a JSON
Schema. "5.6" marks the fields of the original connbeat, which keep name, place, type and meaning.

A connection's event has `local_*`, `remote_*` and `connection`; a listener's has `local_port` and
`listener`. Times that come from polls are as exact as `poll_interval`.

| field | type | meaning | example | since |
|---|---|---|---|---|"""
