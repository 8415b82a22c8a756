"""The keys of one mapping to one section: dots taken apart, duplicates found. Pure."""

from collections.abc import Sequence

import msgspec

from connbeat.config.faults import Findings
from connbeat.config.tree import Node, Place, below, nested


class Entry(msgspec.Struct, frozen=True):
    """A key as written, maybe with dots, and its value; `is_merge` is YAML's `<<`."""

    key: str
    place: Place
    value: Node
    is_merge: bool = False


def join_entries(entries: Sequence[Entry], place: Place, path: str, findings: Findings) -> Node:
    """One section of them all. `path` is where it stands, for the messages.

    A key that is there twice, in whichever spelling, is a fault that names both places; of two
    values the first is kept.
    """
    section = Node({}, place)
    seen: dict[str, Place] = {}
    for entry in entries:
        if entry.is_merge:
            continue
        key = below(path, entry.key)
        if not all(entry.key.split(".")):
            findings.fault(entry.place, key, "a name between the dots is missing")
            continue
        first = seen.setdefault(entry.key, entry.place)
        if first is not entry.place:
            findings.fault(entry.place, key, f"is there twice, first at {first}")
        value = msgspec.structs.replace(entry.value, place=entry.place)
        told = None if first is not entry.place else findings
        section = _joined(section, nested(entry.key, value), path, told)
    return _with_merge_keys(section, entries, path, findings)


def _joined(first: Node, second: Node, path: str, findings: Findings | None) -> Node:
    """Both in one; `findings` is None where the conflict has been told already."""
    if first.value is None:
        return second
    if second.value is None:
        return first
    if isinstance(first.value, dict) and isinstance(second.value, dict):
        section = dict(first.value)
        for key, node in second.value.items():
            known = section.get(key)
            section[key] = (
                node if known is None else _joined(known, node, below(path, key), findings)
            )
        return Node(section, first.place)
    if findings is not None:
        findings.fault(second.place, path, f"is there twice, first at {first.place}")
    return first


def _with_merge_keys(
    section: Node, entries: Sequence[Entry], path: str, findings: Findings
) -> Node:
    """YAML's `<<: *other`: what `other` has and this section has not."""
    for entry in entries:
        if not entry.is_merge:
            continue
        children = entry.value.value
        for other in children if isinstance(children, tuple) else (entry.value,):
            if isinstance(other.value, dict):
                section = _filled(section, other)
            else:
                findings.fault(entry.place, path, "<< expects a section or a list of sections")
    return section


def _filled(section: Node, other: Node) -> Node:
    """The section with what only `other` has; a list that both have is the section's own."""
    if not isinstance(other.value, dict):
        return section
    if section.value is None:
        return other
    if not isinstance(section.value, dict):
        return section
    both = {**other.value, **section.value}
    for key in other.value.keys() & section.value.keys():
        both[key] = _filled(section.value[key], other.value[key])
    return Node(both, section.place)
