"""What a document in ECS tells of the flow: `event`, `network`, both ends, `related.ip`.

Takes the document of `schema: connbeat`. Each function adds to `ecs`, and to `own` what has no name
in ECS. Pure.
"""

from collections.abc import Callable
from typing import Any

from connbeat.events.document import Document

_Counters = tuple[int | None, int | None]

_NO_COUNTERS: _Counters = (None, None)
_FLOW = "network_flow"
_OPENED = {"outbound": "connection_attempted", "inbound": "connection_accepted"}
_ENDED = "disconnect_received"
_UNSPECIFIED = frozenset({"0.0.0.0", "::"})  # noqa: S104  data


def add_connection(ecs: Document, own: Document, document: Document, *, is_only: bool) -> None:
    """`is_only`: no other event tells of this connection."""
    own["connection"] = rest = document["connection"].copy()
    take = rest.pop
    direction = take("direction")
    _add_ends(ecs, document, direction, (take("bytes_sent", None), take("bytes_received", None)))
    event = ecs["event"]
    _add_step(event, rest["event"], direction, is_only=is_only)
    _add_times(event, take)
    duration_ms = take("duration_ms", None)
    if duration_ms is not None:
        event["duration"] = round(duration_ms * 1e6)
    failure = take("failure", None)
    if failure is not None:
        event["reason"] = failure


def add_listener(ecs: Document, own: Document, document: Document, *, is_only: bool) -> None:
    """A listener has one end: a server without a client."""
    own["listener"] = rest = document["listener"].copy()
    ip, kind = rest.pop("ip"), rest["event"]
    ecs["server"] = {"address": ip, "ip": ip, "port": document["local_port"]}
    ecs["network"] = _network(ip)
    if ip not in _UNSPECIFIED:
        ecs["related"]["ip"] = [ip]
    event = ecs["event"]
    event["action"] = f"listener_{kind}"
    if kind == "opened":
        event["type"] = ["start"]
    elif kind == "closed":
        event["type"] = ["start", "end"] if is_only else ["end"]
    else:
        event["type"] = ["info"]
    if kind != "ongoing":
        event["outcome"] = "success"
    _add_times(event, rest.pop)


def add_other(ecs: Document, document: Document) -> None:
    """Neither of the two: some addresses may be absent."""
    ecs["event"] |= {"action": _FLOW, "type": ["connection", "info"]}
    parts = (part for part in document.values() if isinstance(part, dict))
    direction = next((part["direction"] for part in parts if "direction" in part), "unknown")
    _add_ends(ecs, document, direction, _NO_COUNTERS)


def _add_step(event: Document, kind: str, direction: str, *, is_only: bool) -> None:
    if kind == "ongoing":
        event["action"] = _FLOW
        event["type"] = ["connection", "info"]
        return
    event["outcome"] = "failure" if kind == "failed" else "success"
    if kind == "closed" and not is_only:
        event["action"] = _ENDED
        event["type"] = ["connection", "end"]
        return
    event["action"] = _OPENED.get(direction, _FLOW)
    # Rules look for the start; where there is one event, it tells of both.
    whole = ["connection", "start", "end"]
    event["type"] = ["connection", "start"] if kind == "opened" else whole


def _add_times(event: Document, take: Callable[[str, None], Any]) -> None:
    opened_at, closed_at = take("opened_at", None), take("closed_at", None)
    if opened_at is not None:
        event["start"] = opened_at
    if closed_at is not None:
        event["end"] = closed_at


def _add_ends(ecs: Document, document: Document, direction: str, counters: _Counters) -> None:
    """Both ends by who called. Where that is unknown this end is the source, and no client."""
    get = document.get
    local_ip, remote_ip = get("local_ip"), get("remote_ip")
    sent, received = counters
    local = _end(local_ip, get("local_port"), sent)
    remote = _end(remote_ip, get("remote_port"), received)
    ips = [ip for ip in (local_ip, remote_ip) if ip is not None]
    nat = get("nat")
    if nat is not None:
        remote["nat"] = {"ip": nat["remote_ip"], "port": nat["remote_port"]}
        ips.append(nat["remote_ip"])
    network = _network(local_ip or remote_ip)
    if "network" in document:
        network["community_id"] = document["network"]["community_id"]
    if sent is not None and received is not None:
        network["bytes"] = sent + received
    if direction == "outbound":
        network["direction"] = "egress"
        ecs["source"] = ecs["client"] = local
        ecs["destination"] = ecs["server"] = remote
    elif direction == "inbound":
        network["direction"] = "ingress"
        ecs["source"] = ecs["client"] = remote
        ecs["destination"] = ecs["server"] = local
    else:
        network["direction"] = "unknown"
        ecs["source"], ecs["destination"] = local, remote
    ecs["network"] = network
    ecs["related"]["ip"] = list(dict.fromkeys(ips))


def _end(ip: str | None, port: int | None, count: int | None) -> Document:
    end: Document = {}
    if ip is not None:
        end["address"] = end["ip"] = ip
    if port is not None:
        end["port"] = port
    if count is not None:
        end["bytes"] = count
    return end


def _network(ip: str | None) -> Document:
    network: Document = {"transport": "tcp", "iana_number": "6"}
    if ip is not None:
        network["type"] = "ipv6" if ":" in ip else "ipv4"
    return network
