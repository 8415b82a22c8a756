import pytest

from connbeat.processors.protocol import ProcessorFailed
from connbeat.processors.tags import tagger


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, ["x"]),
        ({"tags": "a"}, ["a", "x"]),
        ({"tags": ["a", "x"]}, ["a", "x", "x"]),
    ],
)
def test_tags_come_after_those_that_are_there(before: dict[str, object], after: list[str]) -> None:
    assert tagger(("x",))(before) == {"tags": after}


def test_a_list_is_not_changed_but_made_anew() -> None:
    tags = ["a"]
    tagger(("x",))({"tags": tags})
    assert tags == ["a"]


def test_what_is_no_list_takes_no_tags() -> None:
    with pytest.raises(ProcessorFailed, match="tags is no list"):
        tagger(("x",))({"tags": {"a": 1}})
