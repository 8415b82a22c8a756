"""Reads the agent's events on standard input and prints which service calls which, and how much.

Takes connections between two services of Compose only, as the caller tells them.
"""

import json
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

Event = dict[str, Any]

_SERVICE = "com.docker.compose.service"


class Edge(NamedTuple):
    """Two services, by the names they have in the file of the stack."""

    caller: str
    called: str


class Traffic(NamedTuple):
    """How many connections, and their bytes as the caller counts them."""

    connections: int
    sent: int
    received: int


def traffic_of(events: Iterable[Event]) -> dict[Edge, Traffic]:
    """The edges, each with its connections and their bytes as last told."""
    told = list(events)
    services = {
        event["container"]["id"]: service
        for event in told
        if (service := event.get("container", {}).get("labels", {}).get(_SERVICE))
    }
    last: dict[str, tuple[Edge, Event]] = {}
    for event in told:
        caller = services.get(event.get("container", {}).get("id"))
        called = services.get(event.get("remote_container", {}).get("id"))
        connection = event.get("connection", {})
        if caller and called and connection.get("direction") == "outbound":
            last[connection["id"]] = Edge(caller, called), connection
    edges: dict[Edge, Traffic] = {}
    for edge, connection in last.values():
        count, sent, received = edges.get(edge, Traffic(0, 0, 0))
        sent += connection.get("bytes_sent", 0)
        received += connection.get("bytes_received", 0)
        edges[edge] = Traffic(count + 1, sent, received)
    return edges


def events_in(lines: Iterable[str]) -> Iterable[Event]:
    """The agent's log stands between its events; it is no JSON."""
    return (json.loads(line) for line in lines if line.startswith('{"@timestamp"'))


def main() -> None:
    print(f"{'CALLER':12} {'CALLED':12} {'CONNECTIONS':>11} {'SENT':>10} {'RECEIVED':>10}")
    for edge, traffic in sorted(traffic_of(events_in(sys.stdin)).items()):
        figures = f"{traffic.connections:11} {traffic.sent:10} {traffic.received:10}"
        print(f"{edge.caller:12} {edge.called:12} {figures}")


if __name__ == "__main__":
    main()
