"""Document: one report as the mapping that is sent.

The original's fields keep name, place, type and meaning, and its quirks: `binary` says so where
there is no process, `environ` is `[""]` where it is not exposed. A test holds every document
against the catalogue in `model.fields`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from connbeat.events.local_ips import LocalIps
from connbeat.events.redact import redact_arguments, redact_environ
from connbeat.events.summaries import moved_part, summary_part
from connbeat.events.timestamps import TimestampFormatter
from connbeat.model.addresses import format_ip, is_link_local
from connbeat.model.community_id import community_id
from connbeat.model.connections import (
    ConnectionReport,
    EventKind,
    ListenerReport,
    Party,
    RemoteParty,
    Report,
    Step,
    SummaryReport,
)
from connbeat.model.containers import Container, DockerHost
from connbeat.model.processes import Owner, Process

Document = dict[str, Any]

# Plain names, for every document: an enum's member is looked up in three places.
_OPENED, _ONGOING = EventKind.OPENED, EventKind.ONGOING
#: What the kubelet writes into the labels of every container.
_KUBERNETES = "io.kubernetes"
_POD = f"{_KUBERNETES}.pod.name"


class DocumentPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are, what the user adds to every document, and what may be shown.

    `with_process_details`: also what only `schema: ecs` has a place for, `local_process.arguments`
    and `local_process.started_ticks`.
    """

    name: str
    hostname: str
    version: str
    tags: tuple[str, ...] = ()
    fields: Mapping[str, Any] = {}
    fields_under_root: bool = False
    expose_process_info: bool = True
    expose_cmdline: bool = True
    expose_environ: bool = False
    docker_environment: frozenset[str] = frozenset()
    redact: bool = True
    timestamp_digits: int = 3
    with_process_details: bool = False


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

    def describe(self, party: Party) -> Document:
        """What a document of `schema: connbeat` says of a process, or why there is none, and its
        container.
        """  # noqa: D205  one thought
        ...


