"""A section held against the options it may have: of a processor, or of one of its lists. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from connbeat.config.hints import nearest_key
from connbeat.config.kinds import Duration, Mismatch
from connbeat.config.masking import describe
from connbeat.config.mismatches import faults_of
from connbeat.config.option import Option
from connbeat.config.tree import Node, below

#: What is wrong: the dotted place below the node that was read, and what it is.
Faults = list[tuple[str, str]]


def field_of(option: Option) -> str:
    """The field of the Struct: `geo.name` is `geo_name`, `from` is `from_`."""
    name = option.key.replace(".", "_")
    name = f"{name}_seconds" if isinstance(option.kind, Duration) else name
    return f"{name}_" if name == "from" else name


def shown_default(option: Option, struct: type[msgspec.Struct]) -> str:
    """As it would be written; "" where there is none."""
    for field in msgspec.structs.fields(struct):
        if field.name == field_of(option) and field.default is not msgspec.NODEFAULT:
            default = field.default
            if option.required or default in (None, (), {}):
                return ""
            return option.kind.show(default)
    return ""


class SectionReader:
    """The options of one kind of section."""

    def __init__(self, options: tuple[Option, ...]) -> None:
        self._options = {option.key: option for option in options}
        self._sections = {
            key[:dot] for key in self._options for dot, letter in enumerate(key) if letter == "."
        }

    def read(self, node: Node, path: str, faults: Faults) -> dict[str, Any]:
        """Values by field. What is wrong goes to `faults`, each place beginning with `path`."""
        values: dict[str, Any] = {}
        broken: set[str] = set()
        self._walk(node, "", values, _Place(path, faults, broken))
        for option in self._options.values():
            if option.required and field_of(option) not in values and option.key not in broken:
                text = f"is missing, expected {option.required}"
                faults.append((below(path, option.key), text))
        return values

    def _walk(self, node: Node, key: str, values: dict[str, Any], at: "_Place") -> None:
        if key in self._options:
            self._option(self._options[key], node, values, at)
        elif key and key not in self._sections:
            hint = nearest_key(key, (*self._options, *self._sections))
            hint = f"did you mean {hint}?" if hint else f"expected {self._names()}"
            at.fault(key, f"unknown key, {hint}")
        elif isinstance(node.value, dict):
            for name, child in node.value.items():
                self._walk(child, below(key, name), values, at)
        elif node.value is not None:
            at.fault(key, f"found {describe(node, key)}, expected a section with {self._names()}")

    def _names(self) -> str:
        return ", ".join(self._options)

    def _option(self, option: Option, node: Node, values: dict[str, Any], at: "_Place") -> None:
        if node.value is None:
            if node.is_broken:
                at.broken.add(option.key)
            return
        try:
            values[field_of(option)] = option.kind.parse(node)
        except Mismatch as mismatch:
            at.broken.add(option.key)
            at.mismatch(option.key, node, mismatch)


class _Place:
    """Where a section stands, what is wrong in it, and which of its options have been told of."""

    def __init__(self, path: str, faults: Faults, broken: set[str]) -> None:
        self.path = path
        self.faults = faults
        self.broken = broken

    def fault(self, key: str, text: str) -> None:
        self.faults.append((below(self.path, key) if key else self.path, text))

    def mismatch(self, key: str, node: Node, mismatch: Mismatch) -> None:
        """All that is wrong in an option's value, or that it is something else."""
        for inside, text in faults_of(mismatch, node, key):
            self.fault(below(key, inside) if inside else key, text)


class Items:
    """A list of sections that all have the same options. The value is a tuple of `struct`."""

    name = "list of sections"

    def __init__(self, struct: type[msgspec.Struct], options: tuple[Option, ...]) -> None:
        self._struct = struct
        self._reader = SectionReader(options)
        self._item = f"section with {', '.join(option.key for option in options)}"

    def parse(self, node: Node) -> tuple[msgspec.Struct, ...]:
        if not isinstance(node.value, tuple) or not node.value:
            raise Mismatch(f"a list: each item a {self._item}")
        faults: Faults = []
        values: list[Mapping[str, Any]] = []
        for index, item in enumerate(node.value):
            if isinstance(item.value, dict):
                values.append(self._reader.read(item, str(index), faults))
            elif not item.is_broken:
                faults.append(
                    (str(index), f"found {describe(item, str(index))}, expected a {self._item}")
                )
        if faults:
            raise Mismatch(f"a list: each item a {self._item}", tuple(faults))
        return tuple(self._struct(**one) for one in values)

    def show(self, value: object) -> str:
        return str(value)
