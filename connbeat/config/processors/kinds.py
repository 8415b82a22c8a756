"""The types of options that processors have. Pure; the plain types are in `config.kinds`."""

import re

from connbeat.config.kinds import Mismatch, Text, TextList
from connbeat.config.tree import Node, list_items
from connbeat.processors.drop_fields import pattern_of
from connbeat.processors.fields import KEPT, TIME
from connbeat.processors.rate_limit import Rate

_METADATA = "@metadata"
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s?/\s?([smh])", re.ASCII)


class FieldName(Text):
    """The dotted name of a field."""

    name = "field"

    def parse(self, node: Node) -> str:
        return checked_name(super().parse(node))


class Target(Text):
    """A field that is written; with `or_top`, "" is the top of the event."""

    name = "field"

    def __init__(self, *, or_top: bool = False) -> None:
        self._or_top = or_top

    def parse(self, node: Node) -> str:
        text = super().parse(node)
        if not text and self._or_top:
            return text
        return checked_target(text)

    def show(self, value: object) -> str:
        return '""' if value == "" else str(value)


class Source(FieldName):
    """A field that goes elsewhere, which the two that every event keeps cannot."""

    def parse(self, node: Node) -> str:
        name = super().parse(node)
        if name in KEPT:
            raise Mismatch("another field: every event keeps @timestamp and type")
        return name


class CheckedList(TextList):
    """A list of texts, of which each has to be something."""

    def parse(self, node: Node) -> tuple[str, ...]:
        texts = super().parse(node)
        if list_items(node) is None:
            for text in texts:  # a list of one
                self.check(text)
        return texts

    def _expected(self, item: Node) -> str:
        expected = super()._expected(item)
        if expected or item.is_broken:
            return expected
        try:
            self.check(item.text)
        except Mismatch as mismatch:
            return str(mismatch)
        return ""

    def check(self, text: str) -> None:
        """Raises Mismatch."""
        raise NotImplementedError


class FieldNames(CheckedList):
    """A list of dotted names."""

    name = "list of fields"

    def check(self, text: str) -> None:
        checked_name(text)


class FieldPatterns(FieldNames):
    """A list of dotted names, and of patterns between slashes."""

    def check(self, text: str) -> None:
        try:
            if pattern_of(text) is None:
                super().check(text)
        except re.error as error:
            raise Mismatch(f"a regular expression between the slashes: {error}") from error


class Pattern(Text):
    """A regular expression."""

    name = "regular expression"

    def parse(self, node: Node) -> str:
        text = super().parse(node)
        try:
            re.compile(text)
        except re.error as error:
            raise Mismatch(f"a regular expression: {error}") from error
        return text


class RateKind:
    """Events in a unit of time, `100/s`, `1000/m`, `5/h`."""

    name = "rate"

    def parse(self, node: Node) -> Rate:
        expected = "a rate such as 100/s, 1000/m or 5000/h"
        match = _RATE.fullmatch(node.text) if node.is_scalar else None
        if match is None:
            raise Mismatch(expected)
        events = float(match[1])
        if events < 1:
            raise Mismatch(f"{expected}, of at least one event")
        return Rate(events, _UNITS[match[2]], node.text)

    def show(self, value: object) -> str:
        return value.text if isinstance(value, Rate) else str(value)


def checked_name(text: str) -> str:
    """Raises Mismatch if it names no field of an event."""
    if text == _METADATA or text.startswith(f"{_METADATA}."):
        raise Mismatch("a field of the event: connbeat has no @metadata")
    if not all(text.split(".")):
        raise Mismatch("the name of a field such as local_process.cmdline")
    return text


def checked_target(text: str) -> str:
    """Raises Mismatch if nothing may be written there."""
    if text == TIME:
        raise Mismatch("another field: the time of an event is not to be changed")
    return checked_name(text)
