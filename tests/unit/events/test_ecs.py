"""Documents in ECS, whole: valid, with no name that ECS lacks, and none of the facts lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connbeat.events.connection import Document
from connbeat.events.document import DocumentBuilder
from connbeat.events.ecs import EcsConverter, EcsDocumentBuilder, EcsNames
from connbeat.events.policy import DocumentPolicy
from connbeat.model.connections import EventKind, Party, Report
from connbeat.model.containers import DockerHost
from connbeat.model.documents import field_value
from connbeat.model.ecs_fields import ECS_FIELDS
from connbeat.model.fields import BY_NAME
from tests.builders import (
    HOST_NETNS,
    listener_report,
    process,
)
from tests.documents import assert_documented, leaves
from tests.reports import CLOSED, CONNECTIONS, LISTENERS, NOW_NS, POD, SWITCHES, WALL_NS, WHOLE

PUBLISHED: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "data" / "ecs" / "fields.yml").read_text()
)
ECS_NAMES = frozenset(field.name for field in ECS_FIELDS)
NAMES = EcsNames(boot="b00t", agent_id="a1", ephemeral_id="e1")
POLICY = DocumentPolicy(name="h1", hostname="host1", version="1.0.0")
ALL = msgspec.structs.replace(
    POLICY,
    tags=("edge",),
    fields={"dc": "a", "rack": {"row": 1}},
    expose_environ=True,
    docker_environment=frozenset({"TIER"}),
)
DOCKER_HOST = DockerHost("dh", ("127.0.1.1",))


def builder(policy: DocumentPolicy = POLICY) -> EcsDocumentBuilder:
    made = EcsDocumentBuilder(policy, DOCKER_HOST, NAMES)
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    return made


def build(report: Report, policy: DocumentPolicy = POLICY) -> Any:
    return as_sent(builder(policy).build(report))


def as_sent(document: Document) -> Any:
    return json.loads(msgspec.json.encode(document))


def plain(report: Report, policy: DocumentPolicy) -> Any:
    """The same report in connbeat's own names."""
    made = DocumentBuilder(policy, DOCKER_HOST)
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    return as_sent(made.build(report))


# Whole documents


def test_a_connection_of_a_container() -> None:
    document = build(CLOSED, ALL)
    assert_documented(document, "ecs")
    client = {"address": "172.18.0.3", "ip": "172.18.0.3", "port": 45678, "bytes": 74}
    server = {
        "address": "172.18.0.2",
        "ip": "172.18.0.2",
        "port": 80,
        "bytes": 1270,
        "nat": {"ip": "172.18.0.9", "port": 8080},
    }
    user = {"id": "0", "name": "root"}
    assert document == {
        "@timestamp": "2026-11-23T09:59:59.999Z",
        "ecs": {"version": "9.4.0"},
        "data_stream": {"type": "logs", "dataset": "connbeat.connection", "namespace": "default"},
        "event": {
            "kind": "event",
            "category": ["network"],
            "type": ["connection", "end"],
            "action": "disconnect_received",
            "outcome": "success",
            "id": "h-1-2-opened-3",
            "start": "2026-11-23T09:59:56.000Z",
            "end": "2026-11-23T09:59:59.999Z",
            "duration": 3_999_411_000,
            "dataset": "connbeat.connection",
            "module": "connbeat",
        },
        "source": client,
        "destination": server,
        "client": client,
        "server": server,
        "network": {
            "transport": "tcp",
            "iana_number": "6",
            "type": "ipv4",
            "direction": "egress",
            "bytes": 1344,
            "community_id": document["network"]["community_id"],
        },
        "process": {
            "pid": 4711,
            "name": "curl",
            "executable": "/usr/bin/curl",
            "command_line": "/usr/bin/curl http://web/",
            "args": ["/usr/bin/curl", "http://web/"],
            "args_count": 2,
            "start": "2023-11-14T22:13:20.000Z",
            "entity_id": "b00t-1267-64",
            "env_vars": ["HOME=/root", "TOKEN=xxxxx"],
            "user": user,
        },
        "user": user,
        "container": {
            "id": "c" * 64,
            "name": "web",
            "runtime": "docker",
            "image": {"name": "nginx", "tag": ["1.27"], "hash": {"all": ["sha256:9f31"]}},
            "labels": {"com.docker.compose.project": "x", **POD},
        },
        "orchestrator": {
            "type": "kubernetes",
            "namespace": "shop",
            "resource": {"type": "pod", "name": "web-0", "id": "2f1c"},
        },
        "host": {"name": "h1", "hostname": "host1", "ip": [], "os": {"type": "linux"}},
        "agent": {
            "type": "connbeat",
            "name": "h1",
            "version": "1.0.0",
            "id": "a1",
            "ephemeral_id": "e1",
        },
        "related": {
            "ip": ["172.18.0.3", "172.18.0.2", "172.18.0.9"],
            "hosts": ["h1", "host1"],
            "user": ["root"],
        },
        "labels": {"dc": "a", "rack.row": "1"},
        "tags": ["edge"],
        "connbeat": {
            "connection": {
                "id": "h-1-2",
                "event": "closed",
                "direction_source": "listener",
                "state": "closed",
                "retransmits": 0,
                "rtt_ms": 0.05,
                "netns": HOST_NETNS,
            },
            "container": {
                "env": ["TIER=front"],
                "local_ips": ["172.18.0.3"],
                "ports": {"80": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},
                "docker_host": {"hostname": "dh", "ips": ["127.0.1.1"]},
            },
            "kubernetes": {"container": {"name": "nginx"}},
            "remote_process": {"binary": "nginx", "pid": 4242},
            "remote_container": {"id": "d" * 64, "name": "n", "image": "i"},
        },
    }


