"""Document: one report as the mapping that is sent, or as the event that carries its JSON.

The original's fields keep name, place, type and meaning, and its quirks: `binary` says so where
there is no process, `environ` is `[""]` where it is not exposed. A test holds every document
against the catalogue in `model.fields`.

Nearly all events tell of connections, so their documents have a form that is encoded as it stands
(`events.connection`), with the sections encoded already that many of a poll share: ADR 20.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from connbeat.events.connection import (
    ConnectionDocument,
    ConnectionPart,
    Document,
    as_mapping,
)
from connbeat.events.ends import Ends, Far, Near
from connbeat.events.policy import DocumentPolicy
from connbeat.events.summaries import moved_part, summary_part
from connbeat.events.timestamps import TimestampFormatter
from connbeat.model.addresses import format_ip, is_link_local
from connbeat.model.batches import Event
from connbeat.model.community_id import community_id
from connbeat.model.connections import (
    ConnectionReport,
    EventKind,
    ListenerReport,
    Party,
    Report,
    SummaryReport,
)
from connbeat.model.containers import DockerHost

# Plain names, for every document: an enum's member is looked up in three places.
_OPENED, _ONGOING = EventKind.OPENED, EventKind.ONGOING


class Documents(Protocol):
    """Makes documents of reports, in one schema. One thread uses it but where it says otherwise.

    A document is not to be changed: its parts may be shared with others.
    """

    def set_policy(self, policy: DocumentPolicy) -> None:
        """From the next poll on."""
        ...

    def set_docker_host(self, docker_host: DockerHost) -> None:
        """From any thread: the engine told its host's name only now."""
        ...

    def begin(self, host_netns: int, now_ns: int, wall_ns: int) -> None:
        """A new poll: both clocks at this moment. A stepped wall clock is followed from here on."""
        ...

    def timestamp_ns(self, report: Report) -> int:
        """Wall clock of what the event tells."""
        ...

    def build(self, report: Report) -> Document:
        """The document of a report of this poll."""
        ...

    def event(self, report: Report) -> Event:
        """The same encoded, with its id and time. Raises what a part that is no text raises."""
        ...

    def describe(self, party: Party) -> Document:
        """What a document of `schema: connbeat` says of a process, or why there is none, and its
        container.
        """  # noqa: D205  one thought
        ...


