"""The types of options that say how much is told. Pure; the plain types are in `kinds`."""

import re

from connbeat.config.kinds import Duration, Kind, Mismatch
from connbeat.config.masking import describe
from connbeat.config.mismatches import faults_of
from connbeat.config.output_kinds import When
from connbeat.config.schema import AggregationRule
from connbeat.config.tree import Node, below, plain_scalar
from connbeat.model.conditions import condition_fields

_DURATION = Duration()
_PERCENT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{0,3})?)\s?%?", re.ASCII)
_SECTIONS = ("local_process", "container")
_EXAMPLE = "{when: {equals: {container.name: web}}, aggregation: 5m}"


class WhoCondition(When):
    """A condition over processes and containers. The value is plain data for conditions."""

    def parse(self, node: Node) -> object:
        data = super().parse(node)
        wrong = tuple(
            (place, "expected a field of local_process or container: no other is asked here")
            for place, field in condition_fields(data)
            if field.partition(".")[0] not in _SECTIONS
        )
        if wrong:
            raise Mismatch("", wrong)
        return data


class AggregationRules:
    """A list of rules, the first of which that fits counts."""

    name = "list of rules"

    def parse(self, node: Node) -> tuple[AggregationRule, ...]:
        if not isinstance(node.value, tuple):
            raise Mismatch(f"a list of rules such as [{_EXAMPLE}]")
        faults: list[tuple[str, str]] = []
        rules = [
            self._rule(item, f"{number}", faults)
            for number, item in enumerate(node.value)
            if not item.is_broken
        ]
        if faults:
            raise Mismatch("", tuple(faults))
        return tuple(rule for rule in rules if rule is not None)

    def show(self, value: object) -> str:
        return str(value) if value else "[]"

    def _rule(
        self, node: Node, place: str, faults: list[tuple[str, str]]
    ) -> AggregationRule | None:
        if not isinstance(node.value, dict):
            faults.append(
                (place, f"found {describe(node, place)}, expected a rule such as {_EXAMPLE}")
            )
            return None
        parts: dict[str, Kind] = {"when": WhoCondition(), "aggregation": _DURATION}
        faults += [
            (f"{place}.{key}", "unknown key, a rule has when and aggregation")
            for key in node.value
            if key not in parts
        ]
        values: dict[str, object] = {}
        for key, kind in parts.items():
            child = node.value.get(key)
            if child is None or child.value is None:
                faults.append((place, f"has no {key}, expected a rule such as {_EXAMPLE}"))
                continue
            try:
                values[key] = kind.parse(child)
            except Mismatch as mismatch:
                whole = below(place, key)
                faults += [
                    (below(whole, inside) if inside else whole, text)
                    for inside, text in faults_of(mismatch, child, whole)
                ]
        if len(values) < len(parts):
            return None
        seconds = float(str(values["aggregation"]))
        return AggregationRule(when=values["when"], aggregation_seconds=seconds)


class Percent:
    """A share of one core, `25%` or `25`; `0`, `false` and `off` are 0, for none."""

    name = "percentage"

    def __init__(self, low: float, high: float) -> None:
        self._low = low
        self._high = high

    def parse(self, node: Node) -> float:
        expected = f"a percentage from {self._low:g}% to {self._high:g}%, or off"
        if not node.is_scalar:
            raise Mismatch(expected)
        match = _PERCENT.fullmatch(node.text)
        value = float(match[1]) if match else None
        if value == 0 or plain_scalar(node.text) is False:
            return 0.0
        if value is None or not self._low <= value <= self._high:
            raise Mismatch(expected)
        return value

    def show(self, value: object) -> str:
        return f"{value:g}%" if value else "off"
