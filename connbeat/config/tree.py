"""The configuration as a tree whose every node knows where it was written.

Pure values. Files, `-E` and `--path.*` all become trees; they are merged, expanded, and only then
held against the table of options.
"""

import math
import re
from collections.abc import Iterator, Mapping

import msgspec

Scalar = str | int | float | bool | None

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {
    spelling: value
    for words, value in ((("true", "yes", "on"), True), (("false", "no", "off"), False))
    for word in words
    for spelling in (word, word.capitalize(), word.upper())
}
# Neither 010 (octal in YAML 1.1, ten in 1.2) nor 12:30 (750 in YAML 1.1) is a number here.
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|(?:0|[1-9][0-9]*)(?=[eE]))(?:[eE][-+]?[0-9]+)?",
    re.ASCII,
)


class Place(msgspec.Struct, frozen=True):
    """Where something was written: a file and a line, or the part of the command line (line 0)."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


class Node(msgspec.Struct, frozen=True):
    """A value with its place: a scalar, a list, or a section (a mapping by key).

    `text` is a scalar as it was written: `version: 1.10` is the number 1.1 and the text "1.10".
    `is_expanded` says that the text came through `${...}` or `-E`, where "a,b" may be a list.
    `is_broken` says that there was no value to be had, that this has been told, and that nobody
    needs to complain again.
    """

    value: "Scalar | tuple[Node, ...] | dict[str, Node]"
    place: Place
    text: str = ""
    is_expanded: bool = False
    is_broken: bool = False

    @property
    def is_scalar(self) -> bool:
        return not isinstance(self.value, tuple | dict)


Section = Mapping[str, Node]


def plain_scalar(text: str) -> Scalar:
    """What an unquoted scalar means. Booleans as in Beats: `on`, `yes`, `off`, `no` are some.

    What no JSON document could carry (infinity, 20 digits) stays text.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def broken_node(place: Place) -> Node:
    return Node(None, place, is_broken=True)


def plain_node(text: str, place: Place, *, is_expanded: bool = False) -> Node:
    return Node(plain_scalar(text), place, text, is_expanded)


def nested(key: str, node: Node) -> Node:
    """The section in which `node` stands at a dotted key, below the root."""
    for name in reversed(key.split(".")):
        node = Node({name: node}, node.place)
    return node


def merged(below: Node, above: Node) -> Node:
    """`above` laid over `below`: sections key by key, everything else replaced as a whole.

    Nothing (`key:`) laid over a section changes nothing: its keys are all commented out.
    """
    if not isinstance(below.value, dict):
        return above
    if above.value is None:
        return below
    if not isinstance(above.value, dict):
        return above
    section = dict(below.value)
    for key, node in above.value.items():
        section[key] = merged(section[key], node) if key in section else node
    return Node(section, above.place)


def find(root: Node, path: str) -> Node | None:
    """The node at a dotted path, a number being an index of a list; None if there is none."""
    node = root
    for name in path.split("."):
        child = _child(node, name)
        if child is None:
            return None
        node = child
    return node


def nearest(root: Node, path: str) -> Node:
    """The node at a dotted path, or else the last one on the way to it."""
    node = root
    for name in path.split("."):
        child = _child(node, name)
        if child is None:
            break
        node = child
    return node


def _child(node: Node, name: str) -> Node | None:
    if isinstance(node.value, dict):
        return node.value.get(name)
    if isinstance(node.value, tuple) and name.isdecimal() and len(name) < 6:
        return node.value[int(name)] if int(name) < len(node.value) else None
    return None


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every scalar and list with its dotted path, in order."""
    if not isinstance(node.value, dict):
        yield path, node
        return
    for key, child in node.value.items():
        yield from leaves(child, f"{path}.{key}" if path else key)


def to_plain(node: Node) -> object:
    """The tree as JSON values, without places."""
    if isinstance(node.value, dict):
        return {key: to_plain(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [to_plain(child) for child in node.value]
    return node.value


def describe(node: Node) -> str:
    """What was found, for a message: short, on one line."""
    if isinstance(node.value, dict):
        return "a section"
    if isinstance(node.value, tuple):
        return "a list"
    if node.value is None:
        return "nothing"
    shown = node.text if len(node.text) <= 40 else f"{node.text[:37]}..."
    return repr(shown)
