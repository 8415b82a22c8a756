import pytest

from tests.unit.processors.trying import EVENT, Trial, failure, faults_of, tried, without


def test_fields_and_whole_sections_are_dropped_and_the_event_stays_as_it_was() -> None:
    result = tried("- drop_fields.fields: [container, local_process.cmdline]")
    assert "container" not in result
    assert result["local_process"] == {"binary": "curl", "pid": 4711}
    assert EVENT["local_process"]["cmdline"] == "curl http://web/"


def test_a_key_with_dots_is_found() -> None:
    result = tried("- drop_fields.fields: [container.labels.com.docker.compose.project]")
    assert result["container"] == {"id": "c1", "labels": {}}


def test_what_every_event_keeps_is_not_dropped() -> None:
    assert tried("- drop_fields.fields: ['@timestamp', type]") is EVENT
    assert set(tried("- drop_fields.fields: [/./]")) == {"@timestamp", "type"}


def test_a_pattern_drops_every_field_whose_whole_name_it_matches() -> None:
    result = tried("- drop_fields.fields: ['/^(local|remote)_(ip|port)$/', /compose/]")
    assert result == {
        **without(EVENT, "local_ip", "local_port", "remote_ip", "remote_port"),
        "container": {"id": "c1", "labels": {}},
    }


def test_a_field_that_is_missing_is_a_failure_and_the_others_are_dropped_all_the_same() -> None:
    trial = Trial("- drop_fields.fields: [nothing, container]")
    assert trial() == without(EVENT, "container")
    assert trial.accounts.failures == ["drop_fields: there is no field nothing"]
    assert failure("- drop_fields.fields: [local_ip.x]") == "there is no field local_ip.x"


def test_unless_it_is_to_be_ignored() -> None:
    assert tried("- drop_fields: {fields: [nothing, x.y], ignore_missing: true}") == EVENT


@pytest.mark.parametrize(
    ("fields", "place"),
    [("[a, '/(/']", "0.drop_fields.fields.1"), ("[a..b]", "0.drop_fields.fields.0")],
)
def test_a_bad_name_or_pattern_is_told_at_its_place(fields: str, place: str) -> None:
    assert list(faults_of(f"- drop_fields.fields: {fields}")) == [place]