class DocumentBuilder:
    """`Documents` in connbeat's own schema."""

    def __init__(self, policy: DocumentPolicy, docker_host: DockerHost) -> None:
        self._format = TimestampFormatter(policy.timestamp_digits).format
        self._ends = Ends(self._format)
        self._offset_ns = 0
        self._encode_into = msgspec.json.Encoder().encode_into
        self._buffer = bytearray()
        self.set_docker_host(docker_host)
        self.set_policy(policy)

    def set_policy(self, policy: DocumentPolicy) -> None:
        self._policy = policy
        self._ends.set_policy(policy)
        self._has_users = bool(policy.tags or policy.fields)
        self._lays_over = policy.fields_under_root and bool(policy.fields)

    def set_docker_host(self, docker_host: DockerHost) -> None:
        """From any thread: the engine told its host's name only now."""
        self._ends.set_docker_host(docker_host)

    def begin(self, host_netns: int, now_ns: int, wall_ns: int) -> None:
        """A new poll: both clocks at this moment. A stepped wall clock is followed from here on."""
        self._offset_ns = wall_ns - now_ns
        self._ends.begin(host_netns, now_ns)

    def timestamp_ns(self, report: Report) -> int:
        """Wall clock of what the event tells."""
        moment: int | None = None
        if not isinstance(report, SummaryReport):
            kind = report.kind
            if kind is not _ONGOING:
                moment = report.opened_ns if kind is _OPENED else report.closed_ns
        return (moment or report.reported_ns) + self._offset_ns

    def build(self, report: Report) -> Document:
        if isinstance(report, ConnectionReport):
            near = self._ends.near(report)
            far = self._ends.far(report.remote)
            document = as_mapping(self._connection(report, self.timestamp_ns(report), near, far))
        elif isinstance(report, ListenerReport):
            document = self._listener(report)
        else:
            document = self._summary(report)
        if self._has_users:
            self._add_users(document)
        return document

    def event(self, report: Report) -> Event:
        timestamp_ns = self.timestamp_ns(report)
        document: ConnectionDocument | Document
        if isinstance(report, ConnectionReport) and not self._lays_over:
            near = self._ends.encoded_near(report)
            far = self._ends.encoded_far(report.remote)
            document = self._connection(report, timestamp_ns, near, far)
            if self._has_users:
                document.tags = list(self._policy.tags) or UNSET
                document.fields = dict(self._policy.fields) or UNSET
        else:
            document = self.build(report)
        # 0.1 us quicker than `encode`, whose buffer begins small each time.
        self._encode_into(document, self._buffer)
        return Event(report.event_id, timestamp_ns, bytes(self._buffer))

    def describe(self, party: Party) -> Document:
        return self._ends.describe(party)

    def _connection(
        self, report: ConnectionReport, timestamp_ns: int, near: Near, far: Far
    ) -> ConnectionDocument:
        local_ip, local_port = report.local_ip, report.local_port
        remote_ip, remote_port = report.remote_ip, report.remote_port
        opened_ns, closed_ns = report.opened_ns, report.closed_ns
        counters, nat = report.counters, report.nat
        offset_ns, format_time = self._offset_ns, self._format
        timestamp = closed_at = format_time(timestamp_ns)
        if closed_ns is not None and closed_ns + offset_ns != timestamp_ns:
            closed_at = format_time(closed_ns + offset_ns)
        # By position, for this is done for every event: by name it takes five times as long.
        part = ConnectionPart(
            report.id,
            report.kind,
            report.direction,
            report.direction_source,
            report.state,
            report.netns,
            UNSET if opened_ns is None else format_time(opened_ns + offset_ns),
            UNSET if closed_ns is None else closed_at,
            UNSET if opened_ns is None or closed_ns is None else (closed_ns - opened_ns) / 1e6,
            UNSET if counters is None else counters.bytes_sent,
            UNSET if counters is None else counters.bytes_received,
            UNSET if counters is None else counters.retransmits,
            UNSET if counters is None else counters.rtt_us / 1000,
        )
        if report.summarised is not None:
            part.summarised = moved_part(report.summarised)
        if report.failure:
            part.failure = report.failure
        # A link-local address has 16 bytes: nothing to ask of the others.
        if len(local_ip) == 16 and (is_link_local(local_ip) or is_link_local(remote_ip)):
            part.interface = report.interface
        flow = community_id(local_ip, local_port, remote_ip, remote_port)
        return ConnectionDocument(
            timestamp,
            "connbeat",
            near.beat,
            format_ip(local_ip),
            local_port,
            format_ip(remote_ip),
            remote_port,
            near.process,
            part,
            far.process,
            far.container,
            UNSET if nat is None else {"remote_ip": format_ip(nat.ip), "remote_port": nat.port},
            {"community_id": flow},
            near.container,
            near.kubernetes,
        )

    def _listener(self, report: ListenerReport) -> Document:
        near = self._ends.near_of(report, report.ip, report.inode)
        document = self._start(report, near)
        document["local_port"] = report.port
        document["local_process"] = near.process
        listener: Document = {
            "id": report.id,
            "ip": format_ip(report.ip),
            "event": report.kind,
            "backlog": report.backlog,
            "netns": report.netns,
        }
        if report.backlog_max:  # unknown at rung 0
            listener["backlog_max"] = report.backlog_max
        if report.opened_ns is not None:
            listener["opened_at"] = self._format_time(report.opened_ns)
        if report.closed_ns is not None:
            listener["closed_at"] = self._format_time(report.closed_ns)
        if is_link_local(report.ip):
            listener["interface"] = report.interface
        document["listener"] = listener
        return _finish(document, near)

    def _summary(self, report: SummaryReport) -> Document:
        near = self._ends.near_of(report, report.local_ip, 0)
        document = self._start(report, near)
        if report.local_port is not None:
            document["local_port"] = report.local_port
        if report.remote_ip is not None:
            document["remote_ip"] = format_ip(report.remote_ip)
        if report.remote_port is not None:
            document["remote_port"] = report.remote_port
        document["local_process"] = near.process
        document["summary"] = summary_part(report, self._format_time)
        return _finish(document, near)

    def _start(self, report: Report, near: Near) -> Document:
        timestamp = self._format(self.timestamp_ns(report))
        return {"@timestamp": timestamp, "type": "connbeat", "beat": near.beat}

    def _format_time(self, time_ns: int) -> str:
        return self._format(time_ns + self._offset_ns)

    def _add_users(self, document: Document) -> None:
        policy = self._policy
        if policy.tags:
            document["tags"] = list(policy.tags)
        if not policy.fields:
            return
        if policy.fields_under_root:
            lay_over(document, policy.fields)
        else:
            document["fields"] = dict(policy.fields)


def _finish(document: Document, near: Near) -> Document:
    if near.container is not UNSET:
        document["container"] = near.container
    if near.kubernetes is not UNSET:
        document["kubernetes"] = near.kubernetes
    return document


def lay_over(document: Document, fields: Mapping[str, Any]) -> None:
    """Key by key, into sections too: what clashes is the user's. Sections may be shared: copied."""
    for key, value in fields.items():
        here = document.get(key)
        if isinstance(here, dict) and isinstance(value, Mapping):
            document[key] = inside = dict(here)
            lay_over(inside, value)
        else:
            document[key] = value
