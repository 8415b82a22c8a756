"""Documents held against what we publish about them."""

import datetime as dt
import re
from collections.abc import Container, Mapping
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own

from connbeat.events.schema import event_schema
from connbeat.model.schemas import SchemaName

SCHEMAS: tuple[SchemaName, ...] = get_args(SchemaName)

_formats = jsonschema.FormatChecker(["ipv4", "ipv6"])


def _is_timestamp(text: object) -> bool:
    """RFC 3339 in UTC with milliseconds: the only form in which we write a moment."""
    return re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", str(text)) is not None and bool(
        dt.datetime.fromisoformat(str(text))
    )


_formats.checks("date-time", raises=ValueError)(_is_timestamp)
_validators = {
    schema: jsonschema.Draft202012Validator(event_schema(schema), format_checker=_formats)
    for schema in SCHEMAS
}


def assert_documented(document: Mapping[str, Any], schema: SchemaName = "connbeat") -> None:
    """Every key of it is in the catalogue, every value is of its type and format."""
    faults = [f"{f.json_path}: {f.message}" for f in _validators[schema].iter_errors(document)]
    assert faults == []


def leaves(document: Mapping[str, Any], names: Container[str], prefix: str = "") -> dict[str, Any]:
    """Values by dotted name; what is an object by the catalogue (`names`) is one value."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        name = prefix + key
        if isinstance(value, Mapping) and name not in names:
            found |= leaves(value, names, f"{name}.")
        else:
            found[name] = value
    return found


def check_schema(schema: Mapping[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


def validate(value: object, schema: Mapping[str, Any]) -> None:
    jsonschema.validate(value, schema, format_checker=_formats)
