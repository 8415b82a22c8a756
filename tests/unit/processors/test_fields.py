from typing import Any

import pytest
from hypothesis import given

from connbeat.model.documents import field_value
from connbeat.processors.fields import (
    as_text,
    field_remover,
    field_setter,
    flattened,
    merged,
    path_finder,
)
from connbeat.processors.protocol import ProcessorFailed
from tests.unit.processors.documents import documents, names


@given(documents, names)
def test_what_was_set_is_found_there(document: dict[str, Any], name: str) -> None:
    try:
        result = field_setter(name)(document, "new")
    except ProcessorFailed:
        return
    assert field_value(result, name) == "new"


@given(documents, names)
def test_what_was_removed_is_gone_unless_another_spelling_was_behind_it(
    document: dict[str, Any], name: str
) -> None:
    result = field_remover(name)(document)
    if path_finder(name)(document) is None:
        assert result is document
    else:
        assert path_finder(name)(result) != path_finder(name)(document)


@given(documents, names)
def test_the_path_of_a_field_leads_to_it(document: dict[str, Any], name: str) -> None:
    path = path_finder(name)(document)
    inside: Any = document
    for key in path or ():
        inside = inside[key]
    if path is None:
        assert field_value(document, name) is None
    else:
        assert inside == field_value(document, name)


def test_only_the_sections_on_the_way_are_copied() -> None:
    document = {"a": {"b": {"c": 1}, "x": {"y": 2}}, "z": {}}
    for result in (field_setter("a.b.c")(document, 3), field_remover("a.b.c")(document)):
        assert document["a"]["b"] == {"c": 1}
        assert result["a"]["x"] is document["a"]["x"]
        assert result["z"] is document["z"]


def test_below_what_is_no_section_there_is_no_place() -> None:
    with pytest.raises(ProcessorFailed, match=r"a is no section, so a\.b has no place"):
        field_setter("a.b")({"a": 1}, 2)


@given(documents, documents)
def test_of_two_merged_documents_the_upper_one_is_all_there(
    below: dict[str, Any], above: dict[str, Any]
) -> None:
    result = merged(below, above)
    assert merged(result, above) == result
    assert set(result) == {*below, *above}


def test_names_are_told_from_the_inside_out() -> None:
    assert [name for name, _ in flattened({"a": {"b": {"c": 1}, "d.e": 2}})] == [
        "a.b.c",
        "a.b",
        "a.d.e",
        "a",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [("x", "x"), (True, "true"), (1, "1"), (2.5, "2.5"), ([], None), ({}, None)]
)
def test_a_single_value_has_a_text(value: object, text: str | None) -> None:
    assert as_text(value) == text
