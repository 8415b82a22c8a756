"""Which index, topic, key or pipeline an event gets: libbeat's lists of rules. Pure.

The first rule whose condition fits and that gives a name wins; a rule whose field the event lacks
gives none, and neither does one whose `mappings` do not know its text, unless it has a `default`.
After the rules comes the plain setting, if there is one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import msgspec

from connbeat.model.batches import Event
from connbeat.model.conditions import Condition, ConditionError, parse_condition
from connbeat.model.documents import Document, decode_document
from connbeat.model.format_strings import FormatString, MissingField

_Fault = tuple[str, str]


class SelectorError(ValueError):
    """What is wrong with the rules: every fault, as its dotted place and what it is."""

    def __init__(self, faults: tuple[_Fault, ...]) -> None:
        super().__init__("; ".join(f"{place}: {text}" if place else text for place, text in faults))
        self.faults = faults


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row of such a list. `mappings` None: the text is the name."""

    format: FormatString
    fits: Condition | None
    mappings: Mapping[str, str] | None
    default: str


class Selector:
    """Rules and the plain setting, compiled. Any thread may ask it."""

    def __init__(self, rules: Sequence[_Rule], plain: FormatString | None) -> None:
        """For `parse`."""
        self._rules = tuple(rules)
        self._plain = plain

    @classmethod
    def parse(cls, data: object, setting: str, plain: FormatString | None) -> Self:
        """`data` is plain configuration data: a list of sections with the key `setting`.

        Raises SelectorError with all faults.
        """
        if not isinstance(data, Sequence) or isinstance(data, str):
            raise SelectorError((("", "expected a list of rules"),))
        faults: list[_Fault] = []
        rules = [_parse_rule(item, setting, f"{at}", faults) for at, item in enumerate(data)]
        if faults:
            raise SelectorError(tuple(faults))
        return cls([rule for rule in rules if rule is not None], plain)

    def select(self, event: Event) -> str:
        """The name; "" where no rule gives one and there is no plain setting.

        Raises MissingField where the plain setting wants a field that the event lacks. The body is
        decoded only if there are rules, or a field is asked for.
        """
        if self._rules:
            document = decode_document(event.body) or {}
            for rule in self._rules:
                if name := _name(rule, document, event.timestamp_ns):
                    return name
        return "" if self._plain is None else self._plain.render(event)


def _name(rule: _Rule, document: Document, timestamp_ns: int) -> str:
    if rule.fits is not None and not rule.fits(document):
        return ""
    try:
        text = rule.format.render_document(document, timestamp_ns)
    except MissingField:
        return rule.default
    if rule.mappings is not None:
        text = rule.mappings.get(text, "")
    return text or rule.default


def _parse_rule(data: object, setting: str, place: str, faults: list[_Fault]) -> _Rule | None:
    if not isinstance(data, Mapping):
        faults.append((place, f"expected a section with the key {setting}"))
        return None
    known = (setting, "mappings", "default", "when")
    faults += [
        (f"{place}.{key}", f"unknown key, a rule has {', '.join(known[:-1])} and {known[-1]}")
        for key in data
        if key not in known
    ]
    parse = {setting: _format, "mappings": _mappings, "default": _default, "when": _when}
    values: dict[str, Any] = {}
    for key, compiled in parse.items():
        values[key] = _checked(compiled, data.get(key), f"{place}.{key}", faults)
    if values[setting] is None:
        return None
    return _Rule(
        format=values[setting],
        fits=values["when"],
        mappings=values["mappings"],
        default=values["default"] or "",
    )


def _checked(
    compiled: Callable[[Any], Any], value: object, place: str, faults: list[_Fault]
) -> Any:  # noqa: ANN401  what the function makes of it
    try:
        return compiled(value)
    except ConditionError as error:
        faults += [(f"{place}.{below}" if below else place, text) for below, text in error.faults]
    except ValueError as error:
        faults.append((place, str(error)))
    return None


def _format(value: object) -> FormatString:
    text = _as_text(value)
    if text is None:
        raise ValueError("is missing or no text, expected a format string")
    return FormatString.parse(text)


def _default(value: object) -> str:
    text = "" if value is None else _as_text(value)
    if text is None:
        raise ValueError("expected a text")
    return text


def _when(value: object) -> Condition | None:
    return None if value is None else parse_condition(value)


def _mappings(value: object) -> Mapping[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError("expected a section of texts")  # noqa: TRY004  a fault of the user's text
    return dict(_pairs(value))


def _pairs(value: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for key, inside in value.items():
        known, name = _as_text(key), _as_text(inside)
        if known is None or name is None:
            raise ValueError("expected a section of texts")
        yield known, name


def _as_text(value: object) -> str | None:
    """Numbers and booleans as they are written; None for what is no single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
