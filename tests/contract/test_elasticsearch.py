"""The Elasticsearch output against real nodes of versions 7.17 and 8.19."""

import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.outputs import document
from connbeat.errors import Transient
from connbeat.model.batches import Event, Outcome
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.output import ElasticsearchOutput, build
from connbeat.outputs.protocol import Step
from tests.deliveries import batch, context, event, events, ids
from tests.documents import assert_documented
from tests.servers.fault_proxy import FaultProxy, Refuse, Truncate
from tests.services.elasticsearch_node import (
    ElasticsearchNode,
    missing_for_elasticsearch,
    shared_node,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_for_elasticsearch() != "", reason=missing_for_elasticsearch()),
]

SECOND_NS = 1_795_000_000_000_000_000
DAY = "connbeat-2026.11.18"


@pytest.fixture(params=[8, 7])
def node(request: pytest.FixtureRequest) -> ElasticsearchNode:
    made = shared_node(request.param)
    made.clear()
    return made


@pytest.fixture
def node8() -> ElasticsearchNode:
    made = shared_node()
    made.clear()
    return made


def output(*hosts: str, **options: Any) -> ElasticsearchOutput:
    options.setdefault("timeout_seconds", 10.0)
    return build(ElasticsearchConfig(hosts=hosts, proxy_disable=True, **options), context())


def of(id_: str, **fields: object) -> Event:
    body = {"@timestamp": "2026-11-18T13:06:40.000Z", **fields}
    return Event(id_, SECOND_NS, msgspec.json.encode(body))


def found_at(node: ElasticsearchNode, index: str) -> dict[str, dict[str, Any]]:
    """By id."""
    return {hit["_id"]: hit["_source"] for hit in node.documents(index)}


def test_whole_documents_arrive_and_can_be_searched_by_their_types(
    node: ElasticsearchNode,
) -> None:
    whole = document(77)
    assert_documented(whole)
    made = output(node.url)
    made.open()
    assert made.send(batch(of("a", **whole))).delivered
    assert found_at(node, DAY) == {"a": whole}
    for query in (
        {"range": {"remote_port": {"gte": 400, "lte": 450}}},
        {"term": {"remote_ip": "10.0.0.0/24"}},
        {"term": {"container.labels.com.docker.compose.project": "shop"}},
        {"term": {"container.ports.80.HostPort": "8080"}},
        {"range": {"connection.closed_at": {"gte": "2026-11-18"}}},
        {"prefix": {"local_process.cmdline": "/usr/bin/curl"}},
    ):
        answer = node.ask("POST", f"/{DAY}/_search", {"query": query})
        assert [hit["_id"] for hit in answer["hits"]["hits"]] == ["a"], query


def test_sending_again_stores_nothing_twice(node: ElasticsearchNode) -> None:
    made = output(node.url)
    for _ in range(3):
        assert made.send(batch(*events(20))) == Outcome(delivered=events(20))
    made.close()
    made.open()
    assert made.send(batch(*events(20))).delivered == events(20)
    assert sorted(found_at(node, "connbeat-*")) == sorted(ids(events(20)))


def test_each_day_has_its_index(node: ElasticsearchNode) -> None:
    day_ns = 86_400 * 10**9
    sent = tuple(Event(f"d{n}", SECOND_NS + n * day_ns, b'{"n":%d}' % n) for n in range(3))
    output(node.url).send(batch(*sent))
    indices = {hit["_id"]: hit["_index"] for hit in node.documents("connbeat-*")}
    assert indices == {
        "d0": "connbeat-2026.11.18",
        "d1": "connbeat-2026.11.19",
        "d2": "connbeat-2026.11.20",
    }


ODD: list[dict[str, Any]] = [
    {"local_ip": "not an address"},
    {"local_ip": ["192.0.2.1", "fe80::1%eth0", None, ""]},
    {"remote_port": "http"},
    {"remote_port": 2**70},
    {"remote_port": 1.5},
    {"remote_port": True},
    {"connection": {"duration_ms": "long", "opened_at": "never", "bytes_sent": -1}},
    {"container": {"labels": {"a": "1", "a.b": "2", "a.b.c": "3", "x": "y" * 40_000}}},
    {"container": {"labels": {"": "", ".": ".", " ": "x", "ü": "é" * 10_000}}},
    {"container": {"ports": {}, "local_ips": [], "env": None}},
    {"local_process": {"cmdline": "é" * 40_000, "environ": ["x" * 100_000] * 3}},
    {"fields": {"a": 1}},
    {"fields": {"a": {"b": "x"}}},
    {"fields": {"a": [1, {"b": None}, "x"]}},
    {"beat": {"local_ips": None}},
    {"unknown": 1},
    {"unknown": "text"},
    {"unknown": {"deeper": True}},
    {"unknown": {"deeper": {"still": 1.5}}},
    {"unknown": [1, {"deeper": "x"}]},
    {"unknown": "2026-11-18"},
    {"tags": ["a", 1, None]},
]


