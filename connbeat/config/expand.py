"""References resolved: `${a.b}` to another setting, else to an environment variable. Pure."""

from collections.abc import Mapping

import msgspec

from connbeat.config.faults import Findings
from connbeat.config.template import Pieces, Reference, TemplateError, parse_template
from connbeat.config.tree import Node, broken_node, find, plain_node

# What references may copy in all: lines that double what the line above holds end here.
_MAX_COPIED = 50_000
_MAX_TEXT = 65_536
_MAX_CHAIN = 30


class _Unresolved(Exception):  # noqa: N818  a fact about a reference, private to this module
    """The value cannot be made; the message says why, or is empty where that was told already."""


def expand(root: Node, environment: Mapping[str, str], findings: Findings) -> Node:
    """The tree with every `${...}` resolved. What cannot be is a fault and a broken node."""
    return _Expander(root, environment, findings).expanded(root, "")


class _Expander:
    """Resolves every setting once, when it is first asked for."""

    def __init__(self, root: Node, environment: Mapping[str, str], findings: Findings) -> None:
        self._root = root
        self._environment = environment
        self._findings = findings
        self._known: dict[str, Node] = {}
        self._failed: set[str] = set()
        self._under_way: list[str] = []
        self._copied = 0

    def expanded(self, node: Node, path: str) -> Node:
        """The node without references, itself if it has none."""
        if isinstance(node.value, dict):
            section = {
                key: self.expanded(child, _below(path, key)) for key, child in node.value.items()
            }
            return msgspec.structs.replace(node, value=section)
        if isinstance(node.value, tuple):
            items = (self.expanded(child, _below(path, i)) for i, child in enumerate(node.value))
            return msgspec.structs.replace(node, value=tuple(items))
        if not isinstance(node.value, str) or "${" not in node.text:
            return node
        if path not in self._known:
            self._known[path] = self._resolved(node, path)
        return self._known[path]

    def _resolved(self, node: Node, path: str) -> Node:
        if path in self._under_way:
            chain = " -> ".join([*self._under_way[self._under_way.index(path) :], path])
            raise _Unresolved(f"refers to itself: {chain}")
        if len(self._under_way) >= _MAX_CHAIN:
            raise _Unresolved(f"a chain of more than {_MAX_CHAIN} references")
        self._under_way.append(path)
        try:
            return self._scalar(node)
        except (_Unresolved, TemplateError) as error:
            self._failed.add(path)
            if str(error):
                self._findings.fault(node.place, path, str(error))
            return broken_node(node.place)
        finally:
            self._under_way.pop()

    def _scalar(self, node: Node) -> Node:
        pieces = parse_template(node.text)
        if len(pieces) == 1 and isinstance(pieces[0], Reference):
            return msgspec.structs.replace(self._reference(pieces[0], node), place=node.place)
        text = self._text(pieces, node)
        return Node(text, node.place, text, is_expanded=True)

    def _text(self, pieces: Pieces, node: Node) -> str:
        parts = [
            piece if isinstance(piece, str) else _as_text(self._reference(piece, node))
            for piece in pieces
        ]
        text = "".join(parts)
        if len(text) > _MAX_TEXT:
            raise _Unresolved(f"longer than {_MAX_TEXT} characters")
        return text

    def _reference(self, reference: Reference, node: Node) -> Node:
        name = self._text(reference.name, node)
        found = self._look_up(name)
        if reference.operator == ":+":
            return self._plain(reference.rest if found is not None else (), node)
        if found is not None:
            return found
        if reference.operator == ":":
            return self._plain(reference.rest, node)
        if reference.operator == ":?":
            raise _Unresolved(self._text(reference.rest, node) or f"${{{name}}} is not set")
        raise _Unresolved(
            f"${{{name}}} is neither a setting nor an environment variable;"
            f" ${{{name}:something}} would give it a default"
        )

    def _plain(self, pieces: Pieces, node: Node) -> Node:
        return plain_node(self._text(pieces, node), node.place, is_expanded=True)

    def _look_up(self, name: str) -> Node | None:
        """A setting or an environment variable that is neither absent nor empty."""
        setting = find(self._root, name)
        found = None if setting is None else self._setting(setting, name)
        if found is not None and found.value not in (None, ""):
            return found
        text = self._environment.get(name, "")
        if not text:
            return None
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise _Unresolved(f"the environment variable {name} is not valid UTF-8") from error
        return plain_node(text, self._root.place, is_expanded=True)

    def _setting(self, setting: Node, name: str) -> Node:
        found = self.expanded(setting, name)
        if name in self._failed:
            raise _Unresolved
        self._copied += _size(found)
        if self._copied > _MAX_COPIED:
            raise _Unresolved("references copy too much in all")
        return found


def _below(path: str, key: str | int) -> str:
    return f"{path}.{key}" if path else str(key)


def _as_text(node: Node) -> str:
    if not node.is_scalar:
        raise _Unresolved(
            "a reference inside a text stands for a list or section, expected a value"
        )
    return node.text


def _size(node: Node) -> int:
    if isinstance(node.value, dict):
        return 1 + sum(map(_size, node.value.values()))
    if isinstance(node.value, tuple):
        return 1 + sum(map(_size, node.value))
    return 1 + len(node.text) // 256
