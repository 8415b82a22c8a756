"""Documents in ECS in real nodes of versions 7.17 and 8.19, with the template made for them."""

from typing import Any

import msgspec
import pytest

from connbeat.events.ecs import EcsDocumentBuilder, EcsNames
from connbeat.events.policy import DocumentPolicy
from connbeat.model.batches import Event
from connbeat.model.connections import EventKind, Report
from connbeat.model.containers import DockerHost
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.output import ElasticsearchOutput, build
from tests.builders import HOST_NETNS, connection_report, listener_report
from tests.deliveries import batch, context
from tests.documents import assert_documented
from tests.reports import CLOSED, NOW_NS, WALL_NS, WHOLE
from tests.services.elasticsearch_node import (
    ElasticsearchNode,
    missing_for_elasticsearch,
    shared_node,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_for_elasticsearch() != "", reason=missing_for_elasticsearch()),
]

DAY = "connbeat-ecs-2026.11.23"
POLICY = DocumentPolicy(
    name="h1",
    hostname="host1",
    version="1.0.0",
    tags=("edge",),
    fields={"dc": "a", "rack": {"row": 1}},
    expose_environ=True,
    docker_environment=frozenset({"TIER"}),
)


@pytest.fixture(params=[8, 7])
def node(request: pytest.FixtureRequest) -> ElasticsearchNode:
    made = shared_node(request.param)
    made.clear()
    return made


def output(node: ElasticsearchNode, **options: Any) -> ElasticsearchOutput:
    config = ElasticsearchConfig(
        hosts=(node.url,), proxy_disable=True, timeout_seconds=10.0, **options
    )
    return build(config, msgspec.structs.replace(context(), schema="ecs"))


#: By id, to be asked for.
REPORTS: dict[str, Report] = {
    "closed": CLOSED,
    "short": msgspec.structs.replace(CLOSED, is_only=True),
    "called": msgspec.structs.replace(CLOSED, direction="inbound"),
    "failed": msgspec.structs.replace(CLOSED, kind=EventKind.FAILED, failure="refused"),
    "opened": connection_report("[fe80::1]:1", "[fe80::2]:2", interface=3),
    "listener": listener_report("[fe80::1]:80", kind=EventKind.CLOSED),
}


def events() -> tuple[Event, ...]:
    """These, and one of every shape there is."""
    names = EcsNames(boot="b", agent_id="a", ephemeral_id="e")
    builder = EcsDocumentBuilder(POLICY, DockerHost("dh", ()), names)
    builder.begin(HOST_NETNS, NOW_NS, WALL_NS)
    reports = REPORTS | {f"whole{number}": report for number, report in enumerate(WHOLE)}
    return tuple(
        Event(name, WALL_NS, msgspec.json.encode(builder.build(report)))
        for name, report in reports.items()
    )


def found(node: ElasticsearchNode, query: str) -> set[str]:
    """Which of REPORTS, asked as Kibana asks."""
    body = {"query": {"query_string": {"query": query}}, "size": 1000}
    hits = node.ask("POST", f"/{DAY}/_search", body)["hits"]["hits"]
    return {hit["_id"] for hit in hits} & REPORTS.keys()


def test_documents_are_stored_whole_and_found_as_kibana_and_its_rules_ask(
    node: ElasticsearchNode,
) -> None:
    sent = events()
    for one in sent:
        assert_documented(msgspec.json.decode(one.body), "ecs")
    made = output(node)
    made.open()
    outcome = made.send(batch(*sent))
    assert (outcome.dropped, outcome.delivered) == ((), sent)
    stored = {hit["_id"]: hit["_source"] for hit in node.documents(DAY)}
    assert stored == {one.id: msgspec.json.decode(one.body) for one in sent}
    assert node.ask("GET", f"/{DAY}/_count?q=_ignored:*")["count"] == 0
    rule = "event.category:network AND event.type:start AND host.os.type:linux"
    assert found(node, f"{rule} AND event.action:connection_attempted") == {
        "short",
        "failed",
        "opened",
    }
    full = {"closed", "short", "called", "failed"}
    for query, ids in {
        "source.ip:172.18.0.0\\/16 AND destination.port:[80 TO 443]": {"short", "closed", "failed"},
        "network.direction:ingress AND source.bytes:>1000": {"called"},
        "event.duration:>=3999411000 AND process.args:http*": full,
        "related.ip:172.18.0.9 AND container.image.name:nginx": full,
        "container.labels.io.kubernetes.pod.name:web-0": full,
        "labels.rack.row:1 AND server.port:80 AND NOT _exists_:source": {"listener"},
        "connbeat.connection.interface:3 AND network.type:ipv6": {"opened"},
        "event.outcome:failure AND event.reason:refused": {"failed"},
    }.items():
        assert found(node, query) == ids, query


def test_a_field_that_somebody_changed_refuses_nothing(node: ElasticsearchNode) -> None:
    odd: list[dict[str, Any]] = [
        {"source": {"ip": "a name", "port": "http", "bytes": 2**70, "nat": {"ip": [None, ""]}}},
        {"destination": {"port": -1.5, "address": ["a", 1]}},
        {"process": {"pid": "x", "command_line": "é" * 40_000, "args": [1, None, "x" * 40_000]}},
        {"event": {"duration": "long", "start": "never", "type": "start", "id": 1}},
        {"data_stream": {"namespace": "prod", "dataset": "other"}},
        {"container": {"labels": {"a": "1", "a.b": "2", "": "x" * 40_000}, "image": {"tag": 1}}},
        {"labels": {"a": "1", "a.b": {"c": 2}}},
        {"host": {"ip": ["not one"], "later": {"deeper": 1}}},
        {"connbeat": {"container": {"ports": {"80": [1, "x"]}}, "later": {"deeper": True}}},
        {"fields": {"a": {"b": 1}}, "kubernetes": {"pod": "x"}},
        {"fields": {"a": 1}, "kubernetes": {"pod": {"name": "x"}}},
    ]
    sent = tuple(
        Event(f"odd{number}", WALL_NS, msgspec.json.encode({"@timestamp": "2026-11-23", **one}))
        for number, one in enumerate(odd)
    )
    for order in (sent, tuple(reversed(sent))):
        node.clear()
        made = output(node)
        outcome = made.send(batch(*order))
        assert [drop.detail for drop in outcome.dropped] == []
        assert outcome.delivered == order


def test_both_schemas_have_their_templates_side_by_side(node: ElasticsearchNode) -> None:
    """The pattern of the one fits the indices of the other."""
    plain = ElasticsearchConfig(hosts=(node.url,), proxy_disable=True)
    build(plain, context()).open()
    made = output(node)
    made.open()
    made.send(batch(*events()))
    mapped = node.ask("GET", f"/{DAY}/_mapping")[DAY]["mappings"]["properties"]
    assert mapped["source"]["properties"]["ip"]["type"] == "ip"
    assert "local_ip" not in mapped