def test_no_event_is_refused_for_its_values(node: ElasticsearchNode) -> None:
    made = output(node.url)
    sent = tuple(of(f"odd{number}", **fields) for number, fields in enumerate(ODD))
    for order in (sent, tuple(reversed(sent))):
        node.clear()
        made.reopen()
        outcome = made.send(batch(*order))
        assert [drop.detail for drop in outcome.dropped] == []
        assert outcome.delivered == order
    assert {id_: len(source) for id_, source in found_at(node, DAY).items()} == {
        one.id: len(msgspec.json.decode(one.body)) for one in sent
    }


def test_more_fields_than_an_index_may_have_are_stored_all_the_same(
    node8: ElasticsearchNode,
) -> None:
    many = {f"unknown{number}": number for number in range(12_000)}
    assert output(node8.url).send(batch(of("many", **many))).delivered


def test_an_event_that_clashes_with_a_mapping_is_told_apart(node: ElasticsearchNode) -> None:
    mapping = {"properties": {"type": {"type": "long"}}}
    node.ask("PUT", f"/{DAY}", {"mappings": mapping})
    bad, good = of("bad", type="connbeat"), of("good", type=1)
    outcome = output(node.url).send(batch(bad, good))
    assert outcome.delivered == (good,)
    (drop,) = outcome.dropped
    assert (drop.event, drop.reason) == (bad, "refused")
    assert "failed to parse field [type] of type [long]" in drop.detail


def test_a_dead_letter_index_keeps_what_clashes(node: ElasticsearchNode) -> None:
    node.ask("PUT", f"/{DAY}", {"mappings": {"properties": {"type": {"type": "long"}}}})
    bad = of("bad", type="connbeat")
    made = output(node.url, dead_letter_index="dead")
    for _ in range(2):
        assert [drop.reason for drop in made.send(batch(bad)).dropped] == ["dead_letter_index"]
    (letter,) = found_at(node, "dead").values()
    assert letter["message"] == bad.body.decode()
    assert "failed to parse" in letter["error"]["message"]


def test_a_data_stream_on_request(node8: ElasticsearchNode) -> None:
    # A name of its own: without the commercial modules nothing takes a data stream away again.
    made = output(node8.url, data_stream=True, template_name="stream")
    made.open()
    sent = (of("a", remote_port=80), of("b"))
    for _ in range(2):
        assert made.send(batch(*sent)).delivered == sent
    hits = list(node8.documents("logs-connbeat-default"))
    assert sorted(hit["_id"] for hit in hits) == ["a", "b"]
    assert all(hit["_index"].startswith(".ds-logs-connbeat-default") for hit in hits)


def test_the_template_of_the_users_settings_is_there_before_the_first_event(
    node: ElasticsearchNode,
) -> None:
    settings = {"index": {"number_of_replicas": 0, "refresh_interval": "1s"}}
    made = output(node.url, template_settings=settings)
    made.open()
    made.send(batch(of("a")))
    found = node.ask("GET", f"/{DAY}/_settings")[DAY]["settings"]["index"]
    assert (found["number_of_replicas"], found["refresh_interval"]) == ("0", "1s")


def test_settings_the_cluster_does_not_know_are_told(node: ElasticsearchNode) -> None:
    with pytest.raises(Transient, match=r"index\.no_such"):
        output(node.url, template_settings={"index.no_such": 1}).open()


def test_a_lifecycle_policy_that_cannot_be_is_no_obstacle(node: ElasticsearchNode) -> None:
    made = output(node.url, ilm_enabled=True)
    made.open()
    assert made.send(batch(of("a"))).delivered


def test_setup_puts_the_template_there_and_says_what_could_not_be(
    node: ElasticsearchNode,
) -> None:
    found = output(node.url).prepare()
    assert (found.template, found.policy) == ("connbeat", "")
    node.ask("GET", "/_index_template/connbeat")
    assert output(node.url, template_enabled=False).prepare().template == ""
    with pytest.raises(Transient, match="has no lifecycle management"):  # these nodes have none
        output(node.url, ilm_enabled=True).prepare()


