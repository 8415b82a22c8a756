import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.config.kinds import (
    Anything,
    Boolean,
    BooleanOrAuto,
    Choice,
    Duration,
    Fields,
    FileName,
    Integer,
    Kind,
    Mismatch,
    Permissions,
    Size,
    Text,
    TextList,
)
from connbeat.config.tree import Node, Place, plain_node

HERE = Place("f.yml", 1)
LIST = Node((plain_node("a", HERE), plain_node("1.10", HERE)), HERE)
SECTION = Node({"a": plain_node("1", HERE)}, HERE)
KINDS: tuple[Kind, ...] = (
    Boolean(),
    BooleanOrAuto(),
    Choice("a", "b"),
    Duration(),
    Fields(),
    FileName(),
    Integer(-5, 5),
    Permissions(),
    Size(0, 2**40),
    Text(),
    TextList(),
    Anything(),
)


def quoted(text: str) -> Node:
    return Node(text, HERE, text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Boolean(), "on", True),
        (Boolean(), "No", False),
        (BooleanOrAuto(), "auto", "auto"),
        (BooleanOrAuto(), "true", True),
        (Integer(2, 9), "9", 9),
        (Duration(), "2s", 2.0),
        (Duration(), "90", 90.0),
        (Duration(), "2.5", 2.5),
        (Duration(), "1h30m", 5400.0),
        (Duration(), "1m1.5s", 61.5),
        (Duration(), "250ms", 0.25),
        (Duration(), "500\u00b5s", 0.0005),
        (Duration(), "500\u03bcs", 0.0005),
        (Duration(), "500us", 0.0005),
        (Duration(), "500000ns", 0.0005),
        (Duration(), "0", 0.0),
        (Size(0, 10**12), "1024", 1024),
        (Size(0, 10**12), "32MiB", 33554432),
        (Size(0, 10**12), "2 kb", 2000),
        (Permissions(), "0600", 0o600),
        (Permissions(), "640", 0o640),
        (Permissions(), "0o644", 0o644),
        (Text(), "1.10", "1.10"),
        (FileName(), "connbeat", "connbeat"),
        (Choice("info", "debug"), "INFO", "info"),
        (TextList(), "a", ("a",)),
    ],
)
def test_a_value_is_the_same_plain_or_quoted(kind: Kind, text: str, value: object) -> None:
    assert kind.parse(plain_node(text, HERE)) == value
    assert kind.parse(quoted(text)) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Boolean(), "1"),
        (Boolean(), "maybe"),
        (BooleanOrAuto(), "automatic"),
        (Integer(2, 9), "1"),
        (Integer(2, 9), "10"),
        (Integer(2, 9), "2.0"),
        (Integer(0, 9), "yes"),
        (Integer(2, 9), "0x3"),
        (Duration(), "fast"),
        (Duration(), "true"),
        (Duration(), "-1s"),
        (Duration(), "-1"),
        (Duration(), "90 seconds"),
        (Duration(), "1d"),
        (Duration(), "s"),
        (Duration(), "1e999"),
        (Duration(), "9999h"),
        (Duration(low=0.01), "0"),
        (Duration(low=0.01), "9ms"),
        (Size(0, 100), "101"),
        (Size(0, 100), "-1"),
        (Size(0, 100), "1.5"),
        (Size(0, 100), "1 i"),
        (Permissions(), "0888"),
        (Permissions(), "384"),
        (Permissions(), "rw-------"),
        (Permissions(), "77777"),
        (FileName(), "a/b"),
        (FileName(), ".."),
        (Choice("info", "debug"), "loud"),
        (Fields(), "x"),
    ],
)
def test_anything_else_is_a_mismatch(kind: Kind, text: str) -> None:
    with pytest.raises(Mismatch):
        kind.parse(plain_node(text, HERE))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@given(st.text())
def test_a_kind_takes_any_node_or_says_what_it_expected(kind: Kind, text: str) -> None:
    for node in (
        plain_node(text, HERE),
        quoted(text),
        LIST,
        SECTION,
        Node((Node(None, HERE),), HERE),
    ):
        with contextlib.suppress(Mismatch):
            assert isinstance(kind.show(kind.parse(node)), str)


def test_lists_keep_their_texts_as_written() -> None:
    assert TextList().parse(LIST) == ("a", "1.10")


def test_a_list_of_the_environment_may_be_one_text() -> None:
    assert TextList().parse(plain_node("a, b,,c", HERE, is_expanded=True)) == ("a", "b", "c")
    assert TextList().parse(plain_node("a, b", HERE)) == ("a, b",)


def test_a_list_holds_texts_only() -> None:
    for item in (Node(None, HERE), LIST, SECTION):
        with pytest.raises(Mismatch):
            TextList().parse(Node((item,), HERE))


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.25, 1.0, 2.5, 30.0, 86400.0])
def test_a_duration_that_is_shown_can_be_read(seconds: float) -> None:
    assert Duration().parse(plain_node(Duration().show(seconds), HERE)) == seconds


@given(st.integers(0, 2**50))
def test_a_size_that_is_shown_can_be_read(size: int) -> None:
    kind = Size(0, 2**60)
    assert kind.parse(plain_node(kind.show(size), HERE)) == size
