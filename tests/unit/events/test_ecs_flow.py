import copy
from typing import Any

import pytest

from connbeat.events.ecs_flow import add_connection, add_listener, add_summary

CALLER = {"address": "10.0.0.1", "ip": "10.0.0.1", "port": 45678}
CALLED = {"address": "10.0.0.2", "ip": "10.0.0.2", "port": 80}


def connection(**fields: Any) -> dict[str, Any]:
    """Of an end that is at 10.0.0.1:45678."""
    return {
        "local_ip": "10.0.0.1",
        "local_port": 45678,
        "remote_ip": "10.0.0.2",
        "remote_port": 80,
        "network": {"community_id": "1:x="},
        "connection": {"event": "opened", "direction": "outbound", "state": "established"} | fields,
    }


def flow_of(document: dict[str, Any], *, is_only: bool = False) -> tuple[Any, Any]:
    """What is added to ECS, and what stays ours."""
    ecs: dict[str, Any] = {"event": {}, "related": {}}
    own: dict[str, Any] = {}
    before = copy.deepcopy(document)
    if "connection" in document:
        add_connection(ecs, own, document, is_only=is_only)
    elif "listener" in document:
        add_listener(ecs, own, document, is_only=is_only)
    else:
        add_summary(ecs, document)
    assert document == before
    return ecs, own


def event_of(document: dict[str, Any], *, is_only: bool = False) -> Any:
    return flow_of(document, is_only=is_only)[0]["event"]


# Who called


def test_who_called_is_source_and_client() -> None:
    ecs, _ = flow_of(connection(bytes_sent=74, bytes_received=1270))
    assert ecs["source"] == ecs["client"] == {**CALLER, "bytes": 74}
    assert ecs["destination"] == ecs["server"] == {**CALLED, "bytes": 1270}
    assert ecs["network"] == {
        "transport": "tcp",
        "iana_number": "6",
        "type": "ipv4",
        "direction": "egress",
        "community_id": "1:x=",
        "bytes": 1344,
    }
    assert ecs["related"] == {"ip": ["10.0.0.1", "10.0.0.2"]}


def test_who_was_called_is_destination_and_server() -> None:
    ecs, _ = flow_of(connection(direction="inbound", bytes_sent=74, bytes_received=1270))
    assert ecs["source"] == ecs["client"] == {**CALLED, "bytes": 1270}
    assert ecs["destination"] == ecs["server"] == {**CALLER, "bytes": 74}
    assert ecs["network"]["direction"] == "ingress"


def test_where_nobody_knows_who_called_there_is_no_client_and_no_server() -> None:
    ecs, _ = flow_of(connection(direction="unknown"))
    assert (ecs["source"], ecs["destination"]) == (CALLER, CALLED)
    assert {"client", "server"}.isdisjoint(ecs)
    assert ecs["network"]["direction"] == "unknown"


def test_bytes_that_are_not_known_are_not_there() -> None:
    ecs, _ = flow_of(connection())
    assert not any("bytes" in ecs[part] for part in ("source", "destination", "network"))


@pytest.mark.parametrize(("direction", "far"), [("outbound", "destination"), ("inbound", "source")])
def test_who_is_really_at_the_other_end_is_that_end_s_translation(direction: str, far: str) -> None:
    nat = {"remote_ip": "172.18.0.9", "remote_port": 8080}
    ecs, _ = flow_of({**connection(direction=direction), "nat": nat})
    assert ecs[far]["nat"] == {"ip": "172.18.0.9", "port": 8080}
    near = {"destination": "source", "source": "destination"}[far]
    assert "nat" not in ecs[near]
    assert ecs["related"]["ip"][2:] == ["172.18.0.9"]


def test_an_address_is_named_once() -> None:
    ecs, _ = flow_of({**connection(), "remote_ip": "10.0.0.1"})
    assert ecs["related"]["ip"] == ["10.0.0.1"]


def test_the_type_of_the_network_is_that_of_the_addresses() -> None:
    six = {"local_ip": "2001:db8::1", "remote_ip": "2001:db8::2"}
    assert flow_of({**connection(), **six})[0]["network"]["type"] == "ipv6"


# What happened


