import pytest

from connbeat.config.kinds import Mismatch
from connbeat.config.mismatches import faults_of, without_secrets
from connbeat.config.tree import Node, Place, plain_node, secret

PLACE = Place("f.yml", 1)


def text(value: str) -> Node:
    return plain_node(value, PLACE)


def section(**values: Node) -> Node:
    return Node(values, PLACE)


def test_what_is_no_tree_is_told_as_a_whole() -> None:
    told = list(faults_of(Mismatch("a size"), text("much"), "queue.size"))
    assert told == [("", "found 'much', expected a size")]


def test_every_place_below_is_told() -> None:
    node = section(a=text("x"), b=section(c=text("y")))
    mismatch = Mismatch("it", (("a", "is wrong"),), unexpected=(("b.c", "a z"),))
    assert list(faults_of(mismatch, node, "k")) == [
        ("a", "is wrong"),
        ("b.c", "found 'y', expected a z"),
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("found 's3cret', expected a number", "found a value that is not shown, expected a number"),
        (
            "found 's3cret(', expected a regular expression: bad s3cret",
            "found a value that is not shown, expected a regular expression",
        ),
        ("expected a regular expression: s3", "found a value that is not shown, expected a regul"),
        ("found 's3cret', bad", "found a value that is not shown, expected another"),
        ("found a username without a password", "found a username without a password"),
    ],
)
def test_of_a_secret_only_what_was_expected_is_told(said: str, told: str) -> None:
    list_of_one = Node((secret(text("s3cret")),), PLACE)
    for node in (secret(text("s3cret")), list_of_one, section(a=list_of_one)):
        assert without_secrets(said, node).startswith(told)
    assert without_secrets(said, text("s3cret")) == said
    assert without_secrets(said, None) == said


def test_a_secret_in_a_place_below_is_not_told() -> None:
    node = section(a=secret(text("s3cret")), b=text("open"))
    mismatch = Mismatch("it", (("a", "found 's3cret', expected x"), ("b", "found 'open', bad")))
    assert [told for _, told in faults_of(mismatch, node, "k")] == [
        "found a value that is not shown, expected x",
        "found 'open', bad",
    ]
