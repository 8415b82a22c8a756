import re

import pytest

from connbeat.model.connections import Direction, DirectionSource, EventKind
from connbeat.model.fields import BY_NAME, FIELDS, Field
from connbeat.model.processes import UnknownReason
from connbeat.model.sockets import TcpState


def test_no_field_stands_twice() -> None:
    assert len(BY_NAME) == len(FIELDS)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_says_what_it_means_and_shows_one(field: Field) -> None:
    assert re.fullmatch(r"@timestamp|[a-z0-9_]+(\.[a-z0-9_]+)*", field.name)
    assert field.text.endswith(".")
    assert field.example
    assert "|" not in field.text + field.example, "it would break the table of the docs"
    if field.choices:
        assert field.example in field.choices


def test_no_field_is_also_an_object_of_others() -> None:
    parents = {field.name.rpartition(".")[0] for field in FIELDS}
    assert parents.isdisjoint(BY_NAME)


def test_the_choices_are_those_of_the_code() -> None:
    assert set(BY_NAME["connection.event"].choices) == set(EventKind)
    assert set(BY_NAME["listener.event"].choices) == set(EventKind) - {EventKind.FAILED}
    assert set(BY_NAME["connection.direction"].choices) == set(Direction)
    assert set(BY_NAME["connection.direction_source"].choices) == set(DirectionSource)
    assert set(BY_NAME["local_process.unknown_reason"].choices) == set(UnknownReason)
    states = {state.label for state in TcpState} | {"closed"}
    assert set(BY_NAME["connection.state"].choices) == states


def test_the_fields_of_the_original_are_all_there() -> None:
    """What a consumer of connbeat 5.6 reads."""
    old = """
    @timestamp type beat.name beat.hostname beat.version beat.local_ips tags fields
    local_ip local_port remote_ip remote_port
    local_process.binary local_process.cmdline local_process.environ local_process.pid
    container.id container.name container.image container.env container.labels container.local_ips
    container.ports container.docker_host.hostname container.docker_host.ips
    """
    assert {field.name for field in FIELDS if field.origin == "5.6"} == set(old.split())
