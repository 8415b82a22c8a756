"""The catalogue of `schema: ecs`: every key of a document in Elastic Common Schema, once.

What the schema of Elastic has a name for stands here with what it is made from; everything else
keeps its name of `model.fields` below `connbeat.`, so that a field which is added there has its
place here at once. Names and types are held against those that Elastic publishes by a test.
"""

from collections.abc import Iterator

import msgspec

from connbeat.model.fields import FIELDS, Field, FieldType

#: The release whose names these are; `ecs.version` of every document.
ECS_VERSION = "9.4.0"
#: What has no home in ECS stands below this.
OWN = "connbeat"
#: `event.dataset`, and with the other two the name of a data stream.
DATASET = "connbeat.connection"
DATA_STREAM_TYPE, DATA_STREAM_NAMESPACE = "logs", "default"

_K, _I, _D = FieldType.KEYWORD, FieldType.INTEGER, FieldType.DATE
_IP, _S = FieldType.IP, FieldType.STRINGS
_ACTIONS = (
    "connection_attempted", "connection_accepted", "disconnect_received", "network_flow",
    "listener_opened", "listener_ongoing", "listener_closed",
)  # fmt: skip


class EcsField(msgspec.Struct, frozen=True):
    """A field of ECS, and the fields of `schema: connbeat` that it tells."""

    field: Field
    origins: tuple[str, ...]


def _of(  # noqa: PLR0913, PLR0917  a row of a table
    name: str,
    type_: FieldType,
    text: str,
    example: str,
    origins: str = "",
    *,
    choices: tuple[str, ...] = (),
    is_required: bool = False,
) -> EcsField:
    field = Field(name, type_, text, example, choices, is_required=is_required)
    return EcsField(field, tuple(origins.split()))


def _always(name: str, text: str, value: str, origins: str = "") -> EcsField:
    return _of(name, _K, text, value, origins, choices=(value,), is_required=True)


def _end(name: str, who: str, bytes_text: str) -> Iterator[EcsField]:
    """One end of the connection: of `source`, `destination`, `client`, `server`."""
    of_listener = " listener.ip" if name == "server" else ""
    yield _of(
        f"{name}.address",
        _K,
        f"The address, as text: {who}.",
        "172.18.0.3",
        f"local_ip remote_ip{of_listener}",
    )
    yield _of(
        f"{name}.ip",
        _IP,
        "The same, as an address.",
        "172.18.0.3",
        f"local_ip remote_ip{of_listener}",
    )
    yield _of(f"{name}.port", _I, "Its port.", "45678", "local_port remote_port")
    yield _of(
        f"{name}.bytes", _I, bytes_text, "74", "connection.bytes_sent connection.bytes_received"
    )
    yield _of(
        f"{name}.nat.ip",
        _IP,
        "Who it really is, where that address is another's.",
        "172.18.0.2",
        "nat.remote_ip",
    )
    yield _of(f"{name}.nat.port", _I, "The port there.", "80", "nat.remote_port")


