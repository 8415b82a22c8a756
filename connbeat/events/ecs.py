"""ECS: a document in the names of Elastic Common Schema, by the catalogue in `model.ecs_fields`.

Made from the document of `schema: connbeat`, so that both tell the same. What ECS has no name for
keeps its own below `connbeat.`, and so does every field that is not known here.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from connbeat.events.connection import Document
from connbeat.events.document import DocumentBuilder, lay_over
from connbeat.events.ecs_flow import add_connection, add_listener, add_summary
from connbeat.events.ecs_parts import (
    Part,
    agent_part,
    container_part,
    labels,
    orchestrator,
    process_part,
)
from connbeat.events.policy import DocumentPolicy
from connbeat.model.batches import Event
from connbeat.model.connections import ConnectionReport, ListenerReport, Party, Report
from connbeat.model.containers import DockerHost
from connbeat.model.ecs_fields import (
    DATA_STREAM_NAMESPACE,
    DATA_STREAM_TYPE,
    DATASET,
    ECS_VERSION,
    OWN,
)

#: What is told under other names; the rest of a document goes below OWN as it stands.
_TOLD = frozenset({
    "@timestamp", "type", "beat", "tags", "fields", "local_ip", "local_port", "remote_ip",
    "remote_port", "local_process", "container", "connection", "listener", "nat", "network",
    "kubernetes",
})  # fmt: skip
_ECS: Document = {"version": ECS_VERSION}
_DATA_STREAM: Document = {
    "type": DATA_STREAM_TYPE,
    "dataset": DATASET,
    "namespace": DATA_STREAM_NAMESPACE,
}
#: Parts kept for the next document that has them, before all are let go of.
_MAX_PARTS = 4096


class EcsNames(msgspec.Struct, frozen=True, kw_only=True):
    """What no document of `schema: connbeat` says.

    `boot` is unique between hosts and boots, `agent_id` between agents, `ephemeral_id` between
    their runs.
    """

    boot: str
    agent_id: str
    ephemeral_id: str


class EcsConverter:
    """Renames documents. One thread uses it; parts of a document are shared with others."""

    def __init__(self, names: EcsNames) -> None:
        self._names = names
        self._agent = Part({}, {}, {})
        #: By the `id` of what it was made from, which it keeps, lest that be another's.
        self._parts: dict[int, Part] = {}

    def begin(self) -> None:
        """A new poll, whose documents have other parts."""
        self._parts.clear()

    def convert(self, document: Document, event_id: str, *, is_only: bool = False) -> Document:
        """`is_only`: no other event tells of this connection or listener."""
        beat = document["beat"]
        if self._agent.origin is not beat:
            self._agent = agent_part(beat, self._names.agent_id, self._names.ephemeral_id)
        agent = self._agent.fields
        ecs: Document = {
            "@timestamp": document["@timestamp"],
            "ecs": _ECS,
            "data_stream": _DATA_STREAM,
            "event": {
                "kind": "event",
                "category": ["network"],
                "dataset": DATASET,
                "module": "connbeat",
                "id": event_id,
            },
            "agent": agent["agent"],
            "host": agent["host"],
            "related": agent["related"].copy(),
        }
        own: Document = {}
        if "connection" in document:
            add_connection(ecs, own, document, is_only=is_only)
        elif "listener" in document:
            add_listener(ecs, own, document, is_only=is_only)
        else:
            add_summary(ecs, document)
        self._add_parts(ecs, own, document)
        _add_others(ecs, own, document)
        ecs[OWN] = own
        return ecs

    def _add_parts(self, ecs: Document, own: Document, document: Document) -> None:
        """The process and the container."""
        process = self._process(document["local_process"])
        ecs |= process.fields
        if process.rest:
            own["local_process"] = process.rest
        if process.user:
            ecs["related"]["user"] = [process.user]
        if "container" not in document:
            return
        container = self._container(document["container"])
        ecs["container"] = container.fields["container"]
        if container.rest:
            own["container"] = container.rest

    def _process(self, process: Document) -> Part:
        known = self._parts.get(id(process))
        if known is not None:
            return known
        part = process_part(process, self._names.boot)
        # Where there is no process each document has a part of its own.
        return self._kept(part) if "pid" in process else part

    def _container(self, container: Document) -> Part:
        return self._parts.get(id(container)) or self._kept(container_part(container))

    def _kept(self, part: Part) -> Part:
        if len(self._parts) >= _MAX_PARTS:
            self._parts.clear()
        self._parts[id(part.origin)] = part
        return part


def _add_others(ecs: Document, own: Document, document: Document) -> None:
    """What few documents have, and what is not known here."""
    if "tags" in document:
        ecs["tags"] = document["tags"]
    if "fields" in document:
        ecs["labels"] = labels(document["fields"])
    if "kubernetes" in document:
        ecs["orchestrator"], rest = orchestrator(document["kubernetes"])
        if rest:
            own["kubernetes"] = rest
    if not _TOLD.issuperset(document):
        own |= {key: value for key, value in document.items() if key not in _TOLD}


class EcsDocumentBuilder:
    """`Documents` in ECS."""

    def __init__(self, policy: DocumentPolicy, docker_host: DockerHost, names: EcsNames) -> None:
        self._builder = DocumentBuilder(policy, docker_host)
        self._converter = EcsConverter(names)
        self._encode = msgspec.json.Encoder().encode
        self.set_policy(policy)

    def set_policy(self, policy: DocumentPolicy) -> None:
        changes: dict[str, Any] = {"with_process_details": True}
        self._top: Mapping[str, Any] = {}
        if policy.fields_under_root:  # at the top of what is sent
            self._top, changes["fields"] = policy.fields, {}
        self._builder.set_policy(msgspec.structs.replace(policy, **changes))

    def set_docker_host(self, docker_host: DockerHost) -> None:
        self._builder.set_docker_host(docker_host)

    def begin(self, host_netns: int, now_ns: int, wall_ns: int) -> None:
        self._builder.begin(host_netns, now_ns, wall_ns)
        self._converter.begin()

    def timestamp_ns(self, report: Report) -> int:
        return self._builder.timestamp_ns(report)

    def describe(self, party: Party) -> Document:
        return self._builder.describe(party)

    def build(self, report: Report) -> Document:
        document = self._converter.convert(
            self._builder.build(report), report.event_id, is_only=_is_only(report)
        )
        if self._top:
            lay_over(document, self._top)
        return document

    def event(self, report: Report) -> Event:
        body = self._encode(self.build(report))
        return Event(report.event_id, self.timestamp_ns(report), body)


def _is_only(report: object) -> bool:
    return isinstance(report, ConnectionReport | ListenerReport) and report.is_only
