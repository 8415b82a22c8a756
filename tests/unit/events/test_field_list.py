from connbeat.events.field_list import TYPES, field_list
from connbeat.model.catalogue import fields_of
from connbeat.model.fields import FIELDS, FieldType
from connbeat.outputs.elasticsearch.template import _MAPPINGS


def test_every_field_is_listed_with_what_is_known_of_it() -> None:
    (listed,) = field_list()
    assert [entry["name"] for entry in listed["fields"]] == [field.name for field in FIELDS]
    by_name = {entry["name"]: entry for entry in listed["fields"]}
    assert by_name["@timestamp"]["required"] is True
    assert "required" not in by_name["remote_ip"]
    assert by_name["remote_ip"]["type"] == "ip"
    assert {"name": "closed"} in by_name["connection.event"]["allowed_values"]


def test_types_are_those_of_the_index_template() -> None:
    assert {kind: mapping["type"] for kind, mapping in _MAPPINGS.items()} == TYPES
    assert set(TYPES) == set(FieldType)


def test_in_ecs_the_names_are_its_own() -> None:
    (listed,) = field_list("ecs")
    assert [entry["name"] for entry in listed["fields"]] == [f.name for f in fields_of("ecs")]
