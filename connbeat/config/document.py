"""YAML text to a tree and back. The only module that imports yaml; pure.

Only the syntax is the library's. The tree is built from its events, for three reasons: what a
plain scalar means is decided by `tree.plain_scalar` (YAML 1.1 reads `010` as 8 and `12:30` as
750); lines and duplicate keys are kept; and the C composer of PyYAML ends the process with SIGSEGV
on a hundred thousand opening brackets. No tag ever constructs anything.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from connbeat.config.faults import Findings
from connbeat.config.joining import Entry, join_entries
from connbeat.config.masking import is_secret_name
from connbeat.config.tree import Node, Place, below, broken_node, plain_node

# Written in C where the wheel has libyaml: 20 times as fast, and the same syntax.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Event = Any  # yaml.Event; the stubs know only a part of the events' attributes
_TAG_PREFIX = "tag:yaml.org,2002:"
_SCALAR_TYPES = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
# Far above any configuration. An alias counts as what it stands for, so that a few lines of
# aliases of aliases cannot grow into millions of nodes.
_MAX_NODES = 20_000
_MAX_DEPTH = 50


class _TooMuch(Exception):  # noqa: N818  a fact about the text, private to this module
    """The text nests too deeply or is too large."""


def parse_document(text: str, source: str, findings: Findings) -> Node:
    """The tree of one file: a section, empty where the text is no YAML or holds something else."""
    top = Place(source, 1)
    node = _compose(text, top, findings)
    if node is None or node.value is None:
        return Node({}, top)
    if not isinstance(node.value, dict):
        # What it says is not shown: it may be keys and values of another syntax, secrets as well.
        found = "a text" if node.is_scalar else "a list"
        expected = "expected keys and values such as connbeat.aggregation: 30s"
        findings.fault(node.place, "", f"found {found}, {expected}")
        return Node({}, top)
    return node


def parse_value(text: str, place: Place, key: str, findings: Findings) -> Node:
    """The value of `-E key=value`: a list or object in YAML's flow style, a quoted or plain scalar.

    A plain one is taken as it is, so that `:` and `#` mean nothing in it.
    """
    if not text.startswith(("[", "{", '"', "'")):
        return plain_node(text, place, is_expanded=True)
    node = _compose(text, place, findings, key)
    return broken_node(place) if node is None else node


def write_document(data: object) -> str:
    """JSON values as YAML, in the order they have."""
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text


def _compose(text: str, place: Place, findings: Findings, key: str = "") -> Node | None:
    """The tree, or None with a fault in `findings`. Without a line in `place` no node has one."""
    try:
        return _Composer(text, place, findings).compose(key)
    except yaml.YAMLError as error:
        findings.fault(_error_place(error, text, place), key, f"not YAML: {_problem(error, text)}")
    except UnicodeEncodeError:  # the C parser's answer to a lone surrogate
        findings.fault(place, key, "not YAML: it is not valid UTF-8")
    except _TooMuch as error:
        findings.fault(place, key, str(error))
    return None


class _Composer:
    """One document's events to one tree."""

    def __init__(self, text: str, place: Place, findings: Findings) -> None:
        self._events: Iterator[_Event] = yaml.parse(text, Loader=_LOADER)
        self._place = place
        self._findings = findings
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0

    def compose(self, path: str) -> Node | None:
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                node = self._node(event, path, 0)
                self._refuse_a_second_document()
                return node
        return None

    def _refuse_a_second_document(self) -> None:
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                text = "a second document begins here, expected one; remove the line with ---"
                self._findings.fault(self._at(event), "", text)
                return

    def _at(self, event: _Event) -> Place:
        if not self._place.line:
            return self._place
        return Place(self._place.source, event.start_mark.line + 1)

    def _node(self, event: _Event, path: str, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if depth > _MAX_DEPTH:
            raise _TooMuch(f"nested more than {_MAX_DEPTH} levels deep")
        before = self._nodes
        self._count(1)
        node = self._new_node(event, path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node, self._nodes - before
        return node

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            raise _TooMuch(f"more than {_MAX_NODES} values, counting aliases")

    def _alias(self, event: _Event, path: str) -> Node:
        if event.anchor not in self._anchors:
            name = "name" if is_secret_name(path) else event.anchor  # `password: *s3cret`
            text = f"found *{name}, expected the name of an anchor (&name) above it"
            self._findings.fault(self._at(event), path, text)
            return broken_node(self._at(event))
        node, nodes = self._anchors[event.anchor]
        self._count(nodes)
        return node

    def _new_node(self, event: _Event, path: str, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        place = self._at(event)
        if isinstance(event, yaml.MappingStartEvent):
            node = join_entries(self._entries(path, depth), place, path, self._findings)
            return node if self._has_tag(event, path, "map") else broken_node(place)
        children = tuple(
            self._node(child, below(path, index), depth + 1)
            for index, child in enumerate(self._until(yaml.SequenceEndEvent))
        )
        return Node(children, place) if self._has_tag(event, path, "seq") else broken_node(place)

    def _until(self, end: type[yaml.Event]) -> Iterator[_Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _entries(self, path: str, depth: int) -> list[Entry]:
        entries: list[Entry] = []
        for event in self._until(yaml.MappingEndEvent):
            key = self._node(event, path, depth + 1)
            name = key.text if isinstance(event, yaml.ScalarEvent) else ""
            value = self._node(next(self._events), below(path, name), depth + 1)
            if name:
                is_merge = name == "<<" and event.style in ("", None)
                entries.append(Entry(name, key.place, value, is_merge))
            else:
                text = "found a key that is empty or no text, expected a name"
                self._findings.fault(key.place, path, text)
        return entries

    def _scalar(self, event: _Event, path: str) -> Node:
        place = self._at(event)
        if event.tag is None:
            if event.implicit[0]:
                return plain_node(event.value, place)
            return Node(event.value, place, event.value)
        types = _SCALAR_TYPES.get(event.tag.removeprefix(_TAG_PREFIX))
        node = plain_node(event.value, place)
        if types is not None and type(node.value) in types:
            return node
        if not self._has_tag(event, path, "str"):
            return broken_node(place)
        return Node(event.value, place, event.value)

    def _has_tag(self, event: _Event, path: str, name: str) -> bool:
        """Whether the node has this tag or none; another is a fault."""
        if event.tag in (None, _TAG_PREFIX + name):
            return True
        shown = "" if is_secret_name(path) else str(event.tag).replace(_TAG_PREFIX, "!!")
        text = f"found the tag {shown or '!'}, expected a plain value"
        self._findings.fault(self._at(event), path, text)
        return False


def _error_place(error: yaml.YAMLError, text: str, place: Place) -> Place:
    if not place.line:
        return place
    return Place(place.source, min(_error_line(error, text) + 1, max(1, len(text.splitlines()))))


def _error_line(error: yaml.YAMLError, text: str) -> int:
    """The line, counted from 0. A reader's error has a position instead: characters, or bytes."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line)
    return text.count("\n", 0, getattr(error, "position", 0))


def _problem(error: yaml.YAMLError, text: str) -> str:
    parts = [getattr(error, name, None) for name in ("context", "problem", "reason")]
    problem = ", ".join(str(part) for part in parts if part) or "unknown problem"
    lines = text.splitlines()[_error_line(error, text) :][:1]
    indents = [line[: len(line) - len(line.lstrip())] for line in lines]
    return f"{problem}; indent with spaces, not tabs" if "\t" in "".join(indents) else problem
