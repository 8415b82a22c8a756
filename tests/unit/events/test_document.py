"""The documents, whole: what a consumer of connbeat 5.6 read still stands where it stood."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.events.connection import Document
from connbeat.events.document import DocumentBuilder
from connbeat.events.policy import DocumentPolicy
from connbeat.model.connections import (
    Address,
    ConnectionReport,
    Direction,
    EventKind,
    Moved,
    Party,
    RemoteParty,
    Report,
    Spread,
)
from connbeat.model.containers import Container, DockerHost, PortBinding
from connbeat.model.processes import UnknownReason
from tests.builders import (
    HOST_NETNS,
    SECOND,
    address,
    connection_report,
    counters,
    listener_report,
    process,
    summary_report,
)
from tests.documents import assert_documented
from tests.reports import (
    CONNECTIONS,
    IPS,
    LISTENERS,
    NOW_NS,
    PARTIES,
    REMOTE_PARTIES,
    SWITCHES,
    TEXT,
    WALL_NS,
    WHOLE,
)

CURL = process(4711, "/usr/bin/curl", "http://web/", environ=("HOME=/root", "TOKEN=x"))
WEB = Container(
    "c" * 64,
    name="web",
    image="nginx",
    runtime="docker",
    environ=("TIER=front", "DB_PASSWORD=x", "PATH=/bin"),
    labels={"com.docker.compose.project": "x"},
    local_ips=("172.18.0.3",),
    ports={"80": (PortBinding("0.0.0.0", "8080"),), "81": ()},
)
DOCKER_HOST = DockerHost("dh", ("127.0.1.1",))


def builder(**policy: Any) -> DocumentBuilder:
    made = DocumentBuilder(
        DocumentPolicy(**{"name": "h1", "hostname": "host1", "version": "1.0.0"} | policy),
        DOCKER_HOST,
    )
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    return made


def build(report: Report, **policy: Any) -> Document:
    document = builder(**policy).build(report)
    assert_documented(json.loads(msgspec.json.encode(document)))
    return document


# Whole documents


def test_a_connection_of_a_container() -> None:
    report = connection_report(
        "172.18.0.3:45678",
        "172.18.0.2:80",
        owner=CURL,
        container=WEB,
        kind=EventKind.CLOSED,
        state="closed",
        opened_ns=NOW_NS - 4 * SECOND,
        closed_ns=NOW_NS - 589_000,
        reported_ns=NOW_NS,
        counters=counters(sent=74, received=1270, rtt_us=50),
        remote=RemoteParty(process(4242, "/usr/sbin/nginx"), Container("d" * 64, name="n")),
        nat=Address(*address("172.18.0.9:8080")),
    )
    document = build(report, docker_environment=frozenset({"TIER", "DB_PASSWORD"}))
    assert json.loads(msgspec.json.encode(document)) == {
        "@timestamp": "2026-11-23T09:59:59.999Z",
        "type": "connbeat",
        "beat": {"name": "h1", "hostname": "host1", "version": "1.0.0", "local_ips": []},
        "local_ip": "172.18.0.3",
        "local_port": 45678,
        "remote_ip": "172.18.0.2",
        "remote_port": 80,
        "local_process": {
            "binary": "curl",
            "cmdline": "/usr/bin/curl http://web/",
            "environ": [""],
            "pid": 4711,
            "executable": "/usr/bin/curl",
            "uid": 0,
            "user": "root",
            "started_at": "2023-11-14T22:13:20.000Z",
        },
        "container": {
            "id": "c" * 64,
            "name": "web",
            "image": "nginx",
            "runtime": "docker",
            "env": ["TIER=front", "DB_PASSWORD=xxxxx"],
            "labels": {"com.docker.compose.project": "x"},
            "local_ips": ["172.18.0.3"],
            "ports": {"80": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "81": []},
            "docker_host": {"hostname": "dh", "ips": ["127.0.1.1"]},
        },
        "connection": {
            "id": "h-1-2",
            "event": "closed",
            "direction": "outbound",
            "direction_source": "listener",
            "state": "closed",
            "opened_at": "2026-11-23T09:59:56.000Z",
            "closed_at": "2026-11-23T09:59:59.999Z",
            "duration_ms": 3999.411,
            "bytes_sent": 74,
            "bytes_received": 1270,
            "retransmits": 0,
            "rtt_ms": 0.05,
            "netns": HOST_NETNS,
        },
        "remote_process": {"binary": "nginx", "pid": 4242},
        "remote_container": {"id": "d" * 64, "name": "n"},
        "nat": {"remote_ip": "172.18.0.9", "remote_port": 8080},
        "network": {"community_id": document["network"]["community_id"]},
    }


def test_a_listener_of_the_host() -> None:
    report = listener_report(
        "0.0.0.0:80", owner=CURL, opened_ns=NOW_NS - SECOND, reported_ns=NOW_NS, backlog_max=511
    )
    document = build(report)
    del document["local_process"]
    assert document == {
        "@timestamp": "2026-11-23T09:59:59.000Z",
        "type": "connbeat",
        "beat": {"name": "h1", "hostname": "host1", "version": "1.0.0", "local_ips": []},
        "local_port": 80,
        "listener": {
            "id": "h-1-9",
            "ip": "0.0.0.0",
            "event": "opened",
            "backlog": 0,
            "backlog_max": 511,
            "netns": HOST_NETNS,
            "opened_at": "2026-11-23T09:59:59.000Z",
        },
    }


def test_a_summary_has_what_its_connections_have_in_common() -> None:
    report = summary_report(
        local=Party(CURL, WEB),
        began_ns=NOW_NS - 30 * SECOND,
        reported_ns=NOW_NS,
        opened=3,
        closed=2,
        open=5,
        failures=(("refused", 1), ("no_local_port", 1)),
        moved=Moved(1, 2, 3),
        earlier=Moved(4, 5, 6),
        durations=Spread(2, 10**6, 10**7, 11 * 10**6),
        rtts=Spread(1, 50, 50, 50),
    )
    document = build(report)
    assert document["@timestamp"] == document["summary"]["ended_at"] == "2026-11-23T10:00:00.000Z"
    assert document["summary"]["started_at"] == "2026-11-23T09:59:30.000Z"
    assert (document["remote_ip"], document["remote_port"]) == ("10.0.0.2", 80)
    assert (document["local_process"]["pid"], document["container"]["name"]) == (4711, "web")
    assert document.keys().isdisjoint({"local_ip", "local_port", "connection", "network"})
    inbound = build(summary_report(direction=Direction.INBOUND, local_port=80, remote_port=None))
    assert (inbound["local_port"], inbound["remote_ip"]) == (80, "10.0.0.2")
    assert "remote_port" not in inbound


def test_a_summary_of_several_containers_says_what_it_leaves_out() -> None:
    folded = ("remote_port", "remote_ip", "local_process", "container")
    report = summary_report(
        local=Party(UnknownReason.SUMMARISED, None), remote_ip=None, remote_port=None, folded=folded
    )
    document = build(report)
    assert document["summary"]["folded"] == list(folded)
    assert document["local_process"]["unknown_reason"] == "summarised"
    assert document.keys() == {"@timestamp", "type", "beat", "local_process", "summary"}


def test_an_address_that_only_summaries_saw_in_use_is_the_host_s_too() -> None:
    one = builder()
    one.build(summary_report(local_ip=address("192.168.2.243:1")[0]))
    document = one.build(connection_report("192.168.2.243:2"))
    assert document["beat"]["local_ips"] == ["192.168.2.243"]


def test_what_summaries_told_of_a_connection_stands_beside_its_counters() -> None:
    report = connection_report(counters=counters(sent=74), summarised=Moved(70, 1000, 0))
    connection = build(report)["connection"]
    assert connection["bytes_sent"] == 74
    summarised = {"bytes_sent": 70, "bytes_received": 1000, "retransmits": 0}
    assert connection["summarised"] == summarised


def test_who_is_at_one_end_can_be_described_alone() -> None:
    document = builder(expose_cmdline=False).describe(Party(CURL, WEB))
    assert document.keys() == {"local_process", "container"}
    assert (document["local_process"]["cmdline"], document["container"]["name"]) == ("", "web")
    assert builder().describe(Party(CURL, None)).keys() == {"local_process"}


def test_what_is_not_known_is_not_there() -> None:
    connection = build(connection_report())["connection"]
    unknown = {"opened_at", "closed_at", "duration_ms", "bytes_sent", "rtt_ms", "failure"}
    assert unknown.isdisjoint(connection)
    listener = build(listener_report(backlog_max=0))["listener"]
    assert {"backlog_max", "opened_at", "closed_at"}.isdisjoint(listener)
    assert {"container", "remote_process", "remote_container", "nat"}.isdisjoint(
        build(connection_report())
    )


def test_a_failed_connection_says_why() -> None:
    report = connection_report(kind=EventKind.FAILED, failure="refused", closed_ns=NOW_NS)
    document = build(report)
    assert document["connection"]["failure"] == "refused"
    assert document["@timestamp"] == "2026-11-23T10:00:00.000Z"


@pytest.mark.parametrize(
    ("local", "remote", "has_interface"),
    [
        ("[fe80::1]:5000", "[fe80::2]:80", True),
        ("[2001:db8::1]:5000", "[fe80::2]:80", True),
        ("[2001:db8::1]:5000", "[2001:db8::2]:80", False),
        ("169.254.0.1:5000", "10.0.0.1:80", False),
    ],
)
def test_a_link_local_address_comes_with_its_interface(
    local: str, remote: str, has_interface: bool
) -> None:
    connection = build(connection_report(local, remote, interface=3))["connection"]
    assert connection.get("interface") == (3 if has_interface else None)


def test_a_listener_at_a_link_local_address_comes_with_its_interface() -> None:
    assert build(listener_report("[fe80::1]:80", interface=3))["listener"]["interface"] == 3
    assert "interface" not in build(listener_report(interface=3))["listener"]


# The original's quirks


def test_without_process_information_the_inode_stands_for_the_process() -> None:
    report = connection_report(owner=CURL, remote=RemoteParty(CURL, WEB))
    document = build(report, expose_process_info=False)
    assert document["local_process"] == {
        "binary": "Process with inode 17",
        "cmdline": "",
        "environ": [""],
    }
    assert "remote_process" not in document
    assert document["remote_container"]["name"] == "web"


@pytest.mark.parametrize("reason", UnknownReason)
def test_an_unknown_process_says_so_in_binary_and_has_no_pid(reason: UnknownReason) -> None:
    assert build(connection_report(owner=reason, inode=0))["local_process"] == {
        "binary": "Unknown process with inode 0",
        "cmdline": "",
        "environ": [""],
        "unknown_reason": reason,
    }


def test_command_line_and_environment_are_there_only_if_exposed() -> None:
    hidden = build(connection_report(owner=CURL), expose_cmdline=False)["local_process"]
    assert (hidden["cmdline"], hidden["environ"]) == ("", [""])
    shown = build(connection_report(owner=CURL), expose_environ=True)["local_process"]
    assert shown["environ"] == ["HOME=/root", "TOKEN=xxxxx"]


def test_secrets_are_masked_unless_the_user_says_otherwise() -> None:
    report = connection_report(owner=process(1, "app", "--password", "x"), container=WEB)
    masked = build(report, docker_environment=frozenset({"DB_PASSWORD"}))
    assert masked["local_process"]["cmdline"] == "app --password xxxxx"
    bare = build(
        report, redact=False, docker_environment=frozenset({"DB_PASSWORD"}), expose_environ=True
    )
    assert bare["local_process"]["cmdline"] == "app --password x"
    assert bare["container"]["env"] == ["DB_PASSWORD=x"]


def test_of_a_container_s_variables_only_the_named_are_told() -> None:
    assert build(connection_report(container=WEB))["container"]["env"] == []
    named = build(connection_report(container=WEB), docker_environment=frozenset({"TIER", "PA"}))
    assert named["container"]["env"] == ["TIER=front"]


def test_a_container_nobody_described_has_its_id_its_runtime_and_its_addresses() -> None:
    bare = Container("d" * 64, runtime="cri-o")
    document = build(connection_report("172.18.0.7:80", container=bare))
    assert document["container"] == {
        "id": "d" * 64,
        "runtime": "cri-o",
        "local_ips": ["172.18.0.7"],
    }


def test_a_container_that_a_kubelet_runs_has_its_names() -> None:
    labels = {
        "io.kubernetes.pod.name": "web-0",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": "2f1c",
        "io.kubernetes.container.name": "nginx",
    }
    pod = msgspec.structs.replace(WEB, labels=labels)
    document = build(connection_report(container=pod))
    assert document["kubernetes"] == {
        "pod": {"name": "web-0", "uid": "2f1c"},
        "namespace": "shop",
        "container": {"name": "nginx"},
    }
    assert document["container"]["labels"] == labels
    bare = msgspec.structs.replace(WEB, labels={"io.kubernetes.pod.name": "web-0"})
    named = build(connection_report(container=bare))["kubernetes"]
    assert named == {"pod": {"name": "web-0"}}
    assert "kubernetes" not in build(connection_report(container=WEB))


def test_the_documents_of_a_poll_share_what_is_told_of_a_container() -> None:
    made = builder()
    same = msgspec.structs.replace(WEB)
    parts = [made.build(connection_report(container=one))["container"] for one in (WEB, same)]
    assert parts[0] is parts[1]
    renamed = msgspec.structs.replace(WEB, name="other")
    assert made.build(connection_report(container=renamed))["container"]["name"] == "other"
    other = made.build(connection_report("172.19.0.4:1", container=WEB))["container"]
    assert other["local_ips"] == ["172.18.0.3", "10.0.0.1", "172.19.0.4"]
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    assert made.build(connection_report(container=WEB))["container"] is not other


def test_only_on_request_a_process_has_what_another_schema_shows() -> None:
    details = {"arguments", "started_ticks"}
    made = builder(with_process_details=True)
    shown = made.build(connection_report(owner=process(1, "app", "--password", "x")))
    assert shown["local_process"]["arguments"] == ["app", "--password", "xxxxx"]
    assert shown["local_process"]["started_ticks"] == 100
    assert details.isdisjoint(build(connection_report(owner=CURL))["local_process"])
    hidden = builder(with_process_details=True, expose_cmdline=False)
    assert hidden.build(connection_report(owner=CURL))["local_process"]["arguments"] == []


def test_a_process_without_a_path_or_a_user_name_leaves_them_out() -> None:
    bare = msgspec.structs.replace(CURL, executable="", user="", arguments=())
    shown = build(connection_report(owner=bare))["local_process"]
    assert {"executable", "user"}.isdisjoint(shown)
    assert shown["cmdline"] == ""


# Whose addresses


def test_local_ips_are_the_host_s_own_as_far_as_they_were_seen() -> None:
    made = builder()
    reports: list[Report] = [
        connection_report("127.0.0.1:1", "127.0.0.1:2"),
        listener_report("0.0.0.0:80"),
        connection_report("172.18.0.3:1", container=WEB),
        connection_report("10.9.9.9:1", netns=77),  # a namespace that is no container's
        connection_report("192.168.2.243:1"),
        listener_report("10.0.0.1:80"),
    ]
    document = [made.build(report) for report in reports][-1]
    assert document["beat"]["local_ips"] == ["192.168.2.243", "10.0.0.1"]


def test_a_container_s_addresses_are_the_engine_s_and_those_seen() -> None:
    made = builder()
    made.build(connection_report("172.19.0.4:1", container=WEB))
    document = made.build(connection_report("172.18.0.3:1", container=WEB))
    assert document["container"]["local_ips"] == ["172.18.0.3", "172.19.0.4"]


# What the user adds


def test_tags_and_fields_stand_where_they_stood() -> None:
    document = build(connection_report(), tags=("edge",), fields={"dc": "a"})
    assert (document["tags"], document["fields"]) == (["edge"], {"dc": "a"})
    assert {"tags", "fields"}.isdisjoint(build(connection_report()))


def test_fields_under_root_stand_there_and_win() -> None:
    made = builder(fields={"dc": "a", "type": "mine"}, fields_under_root=True)
    document = made.build(connection_report())
    assert (document["dc"], document["type"]) == ("a", "mine")
    assert "fields" not in document


def test_fields_under_root_reach_into_sections_and_change_no_other_document() -> None:
    made = builder(fields={"beat": {"name": "mine"}, "connection": 7}, fields_under_root=True)
    plain = builder().build(connection_report())
    for _ in range(2):
        document = made.build(connection_report())
        assert document["beat"] == {**plain["beat"], "name": "mine"}
        assert document["connection"] == 7
    assert builder().build(connection_report())["beat"] == plain["beat"]


def test_no_document_shares_what_the_user_adds_with_the_next() -> None:
    made = builder(tags=("edge",), fields={"dc": "a"})
    made.build(connection_report())["tags"].append("changed")
    made.build(connection_report())["fields"]["dc"] = "changed"
    document = made.build(connection_report())
    assert (document["tags"], document["fields"]) == (["edge"], {"dc": "a"})


def test_the_docker_host_can_be_learnt_later() -> None:
    made = builder()
    made.set_docker_host(DockerHost("other", ()))
    document = made.build(connection_report(container=WEB))
    assert document["container"]["docker_host"] == {"hostname": "other", "ips": []}


# Time


@pytest.mark.parametrize(
    ("kind", "second"),
    [
        (EventKind.OPENED, 1),
        (EventKind.ONGOING, 9),
        (EventKind.CLOSED, 5),
        (EventKind.FAILED, 5),
    ],
)
def test_an_event_s_time_is_that_of_what_it_tells(kind: EventKind, second: int) -> None:
    report = connection_report(
        kind=kind, opened_ns=SECOND, closed_ns=5 * SECOND, reported_ns=9 * SECOND
    )
    assert builder().timestamp_ns(report) == WALL_NS - NOW_NS + second * SECOND


@pytest.mark.parametrize("kind", EventKind)
def test_where_nobody_saw_it_happen_it_is_the_time_of_the_poll(kind: EventKind) -> None:
    report = connection_report(kind=kind, reported_ns=NOW_NS)
    assert builder().timestamp_ns(report) == WALL_NS


def test_a_stepped_wall_clock_is_followed_and_durations_do_not_notice() -> None:
    made = builder()
    made.begin(HOST_NETNS, NOW_NS + 2 * SECOND, WALL_NS + 3602 * SECOND)
    report = connection_report(
        kind=EventKind.CLOSED,
        opened_ns=NOW_NS,
        closed_ns=NOW_NS + SECOND,
        reported_ns=NOW_NS + 2 * SECOND,
    )
    document = made.build(report)
    assert document["@timestamp"] == "2026-11-23T11:00:01.000Z"
    assert document["connection"]["opened_at"] == "2026-11-23T11:00:00.000Z"
    assert document["connection"]["duration_ms"] == 1000


def test_a_process_is_not_taken_from_the_last_poll() -> None:
    """Another may stand at the same place in memory by then."""
    made = builder()
    held = msgspec.structs.replace(CURL)
    report = connection_report(owner=held, remote=RemoteParty(held, None))
    made.build(report)
    made.event(report)
    msgspec.structs.force_setattr(held, "binary", "wget")
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    for document in (made.build(report), msgspec.json.decode(made.event(report).body)):
        assert document["local_process"]["binary"] == document["remote_process"]["binary"] == "wget"


# Every event of every report


@st.composite
def turns(draw: st.DrawFn) -> list[list[Report]]:
    """Reports of polls in which a few parties and addresses come again and again."""
    parties = st.sampled_from(draw(st.lists(PARTIES, min_size=1, max_size=3)))
    others = st.sampled_from(draw(st.lists(REMOTE_PARTIES | st.none(), min_size=1, max_size=3)))
    addresses = st.sampled_from(draw(st.lists(IPS, min_size=1, max_size=2)))
    again = st.fixed_dictionaries(
        {},
        optional={
            "local": parties,
            "remote": others,
            "local_ip": addresses,
            "netns": st.sampled_from([HOST_NETNS, 7]),
        },
    )
    connections = st.builds(
        lambda report, changes: msgspec.structs.replace(report, **changes), CONNECTIONS, again
    )
    reports = connections | LISTENERS | st.sampled_from(WHOLE)
    return draw(st.lists(st.lists(reports, max_size=4), max_size=3))


POLICIES = st.fixed_dictionaries(
    {
        "name": TEXT,
        "tags": st.lists(TEXT, max_size=2).map(tuple),
        "fields": st.dictionaries(
            TEXT | st.sampled_from(["beat", "connection", "type"]),
            TEXT | st.dictionaries(TEXT | st.sampled_from(["name", "id"]), TEXT, max_size=2),
            max_size=2,
        ),
        "fields_under_root": st.booleans(),
        "timestamp_digits": st.sampled_from([3, 6, 9]),
        "docker_environment": st.sampled_from([frozenset(), frozenset({""})]),
        "expose_process_info": st.booleans(),
        "expose_cmdline": st.booleans(),
        "expose_environ": st.booleans(),
        "redact": st.booleans(),
    }
)


@given(turns(), POLICIES)
def test_an_event_is_its_document_byte_for_byte(
    polls: list[list[Report]], policy: dict[str, Any]
) -> None:
    encoding, building = builder(**policy), builder(**policy)
    for number, reports in enumerate(polls):
        for made in (encoding, building):
            made.begin(HOST_NETNS, NOW_NS + number * SECOND, WALL_NS + number * SECOND)
        for report in reports:
            event, document = encoding.event(report), building.build(report)
            assert event.body == msgspec.json.encode(document)
            assert (event.id, event.timestamp_ns) == (
                report.event_id,
                building.timestamp_ns(report),
            )


def test_an_address_that_a_document_told_first_stands_in_the_next_event() -> None:
    made = builder()
    for party, section in ((Party(CURL, None), "beat"), (Party(CURL, WEB), "container")):
        first, second = (
            msgspec.structs.replace(connection_report(local), local=party)
            for local in ("10.0.0.1:1", "10.9.9.9:1")
        )
        made.event(first)
        made.build(second)
        told = msgspec.json.decode(made.event(first).body)[section]["local_ips"]
        assert told[-2:] == ["10.0.0.1", "10.9.9.9"]


def test_a_text_that_is_none_fails_the_event_that_has_it_and_no_other() -> None:
    made = builder()
    broken = connection_report(owner=process(1, executable="/bin/\udcff"))
    for _ in range(2):
        with pytest.raises(UnicodeEncodeError):
            made.event(broken)
    report = connection_report(owner=CURL)
    assert made.event(report).body == msgspec.json.encode(builder().build(report))


# Every document of every report


@given(st.lists(CONNECTIONS | LISTENERS, max_size=4), SWITCHES)
def test_every_document_is_as_the_catalogue_says(
    reports: list[Report], switches: dict[str, bool]
) -> None:
    made = builder(tags=("t",), fields={"a": {"b": 1}}, **switches)
    for report in reports:
        assert_documented(json.loads(msgspec.json.encode(made.build(report))))


@given(CONNECTIONS)
def test_the_original_s_fields_have_the_types_its_consumers_read(report: ConnectionReport) -> None:
    document = builder().build(report)
    assert isinstance(document["@timestamp"], str)
    assert [type(document[key]) for key in ("local_port", "remote_port")] == [int, int]
    assert [type(document[key]) for key in ("local_ip", "remote_ip")] == [str, str]
    shown = document["local_process"]
    assert [type(shown[key]) for key in ("binary", "cmdline")] == [str, str]
    assert isinstance(shown["environ"], list)
    assert isinstance(shown.get("pid", 1), int)
    assert isinstance(document["beat"]["local_ips"], list)


def test_a_new_policy_counts_from_the_next_poll_on_and_addresses_stay_known() -> None:
    made = builder(tags=("old",))
    first = made.build(connection_report(owner=CURL))
    made.set_policy(DocumentPolicy(name="new", hostname="h", version="1", expose_cmdline=False))
    made.begin(HOST_NETNS, NOW_NS, WALL_NS)
    second = made.build(connection_report(owner=CURL))
    assert first["tags"] == ["old"]
    assert "tags" not in second
    assert second["local_process"]["cmdline"] == ""
    assert second["beat"]["name"] == "new"
    assert second["beat"]["local_ips"] == first["beat"]["local_ips"] != []
