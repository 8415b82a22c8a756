"""The types of options: what a node has to look like, and the value it means. Pure.

Every kind takes text as well as the YAML type, because `${...}` and `-E` give text: `"30"` is as
good a number as `30`.
"""

import re
from typing import Protocol

from connbeat.config.tree import Node, Scalar, list_items, plain_scalar, to_plain

_DURATION_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{0,15})?"
_DURATION_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)
_SIZE_UNITS: dict[str, int] = {
    **{unit: 1000**power for power, unit in enumerate(("b", "kb", "mb", "gb", "tb"))},
    **{unit: 1024**power for power, unit in enumerate(("", "kib", "mib", "gib", "tib"))},
}
_SIZE = re.compile(r"([0-9]{1,18})\s?([kmgt]?i?b?)", re.ASCII | re.IGNORECASE)
_YEAR_SECONDS = 365 * 24 * 3600.0


class Mismatch(Exception):  # noqa: N818  the answer "no" to a node, not an error of anybody's
    """The node is nothing of this kind; the message is what would be.

    Where it is a whole tree, `faults` are places below the node, dotted, with what is wrong there,
    and `unexpected` such places with what would be right.
    """

    def __init__(
        self,
        expected: str,
        faults: tuple[tuple[str, str], ...] = (),
        *,
        unexpected: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(expected)
        self.faults = faults
        self.unexpected = unexpected


class Kind(Protocol):
    """A type of option."""

    @property
    def name(self) -> str:
        """For the table in the documentation."""
        ...

    def parse(self, node: Node) -> object:
        """The value. The node is never nothing: that is the default. Raises Mismatch."""
        ...

    def show(self, value: object) -> str:
        """A value as it would be written."""
        ...


def _scalar(node: Node, expected: str) -> Scalar:
    """A scalar, typed as if it stood there unquoted."""
    if not node.is_scalar:
        raise Mismatch(expected)
    return plain_scalar(node.text)


class Boolean:
    """`true` or `false`, or one of YAML's other words for them."""

    name = "boolean"

    def parse(self, node: Node) -> bool:
        value = _scalar(node, "true or false")
        if not isinstance(value, bool):
            raise Mismatch("true or false")
        return value

    def show(self, value: object) -> str:
        return "true" if value else "false"


class BooleanOrAuto:
    """A switch that can be left to the agent."""

    name = "boolean or `auto`"

    def parse(self, node: Node) -> object:
        value = _scalar(node, "true, false or auto")
        if not isinstance(value, bool) and value != "auto":
            raise Mismatch("true, false or auto")
        return value

    def show(self, value: object) -> str:
        return "auto" if value == "auto" else Boolean().show(value)


class Integer:
    """A whole number between two bounds, both included."""

    name = "number"

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def parse(self, node: Node) -> int:
        expected = f"a whole number from {self.low} to {self.high}"
        value = _scalar(node, expected)
        if type(value) is not int or not self.low <= value <= self.high:
            raise Mismatch(expected)
        return value

    def show(self, value: object) -> str:
        return str(value)


class Duration:
    """Go's notation, `1h2m3.5s`; a bare number is seconds. The value is seconds."""

    name = "duration"

    def __init__(self, low: float = 0.0) -> None:
        self._low = low

    def parse(self, node: Node) -> float:
        expected = "a duration such as 30s, 250ms or 1m30s"
        value = _scalar(node, expected)
        seconds = _seconds(value)
        if seconds is None:
            raise Mismatch(expected)
        if not self._low <= seconds <= _YEAR_SECONDS:
            raise Mismatch(f"{expected}, from {self.show(self._low)} to 8760h")
        return seconds

    def show(self, value: object) -> str:
        seconds = float(str(value))
        if 0 < seconds < 1:
            return f"{seconds * 1000:g}ms"
        return f"{seconds:g}s"


def _seconds(value: Scalar) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        return None
    sign, text = (-1, value[1:]) if value.startswith("-") else (1, value)
    if not _DURATION.fullmatch(text):
        return None
    parts = _DURATION_PART.findall(text)
    return sign * sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)


