"""The catalogue of ECS against what Elastic publishes, as written down in tests/data/ecs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from connbeat.model.ecs_fields import (
    DATA_STREAM_NAMESPACE,
    DATA_STREAM_TYPE,
    DATASET,
    ECS_FIELDS,
    HOMES,
    KEPT,
    ORIGINS,
    OWN,
)
from connbeat.model.fields import BY_NAME, FIELDS, Field, FieldType

PUBLISHED: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "data" / "ecs" / "fields.yml").read_text()
)
#: Types of ECS, whether it is an array, and ours.
TYPES = {
    ("date",): FieldType.DATE,
    ("ip",): FieldType.IP,
    ("ip", "array"): FieldType.IPS,
    ("keyword",): FieldType.KEYWORD,
    ("wildcard",): FieldType.KEYWORD,
    ("constant_keyword",): FieldType.KEYWORD,
    ("keyword", "array"): FieldType.STRINGS,
    ("long",): FieldType.INTEGER,
    ("object",): FieldType.LABELS,
}
BY_ECS_NAME = {field.name: field for field in ECS_FIELDS}


def test_no_field_stands_twice() -> None:
    assert len(BY_ECS_NAME) == len(ECS_FIELDS)


def test_no_field_is_also_an_object_of_others() -> None:
    parents = {
        name.rsplit(".", depth)[0]
        for name in BY_ECS_NAME
        for depth in range(1, name.count(".") + 1)
    }
    assert parents.isdisjoint(BY_ECS_NAME)


@pytest.mark.parametrize("field", ECS_FIELDS, ids=lambda field: field.name)
def test_every_field_is_one_of_ecs_with_its_type_or_our_own(field: Field) -> None:
    if field.name.startswith(f"{OWN}."):
        origin = BY_NAME[field.name.removeprefix(f"{OWN}.")]
        assert (field.type, field.choices) == (origin.type, origin.choices)
    else:
        assert TYPES[tuple(PUBLISHED["fields"][field.name])] is field.type


@pytest.mark.parametrize("field", ECS_FIELDS, ids=lambda field: field.name)
def test_every_field_says_what_it_means_and_shows_one(field: Field) -> None:
    assert field.text.endswith(".")
    assert field.example
    assert "|" not in field.text + field.example, "it would break the table of the docs"
    if field.choices:
        assert field.example in field.choices


@pytest.mark.parametrize("name", ["event.kind", "event.outcome"])
def test_the_values_are_those_that_ecs_allows(name: str) -> None:
    assert set(BY_ECS_NAME[name].choices) <= set(PUBLISHED["allowed"][name])


@pytest.mark.parametrize("name", ["network.direction", "network.transport", "network.type"])
def test_the_values_are_those_that_others_use(name: str) -> None:
    assert set(BY_ECS_NAME[name].choices) <= set(PUBLISHED["values"][name])


def test_every_field_of_a_document_has_its_place() -> None:
    """One in ECS, or its own name below ours; some have both."""
    assert HOMES.keys() <= BY_NAME.keys()
    own = {f"{OWN}.{field.name}" for field in FIELDS if field.name not in HOMES} | {
        f"{OWN}.{name}" for name in KEPT
    }
    assert own == {name for name in BY_ECS_NAME if name.startswith(f"{OWN}.")}
    assert BY_ECS_NAME.keys() == ORIGINS.keys() | own


def test_a_data_stream_of_these_names_can_be() -> None:
    """https://www.elastic.co/docs/reference/ecs/ecs-data_stream: what a name may have."""
    for part in (DATA_STREAM_TYPE, DATASET, DATA_STREAM_NAMESPACE):
        assert part == part.lower()
        assert not set('-\\/*?"<>| ,#:') & set(part)
