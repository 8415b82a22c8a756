"""The types of options that outputs have. Pure; the plain types are in `kinds`."""

from collections.abc import Iterator, Mapping

from connbeat.config.kinds import Integer, Mismatch, Text, TextList
from connbeat.config.tree import Node, leaves, to_plain
from connbeat.model.conditions import ConditionError, parse_condition
from connbeat.model.format_strings import FormatString
from connbeat.model.selectors import Selector, SelectorError
from connbeat.outputs.hosts import HostDefaults, parse_host


class Limit:
    """A whole number; a negative one, as in libbeat, is no limit. The value is then None."""

    name = "number"

    def __init__(self, high: int) -> None:
        self._kind = Integer(-1, high)

    def parse(self, node: Node) -> int | None:
        value = self._kind.parse(node)
        return None if value < 0 else value

    def show(self, value: object) -> str:
        return "-1" if value is None else str(value)


class Hosts(TextList):
    """A list of destinations. The value is their texts: what they lack, the output fills in."""

    name = "list of hosts"

    def __init__(self, defaults: HostDefaults) -> None:
        self._defaults = defaults

    def parse(self, node: Node) -> tuple[str, ...]:
        texts = super().parse(node)
        if not texts:
            raise Mismatch("at least one host")
        for text in texts:
            try:
                parse_host(text, self._defaults)
            except ValueError as error:
                raise Mismatch(f"host:port or a URL; {error}") from error
        return texts


class TextMap:
    """A section whose keys are the user's own and whose values are single."""

    name = "section"

    def parse(self, node: Node) -> Mapping[str, str]:
        expected = "a section with keys of your own and a text for each"
        if not isinstance(node.value, dict):
            raise Mismatch(expected)
        return dict(self._texts(node, expected))

    def _texts(self, node: Node, expected: str) -> Iterator[tuple[str, str]]:
        for key, leaf in leaves(node):
            if leaf.is_broken:
                continue
            if not leaf.has_text:
                raise Mismatch(expected)
            yield key, leaf.text

    def show(self, value: object) -> str:
        return str(value)


class Format(Text):
    """A format string, `connbeat-%{+yyyy.MM.dd}`."""

    name = "format string"

    def parse(self, node: Node) -> FormatString:  # type: ignore[override]  # a text that is more
        try:
            return FormatString.parse(super().parse(node))
        except ValueError as error:
            raise Mismatch(f"a format string: {error}") from error

    def show(self, value: object) -> str:
        return value.text if isinstance(value, FormatString) else str(value)


class When:
    """A condition. The value is plain data that `model.conditions` takes."""

    name = "condition"

    def parse(self, node: Node) -> object:
        data = to_plain(node)
        try:
            parse_condition(data)
        except ConditionError as error:
            raise Mismatch("a condition such as equals.remote_port: 80", error.faults) from error
        return data

    def show(self, value: object) -> str:
        return str(value)


class Rules:
    """Rules that choose a name for each event. The value is plain data for `model.selectors`."""

    name = "list of rules"

    def __init__(self, setting: str) -> None:
        self._setting = setting

    def parse(self, node: Node) -> object:
        data = to_plain(node)
        try:
            Selector.parse(data, self._setting, None)
        except SelectorError as error:
            expected = f"a list of rules with {self._setting}, when, mappings and default"
            raise Mismatch(expected, error.faults) from error
        return data

    def show(self, value: object) -> str:
        return str(value) if value else "[]"
