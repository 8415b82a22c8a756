"""compose/demo/edges.py: who calls whom, from events."""

import json
import runpy
from pathlib import Path
from typing import Any

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "compose" / "demo" / "edges.py"))
traffic_of, events_in = SCRIPT["traffic_of"], SCRIPT["events_in"]


def event(
    service: str, remote: str = "", direction: str = "outbound", **connection: object
) -> dict[str, Any]:
    """Containers are called as their services are, and have ids after them."""
    document: dict[str, Any] = {
        "@timestamp": "2026-11-24T08:00:00Z",
        "container": {"id": f"id-{service}", "labels": {"com.docker.compose.service": service}},
        "connection": {"id": "c1", "direction": direction, **connection},
    }
    if remote:
        document["remote_container"] = {"id": f"id-{remote}", "name": remote}
    return document


def test_the_caller_tells_of_an_edge_once_for_both_ends() -> None:
    told = traffic_of([event("web", "db"), event("db", "web", "inbound")])
    assert told == {("web", "db"): (1, 0, 0)}


def test_a_connection_told_twice_counts_once_with_its_last_bytes() -> None:
    told = traffic_of(
        [
            event("db"),
            event("web", "db", bytes_sent=1, bytes_received=2),
            event("web", "db", bytes_sent=10, bytes_received=20),
            event("web", "db", id="c2", bytes_sent=5, bytes_received=6),
        ]
    )
    assert told == {("web", "db"): (2, 15, 26)}


def test_who_is_no_service_is_left_out() -> None:
    stranger = {"connection": {"id": "c9", "direction": "outbound"}}
    assert traffic_of([event("web", "elsewhere"), stranger, {}]) == {}


def test_the_log_between_the_events_is_left_out() -> None:
    lines = ["2026-11-24 INFO Capture stands.\n", json.dumps(event("web")) + "\n", "\n", "{\n"]
    assert [found["container"]["id"] for found in events_in(lines)] == ["id-web"]
