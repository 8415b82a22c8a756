"""The catalogue of public fields: every key of every document, once.

`docs/events.md`, the JSON Schema and the index template are made from it, and a test holds every
document of every test against it. `origin` is 5.6 where the original connbeat had the field: those
keep name, place, type and meaning.
"""

import enum

import msgspec


class FieldType(enum.StrEnum):
    """What a field holds; how each output maps it is that output's business."""

    KEYWORD = "keyword"
    IP = "ip"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    STRINGS = "list of keyword"
    IPS = "list of ip"
    LABELS = "object of keyword"
    PORTS = "object of list of {HostIp, HostPort}"
    ANY = "any"


class Field(msgspec.Struct, frozen=True):
    """One field. `choices` are all its values, if they are few; `is_required`: in every event."""

    name: str
    type: FieldType
    text: str
    example: str = ""
    choices: tuple[str, ...] = ()
    origin: str = "1.0"
    is_required: bool = False


_K, _I, _N, _D = FieldType.KEYWORD, FieldType.INTEGER, FieldType.NUMBER, FieldType.DATE
_OLD = "5.6"
#: Why a connect may fail.
FAILURES = ("refused", "timeout", "reset", "unreachable", "cancelled", "no_local_port", "unknown")
_KINDS = ("opened", "ongoing", "closed", "failed")

