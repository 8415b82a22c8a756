"""Any report there can be, for properties that hold for all documents."""

import msgspec
from hypothesis import strategies as st

from connbeat.model.connections import (
    Address,
    ConnectionReport,
    Direction,
    DirectionSource,
    EventKind,
    ListenerReport,
    Moved,
    Party,
    RemoteParty,
    Report,
    Spread,
)
from connbeat.model.containers import Container, PortBinding
from connbeat.model.fields import FAILURES
from connbeat.model.processes import Process, UnknownReason
from connbeat.model.sockets import Counters, TcpState
from tests.builders import (
    SECOND,
    address,
    connection_report,
    counters,
    listener_report,
    process,
    summary_report,
)

#: 2026-11-23T10:00:00Z, when the monotonic clock stood at 1000 s.
WALL_NS = 1_795_428_000 * SECOND
NOW_NS = 1000 * SECOND

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
IPS = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
PORTS = st.integers(0, 65535)
MOMENTS = st.integers(NOW_NS, 2 * NOW_NS)
PROCESSES = st.builds(
    Process,
    pid=st.integers(1, 1 << 22),
    started_ticks=st.integers(0, 1 << 40),
    binary=TEXT,
    executable=TEXT,
    arguments=st.lists(TEXT, max_size=3).map(tuple),
    environ=st.lists(TEXT, max_size=3).map(tuple),
    uid=st.integers(0, (1 << 32) - 1),
    user=TEXT,
    started_at_ns=st.integers(0, WALL_NS),
    container=st.none(),
    netns=st.integers(1, 1 << 32),
)
CONTAINERS = st.builds(
    Container,
    id=st.just("c" * 64),
    name=TEXT,
    image=TEXT,
    runtime=st.sampled_from(["", "docker", "containerd", "cri-o", "podman"]),
    environ=st.lists(TEXT, max_size=3).map(tuple),
    labels=st.dictionaries(TEXT, TEXT, max_size=2),
    local_ips=st.sampled_from([(), ("172.18.0.3", "2001:db8::3")]),
    ports=st.dictionaries(
        PORTS.map(str),
        st.lists(st.builds(PortBinding, TEXT, PORTS.map(str)), max_size=2).map(tuple),
        max_size=2,
    ),
)
OWNERS = PROCESSES | st.sampled_from(UnknownReason)
PARTIES = st.builds(Party, OWNERS, st.none() | CONTAINERS)
COUNTERS = st.builds(
    Counters,
    *[st.integers(0, (1 << 64) - 1)] * 2,
    *[st.integers(0, (1 << 32) - 1)] * 2,
    st.none(),
)
REMOTE_PARTIES = st.builds(RemoteParty, st.none() | PROCESSES, st.none() | CONTAINERS)
MOVED = st.builds(Moved, *[st.integers(0, (1 << 64) - 1)] * 3)
CONNECTIONS = st.builds(
    ConnectionReport,
    id=TEXT,
    event_id=TEXT,
    kind=st.sampled_from(EventKind),
    netns=st.integers(1, 1 << 32),
    interface=st.integers(0, 1 << 31),
    local_ip=IPS,
    local_port=PORTS,
    remote_ip=IPS,
    remote_port=PORTS,
    inode=st.integers(0, 1 << 64),
    state=st.sampled_from([state.label for state in TcpState] + ["closed"]),
    direction=st.sampled_from(Direction),
    direction_source=st.sampled_from(DirectionSource),
    opened_ns=st.none() | MOMENTS,
    closed_ns=st.none() | MOMENTS.map((2 * NOW_NS).__add__),
    reported_ns=MOMENTS,
    counters=st.none() | COUNTERS,
    local=PARTIES,
    remote=st.none() | REMOTE_PARTIES,
    nat=st.none() | st.builds(Address, IPS, PORTS),
    failure=st.sampled_from(["", "refused", "timeout"]),
    summarised=st.none() | MOVED,
)
LISTENERS = st.builds(
    ListenerReport,
    id=TEXT,
    event_id=TEXT,
    kind=st.sampled_from([EventKind.OPENED, EventKind.ONGOING, EventKind.CLOSED]),
    netns=st.integers(1, 1 << 32),
    interface=st.integers(0, 1 << 31),
    ip=IPS,
    port=PORTS,
    inode=st.integers(0, 1 << 64),
    opened_ns=st.none() | MOMENTS,
    closed_ns=st.none() | MOMENTS,
    reported_ns=MOMENTS,
    backlog=st.integers(0, 1 << 32),
    backlog_max=st.integers(0, 1 << 32),
    local=PARTIES,
)
SWITCHES = st.fixed_dictionaries(
    {
        name: st.booleans()
        for name in ("expose_process_info", "expose_cmdline", "expose_environ", "redact")
    }
)

# Reports that have everything

POD = {
    "io.kubernetes.pod.name": "web-0",
    "io.kubernetes.pod.namespace": "shop",
    "io.kubernetes.pod.uid": "2f1c",
    "io.kubernetes.container.name": "nginx",
}
WEB = Container(
    "c" * 64,
    name="web",
    image="nginx:1.27@sha256:9f31",
    runtime="docker",
    environ=("TIER=front",),
    labels={"com.docker.compose.project": "x", **POD},
    local_ips=("172.18.0.3",),
    ports={"80": (PortBinding("0.0.0.0", "8080"),)},
)
CURL = process(4711, "/usr/bin/curl", "http://web/", environ=("HOME=/root", "TOKEN=x"))
CLOSED = connection_report(
    "172.18.0.3:45678",
    "172.18.0.2:80",
    owner=CURL,
    container=WEB,
    kind=EventKind.CLOSED,
    state="closed",
    opened_ns=NOW_NS - 4 * SECOND,
    closed_ns=NOW_NS - 589_000,
    reported_ns=NOW_NS,
    counters=counters(sent=74, received=1270),
    remote=RemoteParty(process(4242, "/usr/sbin/nginx"), Container("d" * 64, name="n", image="i")),
    nat=Address(*address("172.18.0.9:8080")),
)
SUMMARY = summary_report(
    began_ns=NOW_NS - 30 * SECOND,
    reported_ns=NOW_NS,
    local=Party(CURL, WEB),
    opened=3,
    closed=2,
    open=5,
    failures=tuple((name, 1) for name in FAILURES),
    moved=Moved(1, 2, 3),
    earlier=Moved(4, 5, 6),
    durations=Spread(2, 1_000_000, 10_000_000, 11_000_000),
    rtts=Spread(1, 50, 50, 50),
    folded=("remote_port",),
)
#: Together they have every field that a document can have.
WHOLE: tuple[Report, ...] = (
    CLOSED,
    msgspec.structs.replace(CLOSED, direction="inbound"),
    msgspec.structs.replace(CLOSED, summarised=Moved(70, 1000, 0)),
    SUMMARY,
    msgspec.structs.replace(SUMMARY, direction="inbound", local_port=80, remote_port=None),
    msgspec.structs.replace(CLOSED, kind=EventKind.FAILED, failure="refused"),
    connection_report("[fe80::1]:1", "[fe80::2]:2", interface=3),
    listener_report("[fe80::1]:80", interface=3, opened_ns=1, closed_ns=2, kind=EventKind.CLOSED),
)
