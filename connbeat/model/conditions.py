"""Conditions over documents, `when: {equals: {remote_port: 80}}`, as libbeat has them. Pure.

Compiled once, from plain configuration data, to a function. Where a condition names several
fields, all of them have to agree; of a list in the document one item is enough. A field that is
not there fits nothing.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from connbeat.model.documents import Document, field_getter
from connbeat.model.networks import network_test

Condition = Callable[[Document], bool]
_Test = Callable[[object], bool]

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "gt": lambda value, limit: value > limit,
    "gte": lambda value, limit: value >= limit,
    "lt": lambda value, limit: value < limit,
    "lte": lambda value, limit: value <= limit,
}


class ConditionError(ValueError):
    """What is wrong with a condition: every fault, as its dotted place and what it is."""

    def __init__(self, faults: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{place}: {text}" if place else text for place, text in faults))
        self.faults = faults


def parse_condition(data: object) -> Condition:
    """Mappings, lists and scalars to a function. Raises ConditionError with all faults."""
    compiler = _Compiler()
    condition = compiler.condition(data, "")
    if compiler.faults:
        raise ConditionError(tuple(compiler.faults))
    return condition


def condition_fields(data: object, place: str = "") -> Iterator[tuple[str, str]]:
    """The fields that a condition asks for, each with its dotted place in the data.

    Of what `parse_condition` would not take, some may be missing.
    """
    if isinstance(data, list | tuple):
        for number, one in enumerate(data):
            yield from condition_fields(one, _below(place, str(number)))
    if not isinstance(data, Mapping):
        return
    for name, inside in data.items():
        below = _below(place, str(name))
        if name in ("and", "or", "not"):
            yield from condition_fields(inside, below)
        elif name == "has_fields":
            names = inside if isinstance(inside, list | tuple) else (inside,)
            yield from ((below, str(field)) for field in names)
        else:
            for field, _ in _leaves(inside):
                plain = field.rpartition(".")[0] if name == "range" else field
                yield _below(below, field), plain


class _Compiler:
    """Goes through the data once and notes what is wrong; its result is then of no use."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []
        self._fields: dict[str, Callable[[object, str], _Test]] = {
            "equals": self._equals,
            "contains": self._contains,
            "regexp": self._regexp,
            "network": self._network,
        }

    def condition(self, data: object, place: str) -> Condition:
        names = (*self._fields, "range", "has_fields", "and", "or", "not")
        if not isinstance(data, Mapping) or len(data) != 1:
            found = f"{len(data)} keys" if isinstance(data, Mapping) else "no section"
            return self._fault(place, f"found {found}, expected one of {', '.join(names)}")
        ((name, inside),) = data.items()
        below = _below(place, name)
        if name in self._fields:
            return self._each_field(self._fields[name], inside, below)
        if name not in names:
            return self._fault(below, f"unknown condition, expected one of {', '.join(names)}")
        compilers = {
            "range": self._range,
            "has_fields": self._has_fields,
            "and": self._and,
            "or": self._or,
            "not": self._not,
        }
        return compilers[name](inside, below)

    # ------------------------------------------------------------------ of one field
    def _each_field(
        self, test_of: Callable[[object, str], _Test], inside: object, place: str
    ) -> Condition:
        tests = tuple(
            _of_field(name, test_of(value, _below(place, name))) for name, value in _leaves(inside)
        )
        if not tests:
            return self._fault(place, "expected fields with values")
        return _all(tests)

    def _equals(self, wanted: object, place: str) -> _Test:
        if isinstance(wanted, bool):
            return lambda value: value is wanted
        if isinstance(wanted, int | float):
            return lambda value: not isinstance(value, bool) and value == wanted
        if isinstance(wanted, str):
            return lambda value: value == wanted
        return self._no_test(place, "expected a text, a number, true or false")

    def _contains(self, wanted: object, place: str) -> _Test:
        if not _is_single(wanted):
            return self._no_test(place, "expected a text")
        text = str(wanted)
        return lambda value: any(text in one for one in _texts(value))

    def _regexp(self, wanted: object, place: str) -> _Test:
        if not _is_single(wanted):
            return self._no_test(place, "expected a regular expression")
        try:
            search = re.compile(str(wanted)).search
        except re.error as error:
            return self._no_test(place, f"found {wanted!r}, expected a regular expression: {error}")
        return lambda value: any(search(one) for one in _texts(value))

    def _network(self, wanted: object, place: str) -> _Test:
        tests = []
        for name in wanted if isinstance(wanted, list | tuple) else (wanted,):
            try:
                tests.append(network_test(str(name)))
            except ValueError as error:
                return self._no_test(place, str(error))
        return lambda value: any(test(one) for one in _texts(value) for test in tests)

    # ------------------------------------------------------------------ of their own shape
    def _range(self, inside: object, place: str) -> Condition:
        tests = []
        for name, limit in _leaves(inside):
            field, _, word = name.rpartition(".")
            if word not in _COMPARISONS or not field:
                return self._fault(_below(place, name), "expected field.gt, .gte, .lt or .lte")
            number = as_number(limit)
            if number is None:
                return self._fault(_below(place, name), "expected a number")
            tests.append(_of_field(field, _compared(_COMPARISONS[word], number)))
        if not tests:
            return self._fault(place, "expected fields with gt, gte, lt or lte")
        return _all(tests)

    def _has_fields(self, inside: object, place: str) -> Condition:
        names = inside if isinstance(inside, list | tuple) else (inside,)
        if not names or not all(isinstance(name, str) and name for name in names):
            return self._fault(place, "expected a list of fields")
        return _all([_of_field(name, lambda value: value is not None) for name in names])

    def _and(self, inside: object, place: str) -> Condition:
        return _all(self._parts(inside, place))

    def _or(self, inside: object, place: str) -> Condition:
        parts = self._parts(inside, place)

        def any_fits(document: Document) -> bool:
            for part in parts:  # noqa: SIM110  any() of a generator takes three times as long
                if part(document):
                    return True
            return False

        return any_fits

    def _not(self, inside: object, place: str) -> Condition:
        part = self.condition(inside, place)
        return lambda document: not part(document)

    def _parts(self, inside: object, place: str) -> tuple[Condition, ...]:
        if not isinstance(inside, list | tuple) or not inside:
            self._fault(place, "expected a list of conditions")
            return ()
        return tuple(self.condition(one, _below(place, str(n))) for n, one in enumerate(inside))

    # ------------------------------------------------------------------ faults
    def _fault(self, place: str, text: str) -> Condition:
        self.faults.append((place, text))
        return lambda _: False

    def _no_test(self, place: str, text: str) -> _Test:
        self.faults.append((place, text))
        return lambda _: False


def as_number(value: object) -> float | None:
    """A number, or a text that is one; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _compared(compare: Callable[[float, float], bool], limit: float) -> _Test:
    def test(value: object) -> bool:
        number = as_number(value)
        return number is not None and compare(number, limit)

    return test


def _of_field(name: str, test: _Test) -> Condition:
    get = field_getter(name)
    return lambda document: test(get(document))


def _all(tests: Sequence[Condition]) -> Condition:
    """Whether all of them fit; asked for every event, so the usual single one goes alone."""
    if len(tests) == 1:
        return tests[0]

    def all_fit(document: Document) -> bool:
        for test in tests:  # noqa: SIM110  all() of a generator takes three times as long
            if not test(document):
                return False
        return True

    return all_fit


def _leaves(inside: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names with what is no section; dots and nesting are the same."""
    if isinstance(inside, Mapping):
        for name, value in inside.items():
            yield from _leaves(value, _below(place, str(name)))
    elif place:
        yield place, inside


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _is_single(value: object) -> bool:
    return isinstance(value, str | int | float)


def _texts(value: object) -> Iterator[str]:
    """The texts in a value: itself, or those of a list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, str))