@pytest.mark.parametrize(
    ("step", "action", "types", "outcome"),
    [
        ("opened outbound", "connection_attempted", "start", "success"),
        ("opened inbound", "connection_accepted", "start", "success"),
        ("opened unknown", "network_flow", "start", "success"),
        ("ongoing outbound", "network_flow", "info", None),
        ("closed outbound", "disconnect_received", "end", "success"),
        ("closed outbound only", "connection_attempted", "start end", "success"),
        ("closed inbound only", "connection_accepted", "start end", "success"),
        ("closed unknown only", "network_flow", "start end", "success"),
        ("failed outbound", "connection_attempted", "start end", "failure"),
    ],
)
def test_a_step_is_told_in_the_words_of_ecs(
    step: str, action: str, types: str, outcome: str | None
) -> None:
    kind, direction, *only = step.split()
    found = event_of(connection(event=kind, direction=direction), is_only=bool(only))
    assert found.get("outcome") == outcome
    assert found["action"] == action
    assert found["type"] == ["connection", *types.split()]


def test_times_are_the_event_s_and_the_duration_is_nanoseconds() -> None:
    times = {"opened_at": "2026-11-23T09:59:56.000Z", "closed_at": "2026-11-23T09:59:59.999Z"}
    found = event_of(connection(event="closed", duration_ms=3999.411, **times))
    assert (found["start"], found["end"]) == (times["opened_at"], times["closed_at"])
    assert found["duration"] == 3_999_411_000
    assert {"start", "end", "duration", "reason"}.isdisjoint(event_of(connection()))


def test_a_failure_has_its_reason() -> None:
    assert event_of(connection(event="failed", failure="refused"))["reason"] == "refused"


def test_what_ecs_has_no_word_for_stays() -> None:
    _, own = flow_of(connection(retransmits=1, later={"deeper": 1}))
    assert own == {
        "connection": {
            "event": "opened",
            "state": "established",
            "retransmits": 1,
            "later": {"deeper": 1},
        }
    }


# Listeners, and what may come


def listener(**fields: Any) -> dict[str, Any]:
    return {"local_port": 80, "listener": {"event": "opened", "ip": "0.0.0.0"} | fields}


def test_a_listener_is_a_server_without_a_client() -> None:
    ecs, own = flow_of(listener(ip="192.0.2.1", backlog=3, opened_at="2026-11-23T09:59:56.000Z"))
    assert ecs == {
        "server": {"address": "192.0.2.1", "ip": "192.0.2.1", "port": 80},
        "network": {"transport": "tcp", "iana_number": "6", "type": "ipv4"},
        "related": {"ip": ["192.0.2.1"]},
        "event": {
            "action": "listener_opened",
            "type": ["start"],
            "outcome": "success",
            "start": "2026-11-23T09:59:56.000Z",
        },
    }
    assert own == {"listener": {"event": "opened", "backlog": 3}}


@pytest.mark.parametrize("ip", ["0.0.0.0", "::"])
def test_any_address_is_related_to_nothing(ip: str) -> None:
    assert flow_of(listener(ip=ip))[0]["related"] == {}


@pytest.mark.parametrize(
    ("event", "is_only", "types", "outcome"),
    [
        ("ongoing", False, ["info"], None),
        ("closed", False, ["end"], "success"),
        ("closed", True, ["start", "end"], "success"),
    ],
)
def test_a_listener_s_step(
    event: str, is_only: bool, types: list[str], outcome: str | None
) -> None:
    found = event_of(listener(event=event), is_only=is_only)
    assert found.get("outcome") == outcome
    assert (found["action"], found["type"]) == (f"listener_{event}", types)


def test_a_summary_has_the_ends_that_its_connections_share() -> None:
    summary = {
        "direction": "outbound",
        "started_at": "2026-11-23T10:00:00.000Z",
        "ended_at": "2026-11-23T10:00:30.000Z",
        "bytes_sent": 74,
        "bytes_received": 1270,
        "opened": 12,
    }
    ecs, own = flow_of({"local_ip": "10.0.0.1", "remote_port": 80, "summary": summary})
    assert ecs["source"] == ecs["client"] == {"address": "10.0.0.1", "ip": "10.0.0.1", "bytes": 74}
    assert ecs["destination"] == ecs["server"] == {"port": 80, "bytes": 1270}
    assert (ecs["network"]["direction"], ecs["network"]["bytes"]) == ("egress", 1344)
    assert ecs["event"] == {
        "action": "network_flow",
        "type": ["connection", "info"],
        "start": summary["started_at"],
        "end": summary["ended_at"],
    }
    assert ecs["related"] == {"ip": ["10.0.0.1"]}
    assert own == {}  # whoever calls this keeps the whole of it


def test_of_a_summary_without_anything_in_common_nothing_is_claimed() -> None:
    ecs, _ = flow_of({"summary": {}})
    assert (ecs["source"], ecs["destination"], ecs["related"]) == ({}, {}, {})
    assert ecs["network"] == {"transport": "tcp", "iana_number": "6", "direction": "unknown"}