class DocumentBuilder:
    """`Documents` in connbeat's own schema."""

    def __init__(self, policy: DocumentPolicy, docker_host: DockerHost) -> None:
        self.set_docker_host(docker_host)
        self._local_ips = LocalIps()
        self._timestamps = TimestampFormatter(policy.timestamp_digits)
        self._offset_ns = 0
        self._host_netns = 0
        self._processes: dict[int, tuple[Process, Document]] = {}
        self._containers: dict[str, tuple[Container, list[str], Document]] = {}
        self.set_policy(policy)

    def set_policy(self, policy: DocumentPolicy) -> None:
        self._policy = policy
        self._has_users = bool(policy.tags or policy.fields)
        self._beat: Document = {
            "name": policy.name,
            "hostname": policy.hostname,
            "version": policy.version,
            "local_ips": self._local_ips.of(""),
        }

    def set_docker_host(self, docker_host: DockerHost) -> None:
        """From any thread: the engine told its host's name only now."""
        self._docker_host = {"hostname": docker_host.hostname, "ips": list(docker_host.ips)}

    def begin(self, host_netns: int, now_ns: int, wall_ns: int) -> None:
        """A new poll: both clocks at this moment. A stepped wall clock is followed from here on."""
        self._host_netns = host_netns
        self._offset_ns = wall_ns - now_ns
        self._local_ips.expire(now_ns)
        self._processes.clear()
        self._containers.clear()

    def timestamp_ns(self, report: Report) -> int:
        """Wall clock of what the event tells."""
        if isinstance(report, SummaryReport):
            return report.reported_ns + self._offset_ns
        kind = report.kind
        if kind is _ONGOING:
            return report.reported_ns + self._offset_ns
        moment = report.opened_ns if kind is _OPENED else report.closed_ns
        return (moment or report.reported_ns) + self._offset_ns

    def build(self, report: Report) -> Document:
        container = report.local.container
        document: Document = {
            "@timestamp": self._timestamps.format(self.timestamp_ns(report)),
            "type": "connbeat",
            "beat": self._beat_of(report),
        }
        if isinstance(report, ConnectionReport):
            self._add_connection(document, report)
        elif isinstance(report, ListenerReport):
            self._add_listener(document, report)
        else:
            self._add_summary(document, report)
        if container is not None:
            document["container"] = self._container(container)
            if _POD in container.labels:
                document["kubernetes"] = _kubernetes(container.labels)
        if self._has_users:
            self._add_users(document)
        return document

    def describe(self, party: Party) -> Document:
        document: Document = {"local_process": self._process(party.owner, 0)}
        if party.container is not None:
            document["container"] = self._container(party.container)
        return document

    def _beat_of(self, report: Report) -> Document:
        """Who we are; one mapping for all documents until another address of the host is seen."""
        ip = report.ip if isinstance(report, ListenerReport) else report.local_ip
        container = report.local.container
        if container is not None:
            self._local_ips.add(container.id, ip, report.reported_ns)
        elif report.netns == self._host_netns:
            self._local_ips.add("", ip, report.reported_ns)
        local_ips = self._local_ips.of("")
        if self._beat["local_ips"] is not local_ips:
            self._beat = {**self._beat, "local_ips": local_ips}
        return self._beat

    def _add_listener(self, document: Document, report: ListenerReport) -> None:
        document["local_port"] = report.port
        document["local_process"] = self._process(report.local.owner, report.inode)
        listener: Document = {
            "id": report.id,
            "ip": format_ip(report.ip),
            "event": report.kind,
            "backlog": report.backlog,
            "netns": report.netns,
        }
        if report.backlog_max:  # unknown at rung 0
            listener["backlog_max"] = report.backlog_max
        self._add_times(listener, report)
        if is_link_local(report.ip):
            listener["interface"] = report.interface
        document["listener"] = listener

    def _add_summary(self, document: Document, report: SummaryReport) -> None:
        if report.local_port is not None:
            document["local_port"] = report.local_port
        if report.remote_ip is not None:
            document["remote_ip"] = format_ip(report.remote_ip)
        if report.remote_port is not None:
            document["remote_port"] = report.remote_port
        document["local_process"] = self._process(report.local.owner, 0)
        document["summary"] = summary_part(report, self._format_time)

    def _format_time(self, time_ns: int) -> str:
        return self._timestamps.format(time_ns + self._offset_ns)

    def _add_connection(self, document: Document, report: ConnectionReport) -> None:
        document["local_ip"] = format_ip(report.local_ip)
        document["local_port"] = report.local_port
        document["remote_ip"] = format_ip(report.remote_ip)
        document["remote_port"] = report.remote_port
        document["local_process"] = self._process(report.local.owner, report.inode)
        document["connection"] = self._connection(report)
        if report.remote is not None:
            self._add_remote(document, report.remote)
        if report.nat is not None:
            document["nat"] = {
                "remote_ip": format_ip(report.nat.ip),
                "remote_port": report.nat.port,
            }
        flow = community_id(
            report.local_ip, report.local_port, report.remote_ip, report.remote_port
        )
        document["network"] = {"community_id": flow}

    def _connection(self, report: ConnectionReport) -> Document:
        connection: Document = {
            "id": report.id,
            "event": report.kind,
            "direction": report.direction,
            "direction_source": report.direction_source,
            "state": report.state,
            "netns": report.netns,
        }
        self._add_times(connection, report)
        if report.opened_ns is not None and report.closed_ns is not None:
            connection["duration_ms"] = (report.closed_ns - report.opened_ns) / 1e6
        counters = report.counters
        if counters is not None:
            connection["bytes_sent"] = counters.bytes_sent
            connection["bytes_received"] = counters.bytes_received
            connection["retransmits"] = counters.retransmits
            connection["rtt_ms"] = counters.rtt_us / 1000
        if report.summarised is not None:
            connection["summarised"] = moved_part(report.summarised)
        if report.failure:
            connection["failure"] = report.failure
        # A link-local address has 16 bytes: nothing to ask of the others.
        if len(report.local_ip) == 16 and (
            is_link_local(report.local_ip) or is_link_local(report.remote_ip)
        ):
            connection["interface"] = report.interface
        return connection

    def _add_times(self, target: Document, report: Step) -> None:
        if report.opened_ns is not None:
            target["opened_at"] = self._timestamps.format(report.opened_ns + self._offset_ns)
        if report.closed_ns is not None:
            target["closed_at"] = self._timestamps.format(report.closed_ns + self._offset_ns)

    def _add_remote(self, document: Document, remote: RemoteParty) -> None:
        if remote.process is not None and self._policy.expose_process_info:
            document["remote_process"] = {
                "binary": remote.process.binary,
                "pid": remote.process.pid,
            }
        if remote.container is not None:
            document["remote_container"] = _identity(remote.container)

    def _process(self, owner: Owner, inode: int) -> Document:
        if not self._policy.expose_process_info:
            return {"binary": f"Process with inode {inode}", "cmdline": "", "environ": [""]}
        if not isinstance(owner, Process):
            return {
                "binary": f"Unknown process with inode {inode}",
                "cmdline": "",
                "environ": [""],
                "unknown_reason": owner,
            }
        known = self._processes.get(id(owner))
        if known is None:
            known = self._processes[id(owner)] = owner, self._known_process(owner)
        return known[1]

    def _known_process(self, process: Process) -> Document:
        policy = self._policy
        arguments = redact_arguments(process.arguments) if policy.redact else process.arguments
        environ = redact_environ(process.environ) if policy.redact else process.environ
        document: Document = {
            "binary": process.binary,
            "cmdline": " ".join(arguments) if policy.expose_cmdline else "",
            "environ": list(environ) if policy.expose_environ else [""],
            "pid": process.pid,
            "uid": process.uid,
            "started_at": self._timestamps.format(process.started_at_ns),
        }
        if process.executable:
            document["executable"] = process.executable
        if process.user:
            document["user"] = process.user
        if policy.with_process_details:
            document["started_ticks"] = process.started_ticks
            document["arguments"] = list(arguments) if policy.expose_cmdline else []
        return document

    def _container(self, container: Container) -> Document:
        """One mapping for all its documents of a poll, until another address of it is seen."""
        seen_ips = self._local_ips.of(container.id)
        known = self._containers.get(container.id)
        if known is not None and known[1] is seen_ips:
            described = known[0]
            if described is container or described == container:
                return known[2]
        document = self._new_container(container, seen_ips)
        self._containers[container.id] = container, seen_ips, document
        return document

    def _new_container(self, container: Container, seen_ips: list[str]) -> Document:
        document = _identity(container)
        if container.runtime:
            document["runtime"] = container.runtime
        document["local_ips"] = list(dict.fromkeys((*container.local_ips, *seen_ips)))
        if not container.name:  # only the id is known: no engine was asked
            return document
        document["env"] = self._container_environ(container)
        document["labels"] = dict(container.labels)
        document["ports"] = {
            port: [{"HostIp": b.host_ip, "HostPort": b.host_port} for b in bindings]
            for port, bindings in container.ports.items()
        }
        document["docker_host"] = self._docker_host
        return document

    def _container_environ(self, container: Container) -> list[str]:
        wanted = self._policy.docker_environment
        chosen = tuple(e for e in container.environ if e.partition("=")[0] in wanted)
        return list(redact_environ(chosen) if self._policy.redact else chosen)

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


def _kubernetes(labels: Mapping[str, str]) -> Document:
    """What a kubelet calls it, by the names that Beats have for that."""
    pod = {"name": labels[_POD], "uid": labels.get(f"{_KUBERNETES}.pod.uid")}
    names: Document = {"pod": {key: value for key, value in pod.items() if value}}
    namespace = labels.get(f"{_KUBERNETES}.pod.namespace")
    container = labels.get(f"{_KUBERNETES}.container.name")
    if namespace:
        names["namespace"] = namespace
    if container:
        names["container"] = {"name": container}
    return names


def lay_over(document: Document, fields: Mapping[str, Any]) -> None:
    """Key by key, into sections too: what clashes is the user's. Sections may be shared: copied."""
    for key, value in fields.items():
        here = document.get(key)
        if isinstance(here, dict) and isinstance(value, Mapping):
            document[key] = inside = dict(here)
            lay_over(inside, value)
        else:
            document[key] = value


def _identity(container: Container) -> Document:
    identity: Document = {"id": container.id}
    if container.name:
        identity["name"] = container.name
    if container.image:
        identity["image"] = container.image
    return identity
