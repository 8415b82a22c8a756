from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from connbeat.events.connection import ConnectionDocument, ConnectionPart, as_mapping
from connbeat.model.connections import EventKind


def part(**fields: Any) -> ConnectionPart:
    return ConnectionPart(
        "h-1-2", EventKind.OPENED, "outbound", "state", "established", 1, **fields
    )


def document(connection: ConnectionPart, **fields: Any) -> ConnectionDocument:
    unset = {"remote_process", "remote_container", "nat", "container", "kubernetes"} - set(fields)
    return ConnectionDocument(
        timestamp="2026-11-23T10:00:00.000Z",
        type="connbeat",
        beat={"name": "h1"},
        local_ip="10.0.0.1",
        local_port=1,
        remote_ip="10.0.0.2",
        remote_port=2,
        local_process={"binary": "curl"},
        connection=connection,
        network={"community_id": "1:x"},
        **dict.fromkeys(unset, UNSET),
        **fields,
    )


OPTIONAL = st.fixed_dictionaries(
    {},
    optional={
        "opened_at": st.text(max_size=3),
        "duration_ms": st.floats(0, 1e20),
        "bytes_sent": st.integers(0, (1 << 64) - 1),
        "summarised": st.just({"bytes_sent": 1}),
        "failure": st.just("refused"),
    },
)
SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "remote_process": st.just({"pid": 1}),
        "nat": st.just({"remote_port": 1}),
        "container": st.just({"id": "c"}),
        "tags": st.just(["t"]),
        "fields": st.just({"a": 1}),
    },
)


@given(OPTIONAL, SECTIONS)
def test_a_mapping_of_it_reads_the_same_in_the_same_order(
    optional: dict[str, Any], sections: dict[str, Any]
) -> None:
    made = document(part(**optional), **sections)
    assert msgspec.json.encode(as_mapping(made)) == msgspec.json.encode(made)


def test_sections_that_documents_share_are_not_copied() -> None:
    made = document(part())
    mapping = as_mapping(made)
    assert mapping["beat"] is made.beat
    assert mapping["local_process"] is made.local_process
    assert mapping["connection"]["event"] == "opened"


def test_a_section_that_is_json_already_is_taken_as_it_stands() -> None:
    made = document(part())
    made.beat = msgspec.Raw(b'{"name":"\xc3\xa9"}')
    assert msgspec.json.decode(msgspec.json.encode(made))["beat"] == {"name": "\u00e9"}
