import json
from pathlib import Path
from typing import Any

import pytest

from connbeat.events.schema import event_schema, events_reference
from connbeat.model.catalogue import fields_of
from connbeat.model.fields import FIELDS
from connbeat.model.schemas import SchemaName
from tests.documents import SCHEMAS, check_schema, validate

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def leaves(schema: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, node in schema["properties"].items():
        if "properties" in node and "description" not in node:
            found |= leaves(node, f"{prefix}{name}.")
        else:
            found[prefix + name] = node
    return found


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_schema_is_one_and_survives_json(schema: SchemaName) -> None:
    found = event_schema(schema)
    check_schema(found)
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_schema_has_every_field_and_no_other(schema: SchemaName) -> None:
    assert leaves(event_schema(schema)).keys() == {field.name for field in fields_of(schema)}


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in SCHEMAS for field in fields_of(name)]
)
def test_each_example_is_right_by_the_schema(name: SchemaName, field: Any) -> None:
    schema = leaves(event_schema(name))[field.name]
    kinds = {"string": field.example}
    example = kinds.get(schema.get("type", "")) or json.loads(field.example)
    assert field.example
    if "..." not in field.example:  # an id that is cut short, a date of no day
        validate(example, schema)


def test_what_is_in_every_event_is_required_with_its_parents() -> None:
    schema = event_schema()
    assert set(schema["required"]) == {"@timestamp", "type", "beat", "local_process"}
    assert schema["properties"]["beat"]["required"] == ["name", "hostname", "version", "local_ips"]
    assert "required" not in schema["properties"]["connection"]


def test_in_ecs_what_is_ours_is_in_no_event_for_certain() -> None:
    schema = event_schema("ecs")
    assert "connbeat" not in schema["required"]
    assert "host" in schema["required"]
    assert "address" not in schema["properties"]["source"].get("required", ())


def test_the_reference_page_is_the_catalogue_s() -> None:
    assert PAGE.read_text(encoding="utf-8") == events_reference(), "run `make docs`"


def test_the_reference_page_has_a_row_of_five_cells_for_every_field() -> None:
    rows = [line for line in events_reference().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [field.name for field in FIELDS]
    assert {row.count("|") for row in rows} == {6}
