"""The list of fields as Beats have it in `fields.yml`, from the catalogue. Pure."""

from typing import Any

from connbeat.model.catalogue import fields_of
from connbeat.model.fields import Field, FieldType
from connbeat.model.schemas import SchemaName

#: The types as Elasticsearch calls them.
TYPES = {
    FieldType.KEYWORD: "keyword",
    FieldType.IP: "ip",
    FieldType.INTEGER: "long",
    FieldType.NUMBER: "double",
    FieldType.DATE: "date",
    FieldType.STRINGS: "keyword",
    FieldType.IPS: "ip",
    FieldType.LABELS: "flattened",
    FieldType.PORTS: "flattened",
    FieldType.ANY: "flattened",
}


def field_list(schema: SchemaName = "connbeat") -> list[dict[str, Any]]:
    """Names are dotted, in the catalogue's order."""
    return [
        {
            "key": "connbeat",
            "title": "connbeat",
            "description": "Connections and listeners of a host and its containers.",
            "fields": [_entry(field) for field in fields_of(schema)],
        }
    ]


def _entry(field: Field) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": field.name, "type": TYPES[field.type]}
    if field.is_required:
        entry["required"] = True
    entry["description"] = field.text
    if field.choices:
        entry["allowed_values"] = [{"name": choice} for choice in field.choices]
    if field.example:
        entry["example"] = field.example
    return entry