def test_a_listener_of_nobody_on_the_host() -> None:
    document = build(listener_report("0.0.0.0:80", opened_ns=NOW_NS))
    assert_documented(document, "ecs")
    assert document["server"] == {"address": "0.0.0.0", "ip": "0.0.0.0", "port": 80}
    assert document["event"]["action"] == "listener_opened"
    assert document["connbeat"]["local_process"] == {
        "binary": "Unknown process with inode 9",
        "unknown_reason": "not_found",
    }
    absent = {"process", "user", "container", "source", "destination", "client", "labels", "tags"}
    assert absent.isdisjoint(document)


def test_every_field_of_the_catalogue_is_in_some_document() -> None:
    documents = [build(report, ALL) for report in WHOLE]
    assert {name for one in documents for name in leaves(one, ECS_NAMES)} == ECS_NAMES


def test_one_event_of_a_life_tells_of_its_start_and_its_end() -> None:
    short = msgspec.structs.replace(CLOSED, is_only=True)
    assert build(short)["event"]["type"] == ["connection", "start", "end"]
    only = listener_report(kind=EventKind.CLOSED, is_only=True)
    assert build(only)["event"]["type"] == ["start", "end"]


def test_fields_under_root_are_joined_to_the_document_and_win() -> None:
    fields = {"event": {"module": "mine"}, "service": {"name": "shop"}, "type": "x"}
    policy = msgspec.structs.replace(POLICY, fields=fields, fields_under_root=True)
    made = builder(policy)
    first, second = (as_sent(made.build(CLOSED)) for _ in range(2))
    assert first == second
    assert first["event"]["module"] == "mine"
    assert first["event"]["kind"] == "event"
    assert (first["service"], first["type"]) == ({"name": "shop"}, "x")
    assert "labels" not in first


def test_another_policy_counts_from_the_next_poll_on() -> None:
    made = builder(msgspec.structs.replace(POLICY, fields={"a": 1}, fields_under_root=True))
    assert made.build(CLOSED)["a"] == 1
    made.set_policy(msgspec.structs.replace(POLICY, name="other", fields={"a": 1}))
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    document = made.build(CLOSED)
    assert document["agent"]["name"] == document["related"]["hosts"][0] == "other"
    assert (document["labels"], "a" in document) == ({"a": "1"}, False)
    assert document["process"]["args"]


def test_the_docker_host_and_the_time_are_those_of_the_plain_documents() -> None:
    made = builder()
    made.set_docker_host(DockerHost("other", ()))
    document = made.build(CLOSED)
    assert document["connbeat"]["container"]["docker_host"]["hostname"] == "other"
    assert made.timestamp_ns(CLOSED) == WALL_NS - 589_000


def test_parts_are_made_once_for_many_documents_and_not_kept_for_ever() -> None:
    made = builder()
    converter = made._converter
    parts = [made.build(CLOSED)["process"] for _ in range(2)]
    assert parts[0] is parts[1]
    for pid in range(5000):
        made.build(msgspec.structs.replace(CLOSED, local=Party(process(pid + 1), None)))
    assert len(converter._parts) <= 4096
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    assert converter._parts == {}


# What is not known here


def test_what_no_schema_of_today_has_is_kept() -> None:
    beat = {"name": "h", "hostname": "h", "version": "1", "local_ips": []}
    document = {
        "@timestamp": "2026-11-23T10:00:00.000Z",
        "type": "connbeat",
        "beat": beat,
        "remote_ip": "10.0.0.2",
        "local_process": {"binary": "curl", "cmdline": "", "environ": [""], "pid": 1},
        "summary": {"direction": "outbound", "count": 3},
        "later": [1],
    }
    ecs = EcsConverter(NAMES).convert(document, "id-1")
    assert ecs["connbeat"] == {"summary": document["summary"], "later": [1]}
    assert ecs["event"]["type"] == ["connection", "info"]
    assert ecs["network"]["direction"] == "egress"
    assert ecs["destination"]["ip"] == "10.0.0.2"
    assert ecs["process"]["name"] == "curl"


# What holds for all of them

REPORTS = CONNECTIONS | LISTENERS


