from typing import Any

from hypothesis import given

from connbeat.model.documents import field_value
from tests.unit.processors.documents import documents, names
from tests.unit.processors.trying import EVENT, Trial, failure, faults_of, tried, without


def test_a_field_goes_to_its_new_name_with_all_sections_on_the_way() -> None:
    result = tried("- rename.fields: [{from: local_ip, to: source.ip}, {from: beat, to: agent}]")
    assert result == {
        **without(EVENT, "local_ip", "beat"),
        "source": {"ip": "172.18.0.3"},
        "agent": EVENT["beat"],
    }


def test_a_field_may_become_a_part_of_what_it_was() -> None:
    result = tried("- rename.fields: [{from: local_ip, to: local_ip.value}]")
    assert result["local_ip"] == {"value": "172.18.0.3"}


def test_nothing_is_overwritten() -> None:
    text = failure("- rename.fields: [{from: local_ip, to: x}, {from: remote_ip, to: local_port}]")
    assert text == "there is a field local_port already"


def test_a_name_below_what_is_no_section_has_no_place() -> None:
    text = failure("- rename.fields: [{from: local_ip, to: remote_ip.x}]")
    assert text == "remote_ip is no section, so remote_ip.x has no place"


def test_without_fail_on_error_the_others_are_renamed() -> None:
    fields = "[{from: nothing, to: x}, {from: local_ip, to: y}]"
    result = tried(f"- rename: {{fields: {fields}, fail_on_error: false}}")
    assert result["y"] == "172.18.0.3"


def test_a_missing_field_is_a_failure_unless_ignored() -> None:
    assert failure("- rename.fields: [{from: nothing, to: x}]") == "there is no field nothing"
    assert tried("- rename: {fields: [{from: nothing, to: x}], ignore_missing: true}") == EVENT


def test_what_every_event_keeps_can_neither_go_nor_be_the_time() -> None:
    assert list(
        faults_of("- rename.fields: [{from: '@timestamp', to: x}, {from: x, to: '@timestamp'}]")
    ) == ["0.rename.fields.0.from", "0.rename.fields.1.to"]


@given(documents, names.filter(lambda name: name != "type"))
def test_there_and_back_is_where_it_was(document: dict[str, Any], name: str) -> None:
    there = f"- rename: {{fields: [{{from: {name}, to: z}}], ignore_missing: true}}"
    back = f"- rename: {{fields: [{{from: z, to: {name}}}], ignore_missing: true}}"
    moved = Trial(there)(document)
    assert field_value(moved, "z") == field_value(document, name)
    returning = Trial(back)
    result = returning(moved)
    if (
        not returning.accounts.failures
    ):  # a field with the same name, spelt otherwise, is in the way
        assert field_value(result, name) == field_value(document, name)
