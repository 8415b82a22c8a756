from typing import Any

from hypothesis import given

from connbeat.model.documents import field_value
from tests.unit.processors.documents import NAMES, documents, names
from tests.unit.processors.trying import EVENT, Trial, tried

KEPT = {"@timestamp": EVENT["@timestamp"], "type": "connbeat"}


def test_what_is_named_stays_with_what_every_event_keeps() -> None:
    result = tried("- include_fields.fields: [remote_port, local_process.binary, nothing, x.y]")
    assert result == {**KEPT, "remote_port": 80, "local_process": {"binary": "curl"}}


def test_without_names_only_what_every_event_keeps() -> None:
    assert tried("- include_fields.fields: []") == KEPT


def test_a_section_and_a_part_of_it_are_the_section() -> None:
    for fields in ("local_process, local_process.pid", "local_process.pid, local_process"):
        result = tried(f"- include_fields.fields: [{fields}]")
        assert result == {**KEPT, "local_process": EVENT["local_process"]}


class Shared(dict[str, Any]):
    """A part that others have as well."""

    def __setitem__(self, key: str, value: object) -> None:
        raise AssertionError(f"{key} was written")


def test_a_section_that_is_there_as_a_whole_is_not_written_to() -> None:
    document = {"a": Shared(b=1, c=Shared(d=2))}
    result = tried("- include_fields.fields: [a, a.b, a.c.d]", document)
    assert result == document


def test_a_key_with_dots_stays_one() -> None:
    labels = {"com.docker.compose.project": "shop"}
    for field in ("container.labels.com.docker.compose.project", "container.labels"):
        assert tried(f"- include_fields.fields: [{field}]") == {
            **KEPT,
            "container": {"labels": labels},
        }


@given(documents, names, names)
def test_what_was_included_can_be_asked_for_as_before_and_dropping_it_leaves_nothing(
    document: dict[str, Any], one: str, other: str
) -> None:
    included = Trial(f"- include_fields.fields: [{one}, {other}]")(document)
    for name in (one, other):
        assert field_value(included, name) == field_value(document, name)
    assert set(included) <= set(document)
    dropped = Trial(
        f"- include_fields.fields: [{one}]\n"
        f"- drop_fields: {{fields: [{', '.join(NAMES)}], ignore_missing: true}}"
    )(document)
    left = {key: value for key, value in dropped.items() if key != "type"}
    assert left == {}