@given(st.lists(REPORTS, max_size=4), SWITCHES)
def test_every_document_is_valid_and_has_only_names_of_ecs_and_ours(
    reports: list[Report], switches: dict[str, bool]
) -> None:
    made = builder(msgspec.structs.replace(ALL, **switches))
    for report in reports:
        document = as_sent(made.build(report))
        assert_documented(document, "ecs")
        for name in leaves(document, ECS_NAMES):
            assert name in PUBLISHED["fields"] or name.startswith("connbeat."), name
        event = document["event"]
        assert set(event["category"]) <= set(PUBLISHED["allowed"]["event.category"])
        assert set(event["type"]) <= set(PUBLISHED["types_of_network"])


@given(REPORTS, SWITCHES)
def test_no_fact_is_lost(report: Report, switches: dict[str, bool]) -> None:
    policy = msgspec.structs.replace(ALL, **switches)
    assert_told(plain(report, policy), build(report, policy))


@pytest.mark.parametrize("report", WHOLE)
def test_no_fact_is_lost_of_what_has_everything(report: Report) -> None:
    assert_told(plain(report, ALL), build(report, ALL))


def assert_told(document: Any, ecs: Any) -> None:
    """Every value of the document stands somewhere in the other, as the test says, not the code."""
    for name, value in leaves(document, BY_NAME).items():
        if name in RENAMED:
            assert value in list(RENAMED[name](ecs)), name
        elif (name, value) not in (("local_process.cmdline", ""), ("local_process.environ", [""])):
            assert field_value(ecs, f"connbeat.{name}") == value, name


def at(*names: str) -> Any:
    """Where a value stands as it is."""
    return lambda ecs: [field_value(ecs, name) for name in names]


def end(whose: str, name: str) -> Any:
    """A field of this end (`local`) or the other (`remote`)."""

    def found(ecs: Any) -> list[Any]:
        if "source" not in ecs:
            return [ecs["server"].get(name)]
        is_source = (ecs["network"]["direction"] == "ingress") == (whose == "remote")
        return [field_value(ecs["source" if is_source else "destination"], name)]

    return found


def direction(ecs: Any) -> list[str]:
    words = {"egress": "outbound", "ingress": "inbound", "unknown": "unknown"}
    return [words[ecs["network"]["direction"]]]


def whole_image(ecs: Any) -> Iterator[str]:
    parts = ecs["container"]["image"]
    tag, digest = parts.get("tag", [""])[0], parts.get("hash", {}).get("all", [""])[0]
    yield parts["name"] + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def number(name: str, scale: float = 1) -> Any:
    return lambda ecs: [float(field_value(ecs, name)) / scale]


RENAMED: dict[str, Any] = {
    "@timestamp": at("@timestamp"),
    "type": at("agent.type"),
    "beat.name": at("agent.name"),
    "beat.hostname": at("host.hostname"),
    "beat.version": at("agent.version"),
    "beat.local_ips": at("host.ip"),
    "tags": at("tags"),
    "fields": lambda ecs: [
        {"dc": ecs["labels"]["dc"], "rack": {"row": int(ecs["labels"]["rack.row"])}}
    ],
    "local_ip": end("local", "ip"),
    "local_port": end("local", "port"),
    "remote_ip": end("remote", "ip"),
    "remote_port": end("remote", "port"),
    "connection.bytes_sent": end("local", "bytes"),
    "connection.bytes_received": end("remote", "bytes"),
    "nat.remote_ip": end("remote", "nat.ip"),
    "nat.remote_port": end("remote", "nat.port"),
    "network.community_id": at("network.community_id"),
    "connection.direction": direction,
    "connection.opened_at": at("event.start"),
    "connection.closed_at": at("event.end"),
    "connection.duration_ms": number("event.duration", 1e6),
    "connection.failure": at("event.reason"),
    "listener.ip": at("server.ip"),
    "listener.opened_at": at("event.start"),
    "listener.closed_at": at("event.end"),
    "local_process.binary": at("process.name", "connbeat.local_process.binary"),
    "local_process.pid": at("process.pid"),
    "local_process.executable": at("process.executable"),
    "local_process.uid": number("user.id"),
    "local_process.user": at("user.name"),
    "local_process.started_at": at("process.start"),
    "container.id": at("container.id"),
    "container.name": at("container.name"),
    "container.image": whole_image,
    "container.runtime": at("container.runtime"),
    "container.labels": at("container.labels"),
    "kubernetes.namespace": at("orchestrator.namespace"),
    "kubernetes.pod.name": at("orchestrator.resource.name"),
    "kubernetes.pod.uid": at("orchestrator.resource.id"),
}


def exposed(name: str, absent: Any) -> Any:
    return lambda ecs: [field_value(ecs, name) or absent]


RENAMED["local_process.cmdline"] = exposed("process.command_line", "")
RENAMED["local_process.environ"] = lambda ecs: [ecs.get("process", {}).get("env_vars", [""])]
