"""What a value of each kind of option looks like, as JSON Schema. Pure.

A number or a switch may be a text: `"30"` is as good as `30` (see `kinds`). A kind that is not
known here may be anything: a schema that is too wide is of use, one that is too narrow is not.
"""

from collections.abc import Callable
from typing import Any

from connbeat.config.kinds import (
    Boolean,
    BooleanOrAuto,
    Choice,
    Duration,
    Fields,
    FileName,
    Integer,
    Kind,
    Permissions,
    Size,
    Text,
    TextList,
)
from connbeat.config.output_kinds import BatchSize, Hosts, Limit, Rules, TextMap, When
from connbeat.config.processors.kind import Processors
from connbeat.config.volume_kinds import AggregationRules, Percent

Schema = dict[str, Any]

#: The definition of a list of processors, which `json_schema` has.
STEPS = "steps"
#: What `expand` will replace.
REFERENCE: Schema = {"type": "string", "pattern": r"\$\{"}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_ANYTHING: Schema = {}
_WORDS = [
    form
    for word in ("true", "false", "yes", "no", "on", "off")
    for form in (word, word.capitalize(), word.upper())
]
_SWITCH: list[Schema] = [{"type": "boolean"}, {"enum": _WORDS}]
_DURATION_TEXT = r"^([0-9]+(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+$|^[0-9]+(\.[0-9]*)?$"
_SIZE_TEXT = r"^[0-9]+ ?([kKmMgGtT]?[iI]?[bB])?$"


def value_schema(kind: Kind) -> list[Schema]:
    """The alternatives a value has, the best first."""
    for known in type(kind).__mro__:
        if known in _SCHEMAS:
            return _SCHEMAS[known](kind)
    return [_ANYTHING]


def json_default(kind: Kind, default: object) -> object:
    """The default as it would be written, None where there is nothing to write."""
    if default in (None, "", (), {}):
        return None
    if isinstance(default, bool):
        return default
    shown = kind.show(default)
    return default if isinstance(default, int) and shown == str(default) else shown


def _integer(kind: Any) -> list[Schema]:  # noqa: ANN401  each of these knows its own kind
    return [
        {"type": "integer", "minimum": kind.low, "maximum": kind.high},
        {"type": "string", "pattern": r"^-?[0-9]+$"},
    ]


def _choice(kind: Any) -> list[Schema]:  # noqa: ANN401  as above
    any_case = "|".join("".join(_either_case(letter) for letter in word) for word in kind.words)
    return [{"enum": list(kind.words)}, {"type": "string", "pattern": f"^({any_case})$"}]


def _either_case(letter: str) -> str:
    return f"[{letter}{letter.upper()}]" if letter.isalpha() else f"[{letter}]"


def _list(*, at_least: int = 0) -> Callable[[Any], list[Schema]]:
    return lambda _: [{"type": "array", "items": _SCALAR, "minItems": at_least}, _SCALAR]


def _fixed(*schemas: Schema) -> Callable[[Any], list[Schema]]:
    return lambda _: list(schemas)


_SCHEMAS: dict[type, Callable[[Any], list[Schema]]] = {
    Boolean: _fixed(*_SWITCH),
    BooleanOrAuto: _fixed(*_SWITCH, {"enum": ["auto"]}),
    Integer: _integer,
    BatchSize: _fixed({"type": "integer"}, {"type": "string", "pattern": r"^-?[0-9]+$"}),
    Limit: _fixed({"type": "integer"}, {"type": "string", "pattern": r"^-?[0-9]+$"}),
    Duration: _fixed(
        {"type": "string", "pattern": _DURATION_TEXT}, {"type": "number", "minimum": 0}
    ),
    Size: _fixed({"type": "string", "pattern": _SIZE_TEXT}, {"type": "integer", "minimum": 0}),
    # YAML 1.1 reads 0600 as 384, YAML 1.2 as 600.
    Permissions: _fixed(
        {"type": "string", "pattern": "^(0o)?0{0,2}[0-7]{3}$"}, {"type": "integer", "minimum": 0}
    ),
    Text: _fixed(_SCALAR),
    FileName: _fixed({"type": "string", "pattern": "^[^/]+$"}, {"type": "number"}),
    Choice: _choice,
    TextList: _list(),
    Hosts: _list(at_least=1),
    Fields: _fixed({"type": "object"}),
    TextMap: _fixed({"type": "object"}),
    When: _fixed({"type": "object"}),
    Processors: _fixed({"$ref": f"#/definitions/{STEPS}"}),
    Rules: _fixed({"type": "array", "items": {"type": "object"}}),
    AggregationRules: _fixed(
        {"type": "array", "items": {"type": "object", "required": ["when", "aggregation"]}}
    ),
    Percent: _fixed(
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]*)? ?%?$"},
        {"type": "number", "minimum": 0},
        {"enum": [False, "off", "no", "false"]},
    ),
}
