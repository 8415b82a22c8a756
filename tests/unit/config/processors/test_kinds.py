import pytest

from connbeat.config.kinds import Mismatch
from connbeat.config.processors.kinds import (
    FieldName,
    FieldNames,
    FieldPatterns,
    Pattern,
    RateKind,
    Source,
    Target,
)
from connbeat.config.tree import Node, Place, plain_node
from connbeat.processors.rate_limit import Rate

PLACE = Place("f")


def node(text: str) -> Node:
    return Node(text, PLACE, text)


def names(*texts: str) -> Node:
    return Node(tuple(map(node, texts)), PLACE)


@pytest.mark.parametrize("text", ["", "a..b", ".a", "a.", "@metadata", "@metadata._id"])
def test_what_names_no_field_is_refused(text: str) -> None:
    for kind in (FieldName(), Source(), Target()):
        with pytest.raises(Mismatch):
            kind.parse(node(text))


def test_the_time_is_read_but_neither_taken_away_nor_written() -> None:
    assert FieldName().parse(node("@timestamp")) == "@timestamp"
    for kind in (Source(), Target()):
        with pytest.raises(Mismatch):
            kind.parse(node("@timestamp"))


def test_the_top_is_a_target_where_it_may_be() -> None:
    assert Target(or_top=True).parse(node("")) == ""
    assert Target(or_top=True).show("") == '""'


def test_of_a_list_each_wrong_name_is_told() -> None:
    assert FieldNames().parse(names("a", "b.c")) == ("a", "b.c")
    with pytest.raises(Mismatch) as caught:
        FieldNames().parse(names("a", "b..c", "@metadata"))
    assert [place for place, _ in caught.value.unexpected] == ["1", "2"]


def test_a_single_name_is_a_list_of_one_and_checked_as_well() -> None:
    assert FieldNames().parse(node("a.b")) == ("a.b",)
    with pytest.raises(Mismatch, match="the name of a field"):
        FieldNames().parse(node("a..b"))
    with pytest.raises(Mismatch) as caught:
        FieldNames().parse(Node((node("a"), Node((), PLACE)), PLACE))
    assert caught.value.unexpected == (("1", "a text"),)


def test_a_pattern_stands_between_slashes() -> None:
    assert FieldPatterns().parse(names("a", "/^b+$/")) == ("a", "/^b+$/")
    with pytest.raises(Mismatch) as caught:
        FieldPatterns().parse(names("/(/", "/", "a."))
    assert [place for place, _ in caught.value.unexpected] == ["0", "2"]


def test_a_regular_expression_compiles() -> None:
    assert Pattern().parse(node("a+")) == "a+"
    with pytest.raises(Mismatch, match="a regular expression: "):
        Pattern().parse(node("("))


def test_a_rate_is_shown_as_it_was_written() -> None:
    rate = RateKind().parse(plain_node("100/s", PLACE))
    assert rate == Rate(100, 1, "100/s")
    assert RateKind().show(rate) == "100/s"
