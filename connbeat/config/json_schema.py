"""The JSON Schema of the configuration, for editors: what is known, and what a value looks like.

A key may be written nested, dotted, or partly both, so each section knows everything below it under
all its names. What a file means is checked by `checking`; an editor cannot know what `${...}` will
be, so any value may be one. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from connbeat.config.option import Option, Status
from connbeat.config.options import OPTIONS, default_of
from connbeat.config.processors.declared import COMMON
from connbeat.config.processors.registry import PROCESSORS
from connbeat.config.value_schema import REFERENCE, STEPS, Schema, json_default, value_schema

_TITLE = "The configuration of connbeat"
# That of which editors know all: the language server of YAML stops at this one.
_DIALECT = "http://json-schema.org/draft-07/schema#"
_NOTHING: Schema = {"type": "null"}
_CONDITION: Schema = {"type": "object"}


def config_schema() -> Schema:
    defaults = {key: default_of(option) for key, option in OPTIONS.items()}
    definitions = _definitions("", OPTIONS, defaults)
    steps = {
        f"{name}.{option.key}": option
        for name, declared in PROCESSORS.items()
        for option in (*declared.options, *COMMON)
    }
    definitions |= _definitions("step.", steps, {})
    definitions |= {"step": _step(steps), STEPS: _steps()}
    return {
        "$schema": _DIALECT,
        "title": _TITLE,
        "anyOf": [_object("", "", OPTIONS), _NOTHING],
        "definitions": definitions,
    }


# ---------------------------------------------------------------------- sections
def _definitions(
    begin: str, options: Mapping[str, Option], defaults: Mapping[str, object]
) -> dict[str, Schema]:
    """Of every option and every section of these, by its key after `begin`."""
    found = {f"{begin}{key}": _option(options[key], defaults.get(key)) for key in options}
    for name in sorted(_sections(options)):
        # `${...}` may bring a whole section, and one without keys changes nothing.
        found[f"{begin}{name}"] = {"anyOf": [_object(begin, name, options), _NOTHING, REFERENCE]}
    return found


def _sections(keys: Iterable[str]) -> set[str]:
    return {key[:dot] for key in keys for dot, letter in enumerate(key) if letter == "."}


def _object(begin: str, section: str, options: Mapping[str, Option]) -> Schema:
    """All that is below the section, under every name it has from here."""
    prefix = f"{section}." if section else ""
    names = [name for name in (*sorted(_sections(options)), *options) if name.startswith(prefix)]
    schema: Schema = {
        "type": "object",
        "properties": {
            name.removeprefix(prefix): {"$ref": f"#/definitions/{begin}{name}"} for name in names
        },
        "additionalProperties": False,
    }
    free = [
        name.removeprefix(prefix) for name in names if name in options and _is_free(options[name])
    ]
    if free:  # whose keys are the user's own, and may be dotted as well
        words = "|".join(name.replace(".", r"\.") for name in free)
        schema["patternProperties"] = {rf"^({words})\.": {}}
    return schema


def _is_free(option: Option) -> bool:
    return any(
        schema.get("type", "object") == "object" and "enum" not in schema
        for schema in _values(option)
    )


# ---------------------------------------------------------------------- options
def _option(option: Option, default: object) -> Schema:
    schema: Schema = {"description": _description(option)}
    if option.status is Status.OBSOLETE:
        return {**schema, "deprecated": True}
    if option.status is Status.REFUSED:
        return {**schema, "enum": [False, [], {}, None]}
    schema["anyOf"] = [*_values(option), _NOTHING, REFERENCE]
    shown = json_default(_meant(option).kind, default)
    if shown is not None:
        schema["default"] = shown
    return schema


def _values(option: Option) -> list[Schema]:
    return value_schema(_meant(option).kind)


def _meant(option: Option) -> Option:
    return OPTIONS[option.stands_for] if option.status is Status.ALIAS else option


def _description(option: Option) -> str:
    match option.status:
        case Status.ALIAS:
            return f"Another name of `{option.stands_for}`. {OPTIONS[option.stands_for].text}"
        case Status.REFUSED:
            return f"Not built yet. {option.text}"
        case Status.OBSOLETE:
            return f"Has no meaning any more. {option.text}"
        case Status.USED:
            return option.text


# ---------------------------------------------------------------------- processors
def _steps() -> Schema:
    """A list of them, or a single one."""
    step: Schema = {"$ref": "#/definitions/step"}
    return {"anyOf": [{"type": "array", "items": step}, step, _NOTHING, REFERENCE]}


def _step(options: Mapping[str, Option]) -> Schema:
    """One processor with its options, or a condition with processors."""
    steps: Schema = {"$ref": f"#/definitions/{STEPS}"}
    names = _object("step.", "", options)
    branch: dict[str, Any] = {
        "type": "object",
        "properties": {"if": _CONDITION, "then": steps, "else": steps},
        "patternProperties": {r"^if\.": {}},
        "required": ["then"],
        "additionalProperties": False,
    }
    return {"anyOf": [{**names, "minProperties": 1}, branch]}
