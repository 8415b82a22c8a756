from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.fields import FIELDS, FieldType
from connbeat.outputs.elasticsearch.indices import TemplateWish
from connbeat.outputs.elasticsearch.template import (
    flat_settings,
    index_template,
    lifecycle_policy,
    mappings,
    parse_version,
)


def template(version: tuple[int, ...] = (8, 19, 0), **wish: Any) -> dict[str, Any]:
    return index_template(TemplateWish(pattern="connbeat-*", **wish), version)


def mapping_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = mappings()
    for part in name.split("."):
        found = found["properties"][part]
    return found


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_of_the_catalogue_is_mapped(field: Any) -> None:
    assert mapping_of(field.name)["type"]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_no_value_of_a_field_can_refuse_an_event(field: Any) -> None:
    """Numbers, dates and addresses are lenient, texts bounded; keys of others are no fields."""
    found = mapping_of(field.name)
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
