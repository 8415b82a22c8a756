from typing import Any

import pytest

from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.kinds import Mismatch
from connbeat.config.output_kinds import BatchSize, Format, Hosts, Limit, Rules, TextMap, When
from connbeat.config.tree import Node
from connbeat.model.format_strings import FormatString
from connbeat.outputs.hosts import HostDefaults

HOSTS = Hosts(HostDefaults(ports={"http": 80, "https": 443}))


def node(text: str) -> Node:
    found = parse_document(f"it: {text}", "f.yml", Findings()).value
    assert isinstance(found, dict)
    return found["it"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (BatchSize(10), "3", 3),
        (BatchSize(10), "0", 1),
        (BatchSize(10), "-1", 1),
        (Limit(10), "3", 3),
        (Limit(10), "0", 0),
        (Limit(10), "-1", None),
        (HOSTS, "[a, 'https://b:1/x?y=z']", ("a", "https://b:1/x?y=z")),
        (HOSTS, "a", ("a",)),
        (TextMap(), "{a: 1, b.c: x, d: 010}", {"a": "1", "b.c": "x", "d": "010"}),
        (TextMap(), "{}", {}),
        (Format(), "'x-%{+yyyy}'", FormatString.parse("x-%{+yyyy}")),
        (When(), "{equals: {a.b: 1}}", {"equals": {"a": {"b": 1}}}),
        (When(), "{or: [{has_fields: [a]}]}", {"or": [{"has_fields": ["a"]}]}),
    ],
)
def test_what_is_taken(kind: Any, text: str, value: object) -> None:
    assert kind.parse(node(text)) == value


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Limit(10), "-2", "from -1 to 10"),
        (Limit(10), "many", "from -1 to 10"),
        (HOSTS, "[]", "at least one host"),
        (HOSTS, "[{a: b}]", "a list of texts"),
        (TextMap(), "x", "a section"),
        (TextMap(), "{a: [1]}", "a section"),
        (Format(), "'%{+Q}'", "a format string: found 'Q'"),
        (When(), "x", "a condition"),
    ],
)
def test_what_is_not_taken(kind: Any, text: str, expected: str) -> None:
    with pytest.raises(Mismatch, match=expected):
        kind.parse(node(text))


def test_a_condition_names_every_place_that_is_wrong() -> None:
    with pytest.raises(Mismatch) as caught:
        When().parse(node("{and: [{equals: {a: [1]}}, {like: x}]}"))
    assert [place for place, _ in caught.value.faults] == ["and.0.equals.a", "and.1.like"]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Limit(1), None, "-1"),
        (Limit(1), 1, "1"),
        (HOSTS, ("a", "b"), "[a, b]"),
        (Format(), FormatString.parse("%{[a]}"), "%{[a]}"),
    ],
)
def test_a_value_is_shown_as_it_would_be_written(kind: Any, value: object, text: str) -> None:
    assert kind.show(value) == text


def test_rules_are_plain_data_and_every_fault_has_its_place() -> None:
    kind = Rules("key")
    assert kind.parse(node("[{key: a, when.equals.b: 1}]")) == [
        {"key": "a", "when": {"equals": {"b": 1}}}
    ]
    with pytest.raises(Mismatch, match="a list of rules with key, when") as caught:
        kind.parse(node("[{key: a}, {kye: b}]"))
    assert sorted(place for place, _ in caught.value.faults) == ["1.key", "1.kye"]
    with pytest.raises(Mismatch):
        kind.parse(node("text"))
    assert (kind.show(()), kind.show([{"key": "a"}])) == ("[]", "[{'key': 'a'}]")


@pytest.mark.parametrize(
    ("kind", "text", "unexpected"),
    [
        (
            HOSTS,
            "[a, 'ftp://b', [c]]",
            (("1", "host:port or a URL; found ftp://, expected http or https"), ("2", "a text")),
        ),
        (TextMap(), "{a: x, b: [1], c: {d: [2]}}", (("b", "a text"), ("c.d", "a text"))),
    ],
)
def test_every_wrong_item_is_named(
    kind: Any, text: str, unexpected: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(Mismatch) as caught:
        kind.parse(node(text))
    assert caught.value.unexpected == unexpected
