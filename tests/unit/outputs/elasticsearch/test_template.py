from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.catalogue import fields_of
from connbeat.model.fields import FieldType
from connbeat.model.schemas import SchemaName
from connbeat.outputs.elasticsearch.indices import TemplateWish
from connbeat.outputs.elasticsearch.template import (
    flat_settings,
    index_template,
    lifecycle_policy,
    mappings,
    parse_version,
)
from tests.documents import SCHEMAS

PUBLISHED: dict[str, list[str]] = yaml.safe_load(
    (Path(__file__).parents[3] / "data" / "ecs" / "fields.yml").read_text()
)["fields"]


def template(version: tuple[int, ...] = (8, 19, 0), **wish: Any) -> dict[str, Any]:
    return index_template(TemplateWish(pattern="connbeat-*", **wish), version)


def mapping_of(name: str, schema: SchemaName = "connbeat") -> dict[str, Any]:
    found: dict[str, Any] = mappings(schema)
    for part in name.split("."):
        found = found["properties"][part]
    return found


EVERY_FIELD = [(schema, field) for schema in SCHEMAS for field in fields_of(schema)]


@pytest.mark.parametrize(("schema", "field"), EVERY_FIELD)
def test_every_field_of_the_catalogue_is_mapped(schema: SchemaName, field: Any) -> None:
    assert mapping_of(field.name, schema)["type"]


@pytest.mark.parametrize(("schema", "field"), EVERY_FIELD)
def test_no_value_of_a_field_can_refuse_an_event(schema: SchemaName, field: Any) -> None:
    """Numbers, dates and addresses are lenient, texts bounded; keys of others are no fields."""
    found = mapping_of(field.name, schema)
    if field.name == "@timestamp":
        assert found == {"type": "date"}
    elif found["type"] in ("keyword", "flattened"):
        assert found["ignore_above"] * 4 < 32766
    else:
        assert found["ignore_malformed"] is True
    is_open = field.type in (FieldType.LABELS, FieldType.PORTS, FieldType.ANY)
    assert (found["type"] == "flattened") == is_open


def test_ports_are_numbers_and_addresses_are_addresses() -> None:
    assert mapping_of("local_port")["type"] == "long"
    assert mapping_of("remote_ip")["type"] == "ip"
    assert mapping_of("container.local_ips")["type"] == "ip"


#: What ECS calls a type, and what it is where that is not there for everybody, or not lenient.
ECS_TYPES = {"wildcard": "keyword", "constant_keyword": "keyword", "object": "flattened"}


@pytest.mark.parametrize(("name", "published"), sorted(PUBLISHED.items()))
def test_in_ecs_the_types_are_those_of_elastic(name: str, published: list[str]) -> None:
    type_ = published[0]
    assert mapping_of(name, "ecs")["type"] == ECS_TYPES.get(type_, type_)


def test_each_schema_has_a_template_that_says_so() -> None:
    assert template()["_meta"]["schema"] == "connbeat"
    assert template(schema="ecs")["_meta"]["schema"] == "ecs"
    assert "source" in template(schema="ecs")["template"]["mappings"]["properties"]


def test_of_both_templates_that_fit_an_index_of_ecs_its_own_wins() -> None:
    """`connbeat-*` fits both; two of the same priority the cluster does not take."""
    assert template(schema="ecs")["priority"] > template()["priority"]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_user_s_fields_are_flattened_in_every_schema(schema: SchemaName) -> None:
    assert mapping_of("fields", schema)["type"] == "flattened"


def test_fields_that_nobody_knows_refuse_nothing() -> None:
    assert mappings()["dynamic"] == "runtime"
    assert mappings()["date_detection"] is False


def test_the_template_is_composable_and_without_types() -> None:
    found = template()
    assert found["index_patterns"] == ["connbeat-*"]
    assert set(found) == {"index_patterns", "priority", "template", "_meta"}
    assert set(found["template"]) == {"settings", "mappings"}
    assert "_doc" not in found["template"]["mappings"]


def test_a_data_stream_is_one_on_request() -> None:
    assert "data_stream" not in template()
    assert template(is_data_stream=True)["data_stream"] == {}


def test_a_policy_is_named_only_where_there_is_one() -> None:
    assert "index.lifecycle.name" not in template()["template"]["settings"]
    assert template(policy="p")["template"]["settings"]["index.lifecycle.name"] == "p"


@pytest.mark.parametrize(("version", "expected"), [((7, 17), False), ((8, 14, 0), True)])
def test_a_version_gets_only_settings_it_knows(version: tuple[int, ...], expected: bool) -> None:
    name = "index.mapping.total_fields.ignore_dynamic_beyond_limit"
    assert (name in template(version)["template"]["settings"]) is expected


def test_the_users_settings_win() -> None:
    settings = {"index": {"number_of_shards": 3, "mapping.total_fields.limit": 5}, "codec": "best"}
    found = template(settings=settings)["template"]["settings"]
    assert found["index.number_of_shards"] == 3
    assert found["index.mapping.total_fields.limit"] == 5
    assert found["index.codec"] == "best"
    assert found["index.refresh_interval"] == "5s"


def test_settings_are_the_same_nested_or_dotted() -> None:
    assert flat_settings({"index": {"a": {"b": 1}}}) == flat_settings({"index.a.b": 1})
    assert flat_settings({"a.b": 1}) == {"index.a.b": 1}


def test_our_own_policy_deletes_nothing() -> None:
    stream = lifecycle_policy(is_data_stream=True)["policy"]["phases"]
    assert set(stream) == {"hot"}
    assert stream["hot"]["actions"]["rollover"]["max_age"] == "30d"
    assert lifecycle_policy(is_data_stream=False)["policy"]["phases"] == {"hot": {"actions": {}}}


def test_versions_are_their_numbers() -> None:
    assert parse_version("8.19.0") == (8, 19, 0)
    assert parse_version("9.1.0-SNAPSHOT") == (9, 1, 0)


@given(st.text())
def test_what_is_no_version_is_refused(text: str) -> None:
    try:
        assert all(number >= 0 for number in parse_version(text))
    except ValueError:
        return
    assert text.partition("-")[0].replace(".", "").isdigit()