class Size:
    """Bytes, with or without a unit: `32MiB` (1024), `32MB` (1000). The value is bytes."""

    name = "size"

    def __init__(self, low: int, high: int, *, or_zero: bool = False) -> None:
        self._low = low
        self._high = high
        self._or_zero = or_zero

    def parse(self, node: Node) -> int:
        expected = f"a size from {self.show(self._low)} to {self.show(self._high)}, such as 32MiB"
        expected += ", or 0" if self._or_zero else ""
        match = _SIZE.fullmatch(node.text) if node.is_scalar else None
        unit = match[2].lower() if match else "?"
        if match is None or unit not in _SIZE_UNITS:
            raise Mismatch(expected)
        value = int(match[1]) * _SIZE_UNITS[unit]
        if self._or_zero and not value:
            return 0
        if not self._low <= value <= self._high:
            raise Mismatch(expected)
        return value

    def show(self, value: object) -> str:
        size = int(str(value))
        for unit in ("TiB", "GiB", "MiB", "TB", "GB", "MB", "KiB"):
            step = _SIZE_UNITS[unit.lower()]
            if size and size % step == 0:
                return f"{size // step}{unit}"
        return str(size)


class Permissions:
    """A file mode in octal digits, `0600`, quoted or not."""

    name = "file mode"

    def parse(self, node: Node) -> int:
        text = node.text.removeprefix("0o") if node.is_scalar else ""
        if not re.fullmatch(r"0{0,2}[0-7]{3}", text, re.ASCII):
            raise Mismatch("a file mode in octal digits such as 0600")
        return int(text, 8)

    def show(self, value: object) -> str:
        return f"{value:04o}"


def _wanted_of_text(node: Node) -> str:
    """What it should be, "" if it is that. A NUL ends a text for the system and some libraries."""
    if not node.has_text:
        return "a text"
    return "a text without NUL" if "\0" in node.text else ""


class Text:
    """Any single value, as it was written: `1.10` stays `1.10`."""

    name = "text"

    def parse(self, node: Node) -> str:
        if expected := _wanted_of_text(node):
            raise Mismatch(expected)
        return node.text

    def show(self, value: object) -> str:
        return str(value)


class FileName(Text):
    """The name of a file, without directories."""

    name = "file name"

    def parse(self, node: Node) -> str:
        name = super().parse(node) if node.is_scalar else ""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise Mismatch("a file name without /")
        return name


class Choice:
    """One of a few words, in lower case."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words = words

    def parse(self, node: Node) -> str:
        if not node.is_scalar or node.text.lower() not in self.words:
            raise Mismatch(f"{', '.join(self.words[:-1])} or {self.words[-1]}")
        return node.text.lower()

    def show(self, value: object) -> str:
        return str(value)


class TextList:
    """A list of texts. One text is a list of one; from `-E` or `${...}`, `a,b` is a list of two."""

    name = "list"

    def parse(self, node: Node) -> tuple[str, ...]:
        items = list_items(node)
        if items is not None:
            return self._items(items)
        if isinstance(node.value, dict):
            raise Mismatch("a list such as [a, b]")
        if expected := _wanted_of_text(node):
            raise Mismatch(expected)
        text = node.text.strip() if node.is_expanded else node.text
        return (text,) if text else ()

    def _items(self, items: tuple[Node, ...]) -> tuple[str, ...]:
        wrong = [(index, self._expected(item)) for index, item in enumerate(items)]
        unexpected = tuple((str(index), expected) for index, expected in wrong if expected)
        if unexpected:
            raise Mismatch("a list of texts such as [a, b]", unexpected=unexpected)
        return tuple(item.text for item in items if not item.is_broken)

    def _expected(self, item: Node) -> str:
        """What the item should be, "" if it is that."""
        if item.is_broken:
            return ""
        return "a text" if item.value is None else _wanted_of_text(item)

    def show(self, value: object) -> str:
        return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)


class Fields:
    """A section whose keys are the user's own."""

    name = "section"

    def parse(self, node: Node) -> object:
        if not isinstance(node.value, dict):
            raise Mismatch("a section with keys of your own")
        return to_plain(node)

    def show(self, value: object) -> str:
        return "{}" if not value else str(value)


class Anything:
    """Of what is known and not looked into."""

    name = ""

    def parse(self, node: Node) -> object:
        return to_plain(node)

    def show(self, value: object) -> str:
        return str(value)
