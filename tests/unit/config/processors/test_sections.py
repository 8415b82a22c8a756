from typing import Any

import msgspec
import pytest

from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.kinds import Boolean, Duration, Integer, Mismatch, Text
from connbeat.config.option import Option
from connbeat.config.processors.sections import Items, SectionReader, field_of, shown_default
from connbeat.config.tree import Node

OPTIONS = (
    Option("from", Text(), "", required="a text"),
    Option("cache.ttl", Duration(), ""),
    Option("cache.size", Integer(1, 9), ""),
    Option("on", Boolean(), ""),
)


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    from_: str = "x"
    cache_ttl_seconds: float = 2.5
    cache_size: int | None = None
    on: bool = False


def node_of(yaml: str) -> Node:
    return parse_document(f"top: {yaml}", "f.yml", Findings()).value["top"]  # type: ignore[index,call-overload,return-value,unused-ignore]  # a section


def read(yaml: str) -> tuple[dict[str, Any], dict[str, str]]:
    faults: list[tuple[str, str]] = []
    values = SectionReader(OPTIONS).read(node_of(yaml), "p", faults)
    return values, dict(faults)


def test_values_are_found_by_the_field_of_the_struct() -> None:
    values, faults = read("{from: a, cache: {ttl: 1m, size: 3}, on: yes}")
    assert Thing(**values) == Thing(from_="a", cache_ttl_seconds=60, cache_size=3, on=True)
    assert faults == {}


@pytest.mark.parametrize(
    ("yaml", "faults"),
    [
        ("{}", {"p.from": "is missing, expected a text"}),
        ("{from: [a]}", {"p.from": "found a list, expected a text"}),
        ("{from: a, cache: 5}", {"p.cache": "found '5', expected a section with from, cache.ttl,"
         " cache.size, on"}),
        ("{from: a, cache.tll: 5s}", {"p.cache.tll": "unknown key, did you mean cache.ttl?"}),
        ("{from: a, zzz: 1}", {"p.zzz": "unknown key, expected from, cache.ttl, cache.size, on"}),
        ("{from: a, on: 2}", {"p.on": "found '2', expected true or false"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_once_at_its_place(yaml: str, faults: dict[str, str]) -> None:
    assert read(yaml)[1] == faults


def test_a_default_is_shown_as_it_would_be_written() -> None:
    assert [shown_default(option, Thing) for option in OPTIONS] == ["", "2.5s", "", "false"]
    assert [field_of(option) for option in OPTIONS] == list(Thing.__struct_fields__)


def test_items_are_structs_and_each_fault_has_its_place() -> None:
    items = Items(Thing, OPTIONS)
    assert items.parse(node_of("[{from: a}, {from: b, on: on}]")) == (
        Thing(from_="a"),
        Thing(from_="b", on=True),
    )
    with pytest.raises(Mismatch) as caught:
        items.parse(node_of("[{from: a, on: 2}, 5, {}]"))
    assert [place for place, _ in caught.value.faults] == ["0.on", "1", "2.from"]
    for empty in ("[]", "x", "{from: a}"):
        with pytest.raises(Mismatch, match="a list: each item a section with from"):
            items.parse(node_of(empty))
