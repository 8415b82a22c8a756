"""What a document in ECS tells of the flow: `event`, `network`, both ends, `related.ip`.

Takes the document of `schema: connbeat`. Each function adds to `ecs`, and to `own` what has no name
in ECS. Pure.
"""

from collections.abc import Callable
from typing import Any

from connbeat.events.connection import Document

_FLOW = "network_flow"
_OPENED = {"outbound": "connection_attempted", "inbound": "connection_accepted"}
_ENDED = "disconnect_received"
_UNSPECIFIED = frozenset({"0.0.0.0", "::"})  # noqa: S104  data


def add_connection(ecs: Document, own: Document, document: Document, *, is_only: bool) -> None:
    """`is_only`: no other event tells of this connection."""
    own["connection"] = rest = document["connection"].copy()
    take = rest.pop
    direction = take("direction")
    local_ip, remote_ip = document["local_ip"], document["remote_ip"]
    local: Document = {"address": local_ip, "ip": local_ip, "port": document["local_port"]}
    remote: Document = {"address": remote_ip, "ip": remote_ip, "port": document["remote_port"]}
    ips = [local_ip] if local_ip == remote_ip else [local_ip, remote_ip]
    if "nat" in document:
        _add_nat(remote, ips, document["nat"])
    network = _network(local_ip)
    network["community_id"] = document["network"]["community_id"]
    sent = take("bytes_sent", None)
    if sent is not None:
        local["bytes"] = sent
        remote["bytes"] = received = take("bytes_received")
        network["bytes"] = sent + received
    ecs["network"] = network
    ecs["related"]["ip"] = ips
    _add_ends(ecs, local, remote, direction)
    event = ecs["event"]
    _add_step(event, rest["event"], direction, is_only=is_only)
    _add_times(event, take)
    if "duration_ms" in rest:
        event["duration"] = round(take("duration_ms") * 1e6)
    if "failure" in rest:
        event["reason"] = take("failure")


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


def add_summary(ecs: Document, document: Document) -> None:
    """Many connections: what they do not have in common is absent. `summary` itself stays ours."""
    summary = document.get("summary", {})
    event = ecs["event"]
    event["action"] = _FLOW
    event["type"] = ["connection", "info"]
    for name, ecs_name in (("started_at", "start"), ("ended_at", "end")):
        if name in summary:
            event[ecs_name] = summary[name]
    local = _known_end(document, "local", summary.get("bytes_sent"))
    remote = _known_end(document, "remote", summary.get("bytes_received"))
    ips = [end["ip"] for end in (local, remote) if "ip" in end]
    ecs["network"] = network = _network(ips[0] if ips else "")
    if "bytes" in local and "bytes" in remote:
        network["bytes"] = local["bytes"] + remote["bytes"]
    if ips:
        ecs["related"]["ip"] = ips
    _add_ends(ecs, local, remote, summary.get("direction", "unknown"))


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


def _add_ends(ecs: Document, local: Document, remote: Document, direction: str) -> None:
    """By who called. Where that is unknown this end is the source, and nobody the client."""
    if direction == "outbound":
        ecs["network"]["direction"] = "egress"
        ecs["source"] = ecs["client"] = local
        ecs["destination"] = ecs["server"] = remote
    elif direction == "inbound":
        ecs["network"]["direction"] = "ingress"
        ecs["source"] = ecs["client"] = remote
        ecs["destination"] = ecs["server"] = local
    else:
        ecs["network"]["direction"] = "unknown"
        ecs["source"], ecs["destination"] = local, remote


def _add_nat(remote: Document, ips: list[str], nat: Document) -> None:
    """Who is really at the other end."""
    ip = nat["remote_ip"]
    remote["nat"] = {"ip": ip, "port": nat["remote_port"]}
    if ip not in ips:
        ips.append(ip)


def _known_end(document: Document, which: str, count: int | None) -> Document:
    end: Document = {}
    if f"{which}_ip" in document:
        end["address"] = end["ip"] = document[f"{which}_ip"]
    if f"{which}_port" in document:
        end["port"] = document[f"{which}_port"]
    if count is not None:
        end["bytes"] = count
    return end


def _network(ip: str) -> Document:
    """`ip` "" is not known."""
    network: Document = {"transport": "tcp", "iana_number": "6"}
    if ip:
        network["type"] = "ipv6" if ":" in ip else "ipv4"
    return network
