from connbeat.config.faults import Findings
from connbeat.config.joining import Entry, join_entries
from connbeat.config.tree import Node, Place, plain_node, to_plain
from connbeat.errors import ConfigError


def joined(*pairs: tuple[str, Node]) -> tuple[object, tuple[str, ...]]:
    findings = Findings()
    entries = [Entry(key, Place("f", line), node) for line, (key, node) in enumerate(pairs, 1)]
    section = join_entries(entries, Place("f", 1), "top", findings)
    try:
        findings.raise_faults()
    except ConfigError as error:
        return to_plain(section), error.faults
    return to_plain(section), ()


def value(text: str) -> Node:
    return plain_node(text, Place("f"))


def test_dotted_keys_meet_in_one_section() -> None:
    assert joined(("a.b.c", value("1")), ("a.d", value("2")), ("a.b.e", value("3"))) == (
        {"a": {"b": {"c": 1, "e": 3}, "d": 2}},
        (),
    )


def test_of_a_key_that_is_there_twice_the_first_value_stays_and_both_places_are_told() -> None:
    assert joined(("a.b", value("1")), ("x", value("2")), ("a.b", value("3"))) == (
        {"a": {"b": 1}, "x": 2},
        ("f:3: top.a.b: is there twice, first at f:1",),
    )


def test_a_key_without_value_gives_way_to_a_section() -> None:
    for pairs in ((("a", value("")), ("a.b", value("1"))), (("a.b", value("1")), ("a", value("")))):
        assert joined(*pairs) == ({"a": {"b": 1}}, ())


def test_a_value_and_a_section_of_one_name_are_told() -> None:
    assert joined(("a", value("1")), ("a.b", value("2")))[1] == (
        "f:2: top.a: is there twice, first at f:1",
    )


def test_a_key_with_a_missing_name_is_told() -> None:
    for key in (".", ".a", "a.", "a..b"):
        assert joined((key, value("1"))) == (
            {},
            (f"f:1: top.{key}: a name between the dots is missing",),
        )