_ROWS: tuple[EcsField, ...] = (
    _of("@timestamp", _D, "When it happened, as in `schema: connbeat`.",
        "2026-11-23T10:00:02.123Z", "@timestamp", is_required=True),
    _always("ecs.version", "The release of ECS whose names these are.", ECS_VERSION),
    _always("data_stream.type", "First part of a data stream's name.", DATA_STREAM_TYPE),
    _always("data_stream.dataset", "Its second part.", DATASET),
    _always("data_stream.namespace", "Its third part.", DATA_STREAM_NAMESPACE),
    _always("event.kind", "Always `event`.", "event"),
    _of("event.category", _S, "Always `network`.", '["network"]', is_required=True),
    _of(
        "event.type",
        _S,
        "`connection` with `start` (it was opened), `info` (it goes on) or `end`; one event that "
        "tells of a whole life has both `start` and `end`. A listener's has no `connection`.",
        '["connection", "start"]',
        "connection.event listener.event",
        is_required=True,
    ),
    _of(
        "event.action",
        _K,
        "In Elastic's words. `connection_attempted` (this end called) or `connection_accepted`: "
        "it was opened, or this is its only event; `disconnect_received`: it ended; "
        "`network_flow`: it goes on, or nobody knows who called.",
        "connection_attempted",
        "connection.event connection.direction listener.event",
        choices=_ACTIONS,
        is_required=True,
    ),
    _of("event.outcome", _K, "`failure` if it could not be opened; not in an event with `info`.",
        "success", "connection.event listener.event", choices=("success", "failure")),
    _of("event.reason", _K, "Why it failed.", "refused", "connection.failure"),
    _of("event.id", _K, "Unique, also between hosts.", "5b1c2f0a9d3e4f60-f0000098-1a2b-closed-9c",
        is_required=True),
    _of("event.start", _D, "When it was opened, or first seen by a poll.",
        "2026-11-23T10:00:02.120Z", "connection.opened_at listener.opened_at"),
    _of("event.end", _D, "When it ended, or was first seen to be gone.",
        "2026-11-23T10:00:02.123Z", "connection.closed_at listener.closed_at"),
    _of("event.duration", _I, "From start to end, in nanoseconds.", "3410000",
        "connection.duration_ms"),
    _always("event.dataset", "As `data_stream.dataset`.", DATASET),
    _always("event.module", "Always `connbeat`.", "connbeat", "type"),
    *_end("source", "of who called; of this end where nobody knows",
          "Payload it sent, without repeats."),
    *_end("destination", "of who was called; of the other end where nobody knows",
          "Payload it sent, without repeats."),
    *_end("client", "of who called, as `source`; absent where nobody knows", "As `source.bytes`."),
    *_end("server", "of who was called, as `destination`; where a listener listens",
          "As `destination.bytes`."),
    _of("network.transport", _K, "Always `tcp`.", "tcp", choices=("tcp",), is_required=True),
    _of("network.iana_number", _K, "Always `6`.", "6", choices=("6",), is_required=True),
    _of("network.type", _K, "By the addresses.", "ipv4", choices=("ipv4", "ipv6")),
    _of("network.direction", _K, "`egress` if this end called, `ingress` if it was called.",
        "egress", "connection.direction", choices=("ingress", "egress", "unknown")),
    _of("network.bytes", _I, "Payload in both directions.", "1344"),
    _of("network.community_id", _K, "Community ID v1 flow hash, the same at both ends.",
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "network.community_id"),
    _of("process.pid", _I, "The process id, as the host counts.", "4711", "local_process.pid"),
    _of("process.name", _K, "The program's file name.", "curl", "local_process.binary"),
    _of("process.executable", _K, "The program's path, as it sees it.", "/usr/bin/curl",
        "local_process.executable"),
    _of("process.command_line", _K,
        "The arguments, joined with spaces, values that look secret masked; not with "
        "`expose_cmdline: false`.",
        "curl http://web/", "local_process.cmdline"),
    _of("process.args", _S, "The same, one by one.", '["curl", "http://web/"]',
        "local_process.cmdline"),
    _of("process.args_count", _I, "How many.", "2"),
    _of("process.start", _D, "When the process started.", "2026-11-23T09:59:58.010Z",
        "local_process.started_at"),
    _of("process.entity_id", _K, "The process, unique between hosts and boots.",
        "5b1c2f0a9d3e4f60-1267-2a8f"),
    _of("process.env_vars", _S,
        "The environment, values that look secret masked; only with `expose_environ: true`.",
        '["HOME=/root"]', "local_process.environ"),
    _of("process.user.id", _K, "As `user.id`.", "0", "local_process.uid"),
    _of("process.user.name", _K, "As `user.name`.", "root", "local_process.user"),
    _of("user.id", _K, "The process's effective user id, as the host counts.", "0",
        "local_process.uid"),
    _of("user.name", _K, "Its name in the host's `/etc/passwd`.", "root", "local_process.user"),
    _of("container.id", _K, "The whole id. No `container` at all for a process of the host.",
        "0ca2...", "container.id"),
    _of("container.name", _K, "Its name at this moment.", "client", "container.name"),
    _of("container.runtime", _K, "Which runtime runs it.", "docker", "container.runtime",
        choices=("docker", "containerd", "cri-o", "podman")),
    _of("container.image.name", _K, "The image, as it was named, without tag and digest.",
        "curlimages/curl", "container.image"),
    _of("container.image.tag", _S, "Its tag.", '["8.10.1"]', "container.image"),
    _of("container.image.hash.all", _S, "Its digest, where it was named by one.",
        '["sha256:9f31..."]', "container.image"),
    _of("container.labels", FieldType.LABELS, "Its labels.",
        '{"com.docker.compose.project":"x"}', "container.labels"),
    _of("orchestrator.type", _K, "Only if it manages the container.", "kubernetes",
        choices=("kubernetes",)),
    _of("orchestrator.namespace", _K, "The namespace of the pod.", "shop",
        "kubernetes.namespace"),
    _of("orchestrator.resource.type", _K, "Always `pod`.", "pod", choices=("pod",)),
    _of("orchestrator.resource.name", _K, "The pod's name.", "web-7d9c5b6f4-x2x8k",
        "kubernetes.pod.name"),
    _of("orchestrator.resource.id", _K, "The pod's uid.", "2f1c8e9a-7b1d-4c57-9d7e-0c5f3a1b2c3d",
        "kubernetes.pod.uid"),
    _of("host.name", _K, "`name` of the configuration, otherwise the host name.", "h1",
        "beat.name", is_required=True),
    _of("host.hostname", _K, "The host name.", "h1", "beat.hostname", is_required=True),
    _of("host.ip", FieldType.IPS,
        "The host's own addresses, as far as they were seen in use: no loopback, no wildcard, no "
        "container's.",
        '["192.168.2.243"]', "beat.local_ips", is_required=True),
    _always("host.os.type", "Always `linux`.", "linux"),
    _always("agent.type", "Always `connbeat`.", "connbeat", "type"),
    _of("agent.name", _K, "As `host.name`.", "h1", "beat.name", is_required=True),
    _of("agent.version", _K, "The agent's version.", "1.0.0", "beat.version", is_required=True),
    _of("agent.id", _K, "The agent: of its machine and data directory.",
        "1d6a1f0e-7c3b-5d0a-8f55-0f3e7a0b9c21", is_required=True),
    _of("agent.ephemeral_id", _K, "This run of the agent.",
        "8c1f0b7e-52d5-4f1e-9f0a-3b0f7a1c2d3e", is_required=True),
    _of("related.ip", FieldType.IPS, "Every address of the connection.",
        '["172.18.0.3", "172.18.0.2"]'),
    _of("related.hosts", _S, "Every name of the host.", '["h1"]', is_required=True),
    _of("related.user", _S, "As `user.name`.", '["root"]'),
    _of("labels", FieldType.LABELS,
        "`fields` of the configuration, their values as text; nested names are joined with dots.",
        '{"dc":"a"}', "fields"),
    _of("tags", _S, "`tags` of the configuration.", '["edge"]', "tags"),
)  # fmt: skip

#: By field of `schema: connbeat`: where a document in ECS tells it.
HOMES: dict[str, tuple[str, ...]] = {
    name: tuple(row.field.name for row in _ROWS if name in row.origins)
    for name in {name: None for row in _ROWS for name in row.origins}
}
#: These stay below OWN as well: ECS has no word for all that they say.
KEPT: frozenset[str] = frozenset({"connection.event", "listener.event", "local_process.binary"})


def own_fields() -> tuple[Field, ...]:
    """What keeps its name of `schema: connbeat`, below OWN."""
    return tuple(
        msgspec.structs.replace(field, name=f"{OWN}.{field.name}", is_required=False)
        for field in FIELDS
        if field.name not in HOMES or field.name in KEPT
    )


ECS_FIELDS: tuple[Field, ...] = (*(row.field for row in _ROWS), *own_fields())
ORIGINS: dict[str, tuple[str, ...]] = {row.field.name: row.origins for row in _ROWS}
