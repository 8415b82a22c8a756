"""The configuration as a tree whose every node knows where it was written.

Pure values. Files, `-E` and `--path.*` all become trees; they are merged, expanded, and only then
held against the table of options.
"""

import math
import re
from collections.abc import Iterable, Iterator

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
    `is_expanded` says that it came through `${...}` or `-E`, where "a,b" may be a list, and a list
    or section has a text, too: "[a]" may be a password. `is_secret` says that it comes from a
    keystore or from what is called like a secret. `is_broken` says that there was no value to be
    had, that this has been told, and that nobody needs to complain again.
    """

    value: "Scalar | tuple[Node, ...] | dict[str, Node]"
    place: Place
    text: str = ""
    is_expanded: bool = False
    is_broken: bool = False
    is_secret: bool = False

    @property
    def is_scalar(self) -> bool:
        return not isinstance(self.value, tuple | dict)

    @property
    def has_text(self) -> bool:
        """Whether it can be meant as a text."""
        return self.is_scalar or (self.is_expanded and bool(self.text))


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


def is_utf8(text: str) -> bool:
    """Not so where bytes of a terminal or an environment variable were none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def broken_node(place: Place) -> Node:
    return Node(None, place, is_broken=True)


def plain_node(text: str, place: Place, *, is_expanded: bool = False) -> Node:
    return Node(plain_scalar(text), place, text, is_expanded)


def secret(node: Node) -> Node:
    """The same as a secret, with all that is below it."""
    value = node.value
    if isinstance(value, dict):
        value = {key: secret(child) for key, child in value.items()}
    elif isinstance(value, tuple):
        value = tuple(map(secret, value))
    return msgspec.structs.replace(node, value=value, is_secret=True)


def has_secret(node: Node) -> bool:
    """Whether it or anything below it is one."""
    return node.is_secret or any(map(has_secret, children(node)))


def children(node: Node) -> Iterable[Node]:
    """What a section or list holds."""
    if isinstance(node.value, dict):
        return node.value.values()
    return node.value if isinstance(node.value, tuple) else ()


def below(path: str, name: str | int) -> str:
    """The dotted path of what is called so below `path`, which is "" for the root."""
    return f"{path}.{name}" if path else str(name)


def nested(key: str, node: Node) -> Node:
    """The section in which `node` stands at a dotted key, below the root."""
    for name in reversed(key.split(".")):
        node = Node({name: node}, node.place)
    return node


def merged(under: Node, above: Node) -> Node:
    """`above` laid over `under`: sections key by key, lists index by index, the rest replaced.

    Nothing (`key:`) laid over a section changes nothing: its keys are all commented out.
    """
    if isinstance(under.value, tuple):
        return _merged_lists(under, under.value, above)
    if not isinstance(under.value, dict):
        return above
    if above.value is None:
        return under
    if not isinstance(above.value, dict):
        return above
    section = dict(under.value)
    for key, node in above.value.items():
        section[key] = merged(section[key], node) if key in section else node
    return Node(section, above.place)


def list_items(node: Node) -> "tuple[Node, ...] | None":
    """The items of a list, also of the `a,b` of `-E`; None of anything else."""
    if isinstance(node.value, tuple):
        return node.value
    if not node.is_scalar or not node.is_expanded or "," not in node.text:
        return None
    texts = filter(None, map(str.strip, node.text.split(",")))
    items = (plain_node(text, node.place, is_expanded=True) for text in texts)
    return tuple(secret(item) if node.is_secret else item for item in items)


def _merged_lists(under: Node, old: "tuple[Node, ...]", above: Node) -> Node:
    """As libbeat does it: what the list above is too short to reach stays."""
    new = list_items(above)
    if new is None:
        return above
    both = tuple(merged(first, second) for first, second in zip(old, new, strict=False))
    rest = old[len(new) :] or new[len(old) :]
    return Node((*both, *rest), above.place, is_secret=under.is_secret or above.is_secret)


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
        yield from leaves(child, below(path, key))


def to_plain(node: Node) -> object:
    """The tree as JSON values, without places."""
    if isinstance(node.value, dict):
        return {key: to_plain(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [to_plain(child) for child in node.value]
    return node.value