FIELDS: tuple[Field, ...] = (
    Field(
        "@timestamp",
        _D,
        "When it happened: the opening or the end if that is what the event tells, otherwise the "
        "poll that saw it. UTC, RFC 3339, milliseconds.",
        "2026-11-23T10:00:02.123Z",
        origin=_OLD,
        is_required=True,
    ),
    Field("type", _K, "Always `connbeat`.", "connbeat", ("connbeat",), _OLD, is_required=True),
    Field(
        "beat.name",
        _K,
        "`name` of the configuration, otherwise the host name.",
        "h1",
        origin=_OLD,
        is_required=True,
    ),
    Field("beat.hostname", _K, "The host name.", "h1", origin=_OLD, is_required=True),
    Field("beat.version", _K, "The agent's version.", "1.0.0", origin=_OLD, is_required=True),
    Field(
        "beat.local_ips",
        FieldType.IPS,
        "The host's own addresses, as far as they were seen in use: no loopback, no wildcard, no "
        "container's.",
        '["192.168.2.243"]',
        origin=_OLD,
        is_required=True,
    ),
    Field("tags", FieldType.STRINGS, "`tags` of the configuration.", '["edge"]', origin=_OLD),
    Field("fields", FieldType.ANY, "`fields` of the configuration.", '{"dc":"a"}', origin=_OLD),
    Field(
        "local_ip",
        FieldType.IP,
        "This end's address. Not in a listener's event.",
        "172.18.0.3",
        origin=_OLD,
    ),
    Field(
        "local_port", _I,
        "This end's port, or the listener's. In every event but summaries of outbound connections.",
        "45678", origin=_OLD,
    ),
    Field("remote_ip", FieldType.IP, "The other end's address.", "172.18.0.2", origin=_OLD),
    Field("remote_port", _I, "The other end's port.", "80", origin=_OLD),
    Field(
        "local_process.binary",
        _K,
        "The program's file name. `Process with inode N` with `expose_process_info: false`, "
        "`Unknown process with inode N` if there is none to be found.",
        "curl",
        origin=_OLD,
        is_required=True,
    ),
    Field(
        "local_process.cmdline",
        _K,
        "The arguments, joined with spaces, values that look secret masked; empty with "
        "`expose_cmdline: false`.",
        "curl http://web/",
        origin=_OLD,
        is_required=True,
    ),
    Field(
        "local_process.environ",
        FieldType.STRINGS,
        'The environment, values that look secret masked; `[""]` unless `expose_environ: true`.',
        '[""]',
        origin=_OLD,
        is_required=True,
    ),
    Field("local_process.pid", _I, "The process id, as the host counts.", "4711", origin=_OLD),
    Field("local_process.executable", _K, "The program's path, as it sees it.", "/usr/bin/curl"),
    Field("local_process.uid", _I, "The effective user id, as the host counts.", "0"),
    Field("local_process.user", _K, "Its name in the host's `/etc/passwd`.", "root"),
    Field("local_process.started_at", _D, "When the process started.", "2026-11-23T09:59:58.010Z"),
    Field(
        "local_process.unknown_reason",
        _K,
        "Why there is no process: it `exited`, it may not be looked into (`not_permitted`), no "
        "process holds the socket (`not_found`), or the kernel no longer says which socket it is "
        "(`no_inode`). Or a summary is of several (`summarised`).",
        "exited",
        ("exited", "not_permitted", "not_found", "no_inode", "summarised"),
    ),
    Field("container.id", _K, "The whole id. No `container` at all for a process of the host.",
          "0ca2...", origin=_OLD),
    Field("container.name", _K, "Its name at this moment.", "client", origin=_OLD),
    Field("container.image", _K, "The image, as it was named.", "curlimages/curl", origin=_OLD),
    Field(
        "container.runtime", _K, "Which runtime runs it.", "docker",
        ("docker", "containerd", "cri-o", "podman"),
    ),
    Field(
        "container.env",
        FieldType.STRINGS,
        "The variables named in `docker_environment`, values that look secret masked.",
        '["TIER=web"]',
        origin=_OLD,
    ),
    Field(
        "container.labels", FieldType.LABELS, "Its labels.",
        '{"com.docker.compose.project":"x"}', origin=_OLD,
    ),
    Field(
        "container.local_ips", FieldType.IPS, "Its addresses: given by the engine or seen in use.",
        '["172.18.0.3"]', origin=_OLD,
    ),
    Field(
        "container.ports", FieldType.PORTS, "Its ports and where they are published.",
        '{"80":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}', origin=_OLD,
    ),
    Field("container.docker_host.hostname", _K, "The machine that runs the engine.", "dh",
          origin=_OLD),
    Field("container.docker_host.ips", FieldType.IPS, "Its addresses.", '["127.0.1.1"]',
          origin=_OLD),
    Field("kubernetes.namespace", _K, "The namespace of the container's pod.", "shop"),
    Field("kubernetes.pod.name", _K, "Its pod, where a kubelet runs the container.",
          "web-7d9c5b6f4-x2x8k"),
    Field("kubernetes.pod.uid", _K, "The pod's uid.", "2f1c8e9a-7b1d-4c57-9d7e-0c5f3a1b2c3d"),
    Field("kubernetes.container.name", _K, "The container's name in the pod.", "nginx"),
    Field(
        "connection.id", _K,
        "The same in all events of a connection; unique between hosts and boots.",
        "5b1c2f0a9d3e4f60-f0000098-1a2b",
    ),
    Field("connection.event", _K, "The step of its life.", "closed", _KINDS),
    Field("connection.direction", _K, "`outbound` if this end called.", "outbound",
          ("inbound", "outbound", "unknown")),
    Field(
        "connection.direction_source", _K,
        "How that is known: the kernel told of it (`transition`), the socket's state, the "
        "namespace's listeners, the kernel's byte counters, the other end (`pair`), or `none`.",
        "listener", ("transition", "state", "listener", "counters", "pair", "none"),
    ),
    Field(
        "connection.state", _K, "The TCP state; `closed` at the end.", "established",
        ("established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "close_wait", "last_ack",
         "closing", "closed", "time_wait", "close", "new_syn_recv", "bound_inactive", "listen"),
    ),
    Field("connection.failure", _K, "Why it failed, in a `failed` event. What this host's "
          "own firewall rejects by ICMP is told so from Linux 6.11 on, before as `cancelled`.",
          "refused", FAILURES),
    Field("connection.opened_at", _D,
          "When it was opened, or first seen by a poll; absent if it was there before the agent.",
          "2026-11-23T10:00:02.120Z"),
    Field("connection.closed_at", _D, "When it ended, or was first seen to be gone.",
          "2026-11-23T10:00:02.123Z"),
    Field("connection.duration_ms", _N, "From opened_at to closed_at.", "3.41"),
    Field("connection.bytes_sent", _I, "Payload sent, without repeats.", "74"),
    Field("connection.bytes_received", _I, "Payload received.", "1270"),
    Field("connection.retransmits", _I, "Segments sent again.", "0"),
    Field("connection.summarised.bytes_sent", _I,
          "What of `bytes_sent` summaries have told already. Only where one did: see "
          "[volume](volume.md).", "0"),
    Field("connection.summarised.bytes_received", _I, "The same of `bytes_received`.", "0"),
    Field("connection.summarised.retransmits", _I, "The same of `retransmits`.", "0"),
    Field("connection.rtt_ms", _N, "Smoothed round trip time.", "0.05"),
    Field(
        "connection.netns",
        _I,
        "The network namespace (the inode of `ns/net`); 0 where it is not known: "
        "it was gone before it could be, or the kernel told nobody of the end.",
        "4026532184",
    ),
    Field("connection.interface", _I, "The interface of a link-local address.", "2"),
    Field("listener.id", _K, "As `connection.id`.", "5b1c2f0a9d3e4f60-f0000098-17"),
    Field("listener.event", _K, "The step of its life.", "opened", _KINDS[:3]),
    Field("listener.ip", FieldType.IP, "The address it is bound to.", "0.0.0.0"),  # noqa: S104  data
    Field("listener.backlog", _I, "Connections that wait to be accepted.", "0"),
    Field("listener.backlog_max", _I, "How many may wait.", "511"),
    Field("listener.opened_at", _D, "As `connection.opened_at`.", "2026-11-23T10:00:02.120Z"),
    Field("listener.closed_at", _D, "As `connection.closed_at`.", "2026-11-23T10:05:02.120Z"),
    Field("listener.netns", _I, "As `connection.netns`.", "4026532184"),
    Field("listener.interface", _I, "The interface of a link-local address.", "2"),
    Field(
        "summary.id", _K, "Of this event alone. An event with `summary` is of all connections with "
        "the same process, container and direction, and the addresses and ports it has.",
        "5b1c2f0a9d3e4f60-s2fe0a-1",
    ),
    Field(
        "summary.reason", _K,
        "Why there is no event for each: that is `configured`, the agent used more than its "
        "`cpu_budget`, or the kernel had no room for what it told (`buffer_overrun`).",
        "configured", ("configured", "cpu_budget", "buffer_overrun"),
    ),
    Field("summary.started_at", _D, "The beginning of the interval.", "2026-11-23T10:00:00.000Z"),
    Field("summary.ended_at", _D, "Its end, which is `@timestamp`.", "2026-11-23T10:00:30.000Z"),
    Field("summary.direction", _K, "As `connection.direction`.", "outbound",
          ("inbound", "outbound", "unknown")),
    Field("summary.netns", _I, "As `connection.netns`.", "4026532184"),
    Field("summary.opened", _I,
          "Connections that opened, unless an event of their own told it.", "120"),
    Field("summary.closed", _I, "Connections that closed.", "118"),
    Field("summary.open", _I, "Connections that are open at the end.", "7"),
    Field("summary.failed", _I, "Connections that failed to open.", "2"),
    *(
        Field(f"summary.failures.{failure}", _I, f"Of these, how many with `{failure}`.", "2")
        for failure in FAILURES
    ),
    Field("summary.bytes_sent", _I, "Payload sent in the interval, of all of them.", "8880"),
    Field("summary.bytes_received", _I, "Payload received.", "152400"),
    Field("summary.retransmits", _I, "Segments sent again.", "0"),
    Field("summary.earlier.bytes_sent", _I,
          "What connections that were there before the agent had sent when it came; not in "
          "`summary.bytes_sent`.", "1000000"),
    Field("summary.earlier.bytes_received", _I, "The same, received.", "0"),
    Field("summary.earlier.retransmits", _I, "The same, segments sent again.", "0"),
    Field("summary.duration_ms.count", _I,
          "Connections that closed and of which it is known how long they were open.", "118"),
    Field("summary.duration_ms.min", _N, "The shortest.", "0.8"),
    Field("summary.duration_ms.max", _N, "The longest.", "25.1"),
    Field("summary.duration_ms.sum", _N, "All of them together.", "402.4"),
    Field("summary.rtt_ms.count", _I, "Readings of the smoothed round trip time.", "125"),
    Field("summary.rtt_ms.min", _N, "The least.", "0.02"),
    Field("summary.rtt_ms.max", _N, "The greatest.", "0.3"),
    Field("summary.rtt_ms.sum", _N, "Their sum.", "6.2"),
    Field(
        "summary.folded", FieldType.STRINGS,
        "What connections in it need not have in common, because there were too many summaries: "
        "`remote_port`, `remote_ip`, `local_port`, `local_process`, `container`.",
        '["remote_port"]',
    ),
    Field("remote_process.binary", _K, "The other end's program, if it runs on this host.",
          "nginx"),
    Field("remote_process.pid", _I, "Its process id.", "4242"),
    Field("remote_container.id", _K, "The other end's container, if it is on this host.",
          "9f31..."),
    Field("remote_container.name", _K, "Its name.", "web"),
    Field("remote_container.image", _K, "Its image.", "nginx"),
    Field("nat.remote_ip", FieldType.IP,
          "Who is really at the other end, where the remote address is another's: who answers "
          "behind a published port or a service address, who called through docker-proxy or a "
          "masquerade.",
          "172.18.0.2"),
    Field("nat.remote_port", _I, "The port there.", "80"),
    Field("network.community_id", _K, "Community ID v1 flow hash, the same at both ends.",
          "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
)  # fmt: skip

BY_NAME = {field.name: field for field in FIELDS}
