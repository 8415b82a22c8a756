"""References resolved: `${a.b}` to another setting, to a secret, or to an environment variable.

Pure, but for the keystore, which is only opened when something is looked up in it.
"""

from collections.abc import Callable, Mapping

import msgspec

from connbeat.config.document import parse_value
from connbeat.config.faults import Findings
from connbeat.config.masking import is_secret_name
from connbeat.config.template import Pieces, Reference, TemplateError, parse_template
from connbeat.config.tree import (
    Node,
    Place,
    below,
    broken_node,
    children,
    find,
    is_utf8,
    plain_node,
    secret,
)
from connbeat.errors import KeystoreError

#: From `keystore.path` and `path.data`, each "" where it is not set, to the secrets by name. Raises
#: KeystoreError.
OpenKeystore = Callable[[str, str], Mapping[str, str]]

# What references may copy in all: lines that double what the line above holds end here.
_MAX_COPIED = 50_000
_MAX_TEXT = 65_536
_MAX_CHAIN = 30


class _Unresolved(Exception):  # noqa: N818  a fact about a reference, private to this module
    """The value cannot be made; the message says why, or is empty where that was told already."""


def no_keystore(keystore_path: str, path_data: str) -> Mapping[str, str]:  # noqa: ARG001  an OpenKeystore
    return {}


def expand(
    root: Node,
    environment: Mapping[str, str],
    findings: Findings,
    open_keystore: OpenKeystore = no_keystore,
) -> Node:
    """The tree with every `${...}` resolved. What cannot be is a fault and a broken node."""
    return _Expander(root, environment, findings, open_keystore).expanded(root, "")


def expand_setting(
    root: Node, path: str, environment: Mapping[str, str], findings: Findings
) -> str:
    """One setting alone as a text, "" where it is not set. Nothing is looked up in a keystore."""
    node = find(root, path)
    if node is None:
        return ""
    return _Expander(root, environment, findings, no_keystore).expanded(node, path).text


class _Expander:
    """Resolves every setting once, when it is first asked for."""

    def __init__(
        self,
        root: Node,
        environment: Mapping[str, str],
        findings: Findings,
        open_keystore: OpenKeystore,
    ) -> None:
        self._root = root
        self._environment = environment
        self._findings = findings
        self._open_keystore = open_keystore
        self._secrets: Mapping[str, str] | None = None
        self._known: dict[str, Node] = {}
        self._failed: set[str] = set()
        self._under_way: list[str] = []
        self._copied = 0

    def expanded(self, node: Node, path: str) -> Node:
        """The node without references, itself if it has none."""
        if isinstance(node.value, dict):
            section = {
                key: self.expanded(child, below(path, key)) for key, child in node.value.items()
            }
            return msgspec.structs.replace(node, value=section)
        if isinstance(node.value, tuple):
            items = (self.expanded(child, below(path, i)) for i, child in enumerate(node.value))
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
        return Node(text.value, node.place, text.text, is_expanded=True, is_secret=text.is_secret)

    def _text(self, pieces: Pieces, node: Node) -> Node:
        """The pieces put together: a text, and a secret if any of them is."""
        parts = [
            Node(piece, node.place, piece) if isinstance(piece, str) else self._piece(piece, node)
            for piece in pieces
        ]
        text = "".join(part.text for part in parts)
        if len(text) > _MAX_TEXT:
            raise _Unresolved(f"longer than {_MAX_TEXT} characters")
        return Node(text, node.place, text, is_secret=any(part.is_secret for part in parts))

    def _piece(self, reference: Reference, node: Node) -> Node:
        found = self._reference(reference, node)
        if not found.has_text:
            raise _Unresolved(
                "a reference inside a text stands for a list or section, expected a value"
            )
        return found

    def _reference(self, reference: Reference, node: Node) -> Node:
        name = self._text(reference.name, node)
        found = self._look_up(name.text, node)
        if reference.operator == ":+":
            return self._plain(reference.rest if found is not None else (), node)
        if found is not None:
            return found
        if reference.operator == ":":
            return self._plain(reference.rest, node)
        shown = "..." if name.is_secret else name.text
        if reference.operator == ":?":
            message = self._text(reference.rest, node)
            is_told = bool(message.text) and not message.is_secret
            raise _Unresolved(message.text if is_told else f"${{{shown}}} is not set")
        raise _Unresolved(
            f"${{{shown}}} is neither a setting, nor in the keystore, nor an environment variable;"
            f" ${{{shown}:something}} would give it a default"
        )

    def _plain(self, pieces: Pieces, node: Node) -> Node:
        text = self._text(pieces, node)
        plain = plain_node(text.text, node.place, is_expanded=True)
        return secret(plain) if text.is_secret else plain

    def _look_up(self, name: str, node: Node) -> Node | None:
        """A setting, a secret or an environment variable that is neither absent nor empty."""
        setting = find(self._root, name)
        found = None if setting is None else self._setting(setting, name)
        if found is None or found.value in (None, ""):
            found = self._secret(name, node) or self._variable(name, node)
        return secret(found) if found is not None and is_secret_name(name) else found

    def _secret(self, name: str, node: Node) -> Node | None:
        if self._is_on_the_way_to_the_keystore():
            return None
        if self._secrets is None:
            self._secrets = {}  # if it cannot be opened, that is told once
            self._secrets = self._opened_keystore()
        text = self._secrets.get(name, "")
        # Taken as it is: a password may look like a number or a list.
        return Node(text, node.place, text, is_expanded=True, is_secret=True) if text else None

    def _is_on_the_way_to_the_keystore(self) -> bool:
        return any(path.startswith(("path.", "keystore.")) for path in self._under_way)

    def _opened_keystore(self) -> Mapping[str, str]:
        settings = []
        for path in ("keystore.path", "path.data"):
            node = find(self._root, path)
            settings.append("" if node is None else self.expanded(node, path).text)
        try:
            return self._open_keystore(*settings)
        except KeystoreError as error:
            raise _Unresolved(str(error)) from error

    def _variable(self, name: str, node: Node) -> Node | None:
        text = self._environment.get(name, "")
        if not text:
            return None
        if not is_utf8(text):
            raise _Unresolved(f"the environment variable {name} is not valid UTF-8")
        return _flow_node(text, node.place) or plain_node(text, node.place, is_expanded=True)

    def _setting(self, setting: Node, name: str) -> Node:
        found = self.expanded(setting, name)
        if name in self._failed:
            raise _Unresolved
        self._copied += _size(found)
        if self._copied > _MAX_COPIED:
            raise _Unresolved("references copy too much in all")
        return found


def _flow_node(text: str, place: Place) -> Node | None:
    """The list `[a, b]` or section `{a: 1}` of a variable, which is still a text as well.

    None of what only looks like one: it may be a password.
    """
    if (text[0], text[-1]) not in (("[", "]"), ("{", "}")):
        return None
    findings = Findings()
    node = parse_value(text, Place(place.source), "", findings)
    if findings.has_faults or node.is_scalar:
        return None
    return msgspec.structs.replace(_moved(node, place), text=text, is_expanded=True)


def _moved(node: Node, place: Place) -> Node:
    value = node.value
    if isinstance(value, dict):
        value = {key: _moved(child, place) for key, child in value.items()}
    elif isinstance(value, tuple):
        value = tuple(_moved(child, place) for child in value)
    return msgspec.structs.replace(node, value=value, place=place)


def _size(node: Node) -> int:
    own = len(node.text) // 256 if node.is_scalar else 0
    return 1 + own + sum(map(_size, children(node)))
