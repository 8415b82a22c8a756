"""Documents held against what we publish about them."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own

from connbeat.events.schema import event_schema

_formats = jsonschema.FormatChecker(["ipv4", "ipv6"])


def _is_timestamp(text: object) -> bool:
    """RFC 3339 in UTC with milliseconds: the only form in which we write a moment."""
    return re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", str(text)) is not None and bool(
        dt.datetime.fromisoformat(str(text))
    )


_formats.checks("date-time", raises=ValueError)(_is_timestamp)
_validator = jsonschema.Draft202012Validator(event_schema(), format_checker=_formats)


def assert_documented(document: Mapping[str, Any]) -> None:
    """Every key of it is in the catalogue, every value is of its type and format."""
    faults = [f"{fault.json_path}: {fault.message}" for fault in _validator.iter_errors(document)]
    assert faults == []


def check_schema(schema: Mapping[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


def validate(value: object, schema: Mapping[str, Any]) -> None:
    jsonschema.validate(value, schema, format_checker=_formats)
