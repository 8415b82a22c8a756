"""The types of options that outputs have. Pure; the plain types are in `kinds`."""

from collections.abc import Mapping

from connbeat.config.kinds import Integer, Mismatch, Text, TextList
from connbeat.config.tree import Node, leaves, list_items, to_plain
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


class BatchSize:
    """A number of events. libbeat's way to say that there are no batches, 0 or less, is one."""

    name = "number"

    def __init__(self, high: int) -> None:
        self._kind = Integer(-1, high)

    def parse(self, node: Node) -> int:
        return max(1, self._kind.parse(node))

    def show(self, value: object) -> str:
        return str(value)


class Hosts(TextList):
    """A list of destinations. The value is their texts: what they lack, the output fills in."""

    name = "list of hosts"

    def __init__(self, defaults: HostDefaults) -> None:
        self._defaults = defaults

    def parse(self, node: Node) -> tuple[str, ...]:
        texts = super().parse(node)
        if not texts and not _has_broken_items(node):
            raise Mismatch("at least one host")
        if list_items(node) is None and (expected := self._expected(node)):
            raise Mismatch(expected)
        return texts

    def _expected(self, item: Node) -> str:
        if item.is_broken or not item.has_text:
            return super()._expected(item)
        try:
            parse_host(item.text, self._defaults)
        except ValueError as error:
            return "host:port or a URL" if item.is_secret else f"host:port or a URL; {error}"
        return ""


def _has_broken_items(node: Node) -> bool:
    """Whether some could not be had, which has been told."""
    return any(item.is_broken for item in list_items(node) or ())


class TextMap:
    """A section whose keys are the user's own and whose values are single."""

    name = "section"

    def parse(self, node: Node) -> Mapping[str, str]:
        expected = "a section with keys of your own and a text for each"
        if not isinstance(node.value, dict):
            raise Mismatch(expected)
        texts = {key: leaf for key, leaf in leaves(node) if not leaf.is_broken}
        wrong = tuple((key, "a text") for key, leaf in texts.items() if not leaf.has_text)
        if wrong:
            raise Mismatch(expected, unexpected=wrong)
        return {key: leaf.text for key, leaf in texts.items()}

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
