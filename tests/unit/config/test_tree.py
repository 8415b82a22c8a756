import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.config.tree import (
    Node,
    Place,
    below,
    children,
    find,
    has_secret,
    is_utf8,
    leaves,
    list_items,
    merged,
    nested,
    plain_node,
    plain_scalar,
    secret,
    to_plain,
)

HERE = Place("a.yml", 3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True),
        ("Yes", True),
        ("OFF", False),
        ("no", False),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("null", None),
        ("7", 7),
        ("-7", -7),
        ("0", 0),
        ("1.10", 1.1),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("1e999", "1e999"),
        ("2017-01-01", "2017-01-01"),
        ("12345678901234567890", "12345678901234567890"),
        ("\u0663", "\u0663"),  # a digit, but not one of ours
    ],
)
def test_a_plain_scalar_is_what_a_beat_reads(text: str, value: object) -> None:
    found = plain_scalar(text)
    assert (found, type(found)) == (value, type(value))


@given(st.text())
def test_a_plain_scalar_is_always_something_that_json_can_carry(text: str) -> None:
    value = plain_scalar(text)
    assert not isinstance(value, float) or math.isfinite(value)
    assert type(value) is not int or abs(value) < 10**19


def test_a_place_names_file_and_line_or_the_flag() -> None:
    assert str(HERE) == "a.yml:3"
    assert str(Place("-E")) == "-E"


def test_merging_goes_into_sections_and_replaces_the_rest() -> None:
    below = merged(nested("a.b", plain_node("1", HERE)), nested("a.c", plain_node("2", HERE)))
    above = merged(nested("a.c", plain_node("3", HERE)), nested("d", plain_node("4", HERE)))
    assert to_plain(merged(below, above)) == {"a": {"b": 1, "c": 3}, "d": 4}


def test_nothing_laid_over_a_section_changes_nothing_but_unsets_a_value() -> None:
    section, nothing = nested("a", plain_node("1", HERE)), Node(None, HERE)
    assert merged(section, nothing) is section
    assert to_plain(merged(section, nested("a", nothing))) == {"a": None}


def test_a_value_laid_over_a_section_replaces_it() -> None:
    section, value = nested("a.b", plain_node("1", HERE)), nested("a", plain_node("2", HERE))
    assert to_plain(merged(section, value)) == {"a": 2}
    assert to_plain(merged(value, section)) == {"a": {"b": 1}}


def test_a_path_leads_through_sections_and_lists_or_nowhere() -> None:
    root = nested("a.b", Node((plain_node("x", HERE), plain_node("y", HERE)), HERE))
    assert find(root, "a.b.1") == plain_node("y", HERE)
    for path in ("a.b.2", "a.b.-1", "a.c", "a.b.1.z", "", "a..b", "a.b.99999999999"):
        assert find(root, path) is None, path


def test_leaves_are_values_and_lists_with_their_paths() -> None:
    root = merged(nested("a.b", plain_node("1", HERE)), nested("c", Node((), HERE)))
    assert [path for path, _ in leaves(root)] == ["a.b", "c"]


def texts(*words: str) -> Node:
    return Node(tuple(plain_node(word, HERE) for word in words), HERE)


@pytest.mark.parametrize(
    ("below", "above", "whole"),
    [
        (texts("a", "b"), texts("c"), ["c", "b"]),
        (texts("a"), texts("b", "c"), ["b", "c"]),
        (texts("a"), texts(), ["a"]),
        (texts(), texts("a"), ["a"]),
        (texts("a", "b"), plain_node("c", HERE), "c"),
        (texts("a", "b"), plain_node("c,d", HERE), "c,d"),
        (texts("a", "b", "x"), plain_node("c, d", HERE, is_expanded=True), ["c", "d", "x"]),
        (texts("a", "b"), plain_node("c", HERE, is_expanded=True), "c"),
        (texts("a", "b"), Node(None, HERE), None),
        (plain_node("a", HERE), texts("b"), ["b"]),
    ],
)
def test_lists_merge_index_by_index_and_a_single_value_replaces_them(
    below: Node, above: Node, whole: object
) -> None:
    assert to_plain(merged(nested("k", below), nested("k", above))) == {"k": whole}


def test_sections_in_lists_are_merged_where_they_stand() -> None:
    below = Node((nested("a", plain_node("1", HERE)),), HERE)
    above = Node((nested("b", plain_node("2", HERE)),), HERE)
    assert to_plain(merged(below, above)) == [{"a": 1, "b": 2}]


def test_only_what_was_expanded_is_a_list_because_of_its_commas() -> None:
    assert list_items(plain_node("a,b", HERE)) is None
    items = list_items(secret(plain_node(" a ,, b", HERE, is_expanded=True)))
    assert items is not None
    assert [(item.text, item.is_secret) for item in items] == [("a", True), ("b", True)]


def test_a_secret_is_one_to_its_last_leaf() -> None:
    node = secret(nested("a", texts("x")))
    inside = find(node, "a.0")
    assert inside is not None
    assert inside.is_secret
    assert to_plain(node) == {"a": ["x"]}


def test_a_path_below_the_root_begins_with_the_name() -> None:
    assert below("", "a") == "a"
    assert below("a", "b") == "a.b"
    assert below("a", 0) == "a.0"


def test_a_tree_has_a_secret_if_any_node_of_it_is_one() -> None:
    plain, hidden = plain_node("a", HERE), secret(plain_node("a", HERE))
    assert not has_secret(Node({"a": Node((plain,), HERE)}, HERE))
    assert has_secret(Node({"a": plain, "b": Node((plain, hidden), HERE)}, HERE))
    assert has_secret(hidden)
    assert list(children(plain)) == []


def test_what_came_from_bytes_that_were_no_text_is_not_utf_8() -> None:
    assert is_utf8("Grüße")
    assert not is_utf8(b"\xff".decode(errors="surrogateescape"))