def test_a_missing_pipeline_costs_its_events_with_a_reason(node8: ElasticsearchNode) -> None:
    rules = [{"pipeline": "no-such", "when": {"equals": {"type": "x"}}}]
    outcome = output(node8.url, pipelines=rules).send(batch(of("a", type="x"), of("b")))
    assert ids(outcome.delivered) == ["b"]
    assert "no-such" in outcome.dropped[0].detail


def test_an_index_that_is_read_only_is_waited_for(node: ElasticsearchNode) -> None:
    made = output(node.url)
    made.send(batch(of("a")))
    node.ask("PUT", f"/{DAY}/_settings", {"index.blocks.write": True})
    with pytest.raises(Transient, match="blocked"):
        made.send(batch(of("b")))
    node.ask("PUT", f"/{DAY}/_settings", {"index.blocks.write": False})
    assert made.send(batch(of("b"))).delivered


def test_checks_name_version_and_rights(node: ElasticsearchNode) -> None:
    found = {check.step: check for check in output(node.url).checks()}
    assert list(found) == [Step.RESOLVE, Step.CONNECT, Step.TALK, Step.WRITE]
    assert found[Step.TALK].detail.startswith(("Elasticsearch 8.19.", "Elasticsearch 7.17."))
    assert "everybody may write" in found[Step.WRITE].detail
    with pytest.raises(urllib.error.HTTPError):
        node.ask("GET", "/_index_template/connbeat")


def test_an_answer_that_is_lost_leads_to_no_second_copy(node8: ElasticsearchNode) -> None:
    with FaultProxy(node8.address) as proxy:
        made = output(f"127.0.0.1:{proxy.port}")
        made.open()
        proxy.fault = Truncate(after_bytes=900)  # the answers so far were shorter
        waiting = events(50)
        with pytest.raises(Transient):
            made.send(batch(*waiting))
        proxy.fault = None
        assert made.send(batch(*waiting)).delivered == waiting
        assert node8.count("connbeat-*") == 50


@pytest.mark.parametrize("loadbalance", [True, False])
def test_two_hosts_stand_in_for_each_other(node8: ElasticsearchNode, loadbalance: bool) -> None:
    with FaultProxy(node8.address) as proxy:
        made = output(node8.url, f"127.0.0.1:{proxy.port}", loadbalance=loadbalance)
        for number in range(8):
            proxy.fault = Refuse() if number >= 4 else None
            if number == 4:
                proxy.cut()
            waiting: tuple[Event, ...] = events(6, first=6 * number)
            for _ in range(3):
                waiting = send(made, waiting)
            assert waiting == ()
        made.close()
    assert node8.count("connbeat-*") == 48


def send(made: ElasticsearchOutput, waiting: tuple[Event, ...]) -> tuple[Event, ...]:
    """One try; what is still to be sent."""
    try:
        return made.send(batch(*waiting)).retry if waiting else ()
    except Transient:
        return waiting


@pytest.fixture
def small_node(tmp_path: Path) -> Iterator[ElasticsearchNode]:
    """It takes requests of 64 KiB, and 20 KiB of documents at a time."""
    settings = ("http.max_content_length=64kb", "indexing_pressure.memory.limit=20kb")
    with ElasticsearchNode(tmp_path / "node", *settings) as node:
        yield node


def test_limits_of_the_cluster_split_requests_and_slow_them_down(
    small_node: ElasticsearchNode,
) -> None:
    made = output(small_node.url, compression_level=0)
    made.open()
    large = of("large", a="x" * 80_000)
    too_much = tuple(of(f"e{number}", a="x" * 1_000) for number in range(30))
    with pytest.raises(Transient, match="429"):
        made.send(batch(*too_much))
    assert made.send(batch(*too_much[:10])).delivered == too_much[:10]
    sent = (of("a"), large, of("b"))
    outcome = made.send(batch(*sent))
    assert ids(outcome.delivered) == ["a", "b"]
    assert [(drop.event, drop.reason) for drop in outcome.dropped] == [(large, "too_large")]


def test_a_node_that_is_killed_loses_nothing_that_was_delivered(tmp_path: Path) -> None:
    with ElasticsearchNode(tmp_path / "node") as node:
        made = output(node.url, timeout_seconds=3.0)
        delivered = made.send(batch(*events(500))).delivered
        node.kill()
        with pytest.raises(Transient, match="refused"):
            made.send(batch(*events(500, first=500)))
        node.start()
        delivered += made.send(batch(*events(500, first=500))).delivered
        assert sorted(found_at(node, "connbeat-*")) == sorted(ids(delivered))
        assert len(delivered) == 1000
        node.pause()
        with pytest.raises(Transient, match="no answer within 3 s"):
            made.send(batch(event(1000)))
        node.resume()
        assert made.send(batch(event(1000))).delivered == (event(1000),)
