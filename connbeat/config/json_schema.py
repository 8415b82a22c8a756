"""The JSON Schema of the configuration, for editors: what is known, and what a value looks like.

A key may be written nested, dotted, or partly both, so each section knows everything below it under
all its names. What a file means is checked by `checking`; an editor cannot know what `${...}` will
be, so any value may be one. Pure.
"""

from collections.abc import Iterator
from typing import Any

from connbeat.config.option import Option, Status
from connbeat.config.options import OPTIONS, SECTION_NAMES, default_of
from connbeat.config.value_schema import REFERENCE, json_default, value_schema

_TITLE = "The configuration of connbeat"
# That of which editors know all: the language server of YAML stops at this one.
_DIALECT = "http://json-schema.org/draft-07/schema#"
_NOTHING = {"type": "null"}


def config_schema() -> dict[str, Any]:
    definitions = {key: _option(option) for key, option in OPTIONS.items()}
    definitions |= {name: _section(name) for name in sorted(SECTION_NAMES)}
    return {
        "$schema": _DIALECT,
        "title": _TITLE,
        "anyOf": [_object(""), _NOTHING],
        "definitions": definitions,
    }


def _section(name: str) -> dict[str, Any]:
    """`${...}` may bring a whole section, and one without keys changes nothing."""
    return {"anyOf": [_object(name), _NOTHING, REFERENCE]}


def _object(section: str) -> dict[str, Any]:
    properties = {
        relative: {"$ref": f"#/definitions/{whole}"} for relative, whole in _below(section)
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _below(section: str) -> Iterator[tuple[str, str]]:
    """Everything in the section: its name from here, and its whole name."""
    prefix = f"{section}." if section else ""
    for whole in (*sorted(SECTION_NAMES), *OPTIONS):
        if whole.startswith(prefix):
            yield whole.removeprefix(prefix), whole


def _option(option: Option) -> dict[str, Any]:
    meant = OPTIONS[option.stands_for] if option.status is Status.ALIAS else option
    schema: dict[str, Any] = {"description": _description(option)}
    if option.status in (Status.IGNORED, Status.OBSOLETE):
        return {**schema, "deprecated": True}
    if option.status is Status.REFUSED:
        return {**schema, "enum": [False, [], {}, None]}
    schema["anyOf"] = [*value_schema(meant.kind), _NOTHING, REFERENCE]
    default = json_default(meant.kind, default_of(meant))
    if default is not None:
        schema["default"] = default
    return schema


def _description(option: Option) -> str:
    match option.status:
        case Status.ALIAS:
            return f"Another name of `{option.stands_for}`. {OPTIONS[option.stands_for].text}"
        case Status.IGNORED | Status.REFUSED:
            return f"Not built yet. {option.text}"
        case Status.OBSOLETE:
            return f"Has no meaning any more. {option.text}"
        case Status.USED:
            return option.text
