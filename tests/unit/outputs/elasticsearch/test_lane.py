import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Transient
from connbeat.model.batches import Event, Outcome
from connbeat.model.format_strings import FormatString
from connbeat.outputs.elasticsearch.bulk import (
    FILTER_PATH,
    IN_DEAD_LETTER_INDEX,
    MALFORMED,
    NO_INDEX,
    REFUSED,
    TOO_LARGE,
)
from connbeat.outputs.elasticsearch.cluster import Answer, Cluster
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.lane import BulkLane
from connbeat.outputs.failover import Failover
from tests.deliveries import FakeClock, event, events, ids
from tests.unit.outputs.elasticsearch.fakes import FakeCluster, no_answer

DAY_NS = 86_400 * 10**9


def lane(*clusters: FakeCluster, **options: Any) -> BulkLane:
    """Over as many hosts as there are clusters; it begins with the first."""
    hosts = tuple(f"h{number}" for number in range(len(clusters)))
    config = ElasticsearchConfig(hosts=hosts, **options)
    by_host = dict(zip(hosts, clusters, strict=True))
    clock = FakeClock()
    failover: Failover[Cluster] = Failover(
        config.urls, lambda url: by_host[url.host], begin=0, returns=False, clock=clock
    )
    return BulkLane(config, failover, clock)


def sources(cluster: FakeCluster) -> list[bytes]:
    return list(cluster.documents.values())


def test_a_batch_is_one_request_of_which_little_is_answered() -> None:
    cluster = FakeCluster()
    sent = events(3)
    assert lane(cluster, parameters={"timeout": "9s"}).send(sent) == Outcome(delivered=sent)
    (request,) = cluster.requests
    assert (request.method, request.path) == ("POST", "/_bulk")
    assert request.query == {"timeout": "9s", "filter_path": FILTER_PATH}
    assert sources(cluster) == [one.body for one in sent]


def test_sending_twice_stores_once() -> None:
    cluster = FakeCluster()
    sender = lane(cluster)
    for _ in range(2):
        assert sender.send(events(3)) == Outcome(delivered=events(3))
    assert len(cluster.documents) == 3


def test_each_event_goes_to_the_index_of_its_day() -> None:
    cluster = FakeCluster()
    lane(cluster).send((Event("a", 0, b"{}"), Event("b", DAY_NS, b"{}")))
    assert list(cluster.documents) == [
        ("connbeat-1970.01.01", "a"),
        ("connbeat-1970.01.02", "b"),
    ]


def test_rules_choose_the_index_and_names_are_in_lower_case() -> None:
    cluster = FakeCluster()
    rules = [{"index": "WEB-%{[p]}", "when": {"equals": {"p": 80}}}]
    sender = lane(cluster, indices=rules, index=FormatString.parse("Rest"))
    sender.send((Event("a", 0, b'{"p":80}'), Event("b", 0, b'{"p":22}')))
    assert list(cluster.documents) == [("web-80", "a"), ("rest", "b")]


def test_an_ingest_pipeline_goes_with_the_events_that_have_one() -> None:
    cluster = FakeCluster()
    lane(cluster, pipeline=FormatString.parse("P-%{[p]}")).send(
        (Event("a", 0, b'{"p":80}'), Event("b", 0, b"{}"))
    )
    lines = cluster.requests[0].body.splitlines()
    metas = [msgspec.json.decode(line)["create"] for line in lines[::2]]
    assert [meta.get("pipeline") for meta in metas] == ["p-80", None]


def test_an_event_without_an_index_costs_only_itself() -> None:
    sender = lane(FakeCluster(), index=FormatString.parse("x-%{[p]}"))
    outcome = sender.send((Event("a", 0, b"{}"), Event("b", 0, b'{"p":1}')))
    assert ids(outcome.delivered) == ["b"]
    assert [(drop.event.id, drop.reason) for drop in outcome.dropped] == [("a", NO_INDEX)]
    assert "p" in outcome.dropped[0].detail


def test_an_index_may_not_be_nameless() -> None:
    outcome = lane(FakeCluster(), index=FormatString.parse("%{[p]}")).send(
        (Event("a", 0, b'{"p":""}'),)
    )
    assert [drop.reason for drop in outcome.dropped] == [NO_INDEX]


def test_a_body_that_is_no_document_costs_only_itself() -> None:
    cluster = FakeCluster()
    outcome = lane(cluster).send((Event("a", 0, b'{"a":1}\n{"b":2}'), event(1)))
    assert ids(outcome.delivered) == ["e1"]
    assert [drop.reason for drop in outcome.dropped] == [MALFORMED]


def test_an_empty_batch_asks_nothing() -> None:
    cluster = FakeCluster()
    assert lane(cluster).send(()) == Outcome()
    assert not cluster.requests


def test_what_is_refused_is_dropped_and_the_rest_goes_through() -> None:
    cluster = FakeCluster()
    cluster.refuses = lambda _, body: (400, "no") if body == event(1).body else None
    outcome = lane(cluster).send(events(3))
    assert ids(outcome.delivered) == ["e0", "e2"]
    assert [(drop.event.id, drop.reason) for drop in outcome.dropped] == [("e1", REFUSED)]
    assert "refusal: no" in outcome.dropped[0].detail


def test_a_part_that_is_to_be_retried_is_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    cluster = FakeCluster()
    cluster.refuses = lambda _, body: (503, "busy") if body == event(1).body else None
    outcome = lane(cluster).send(events(3))
    assert (ids(outcome.delivered), ids(outcome.retry)) == (["e0", "e2"], ["e1"])
    assert "retry=1 error=503 refusal: busy" in caplog.text


def test_a_cluster_that_takes_nothing_says_why_and_for_how_long() -> None:
    cluster = FakeCluster()
    cluster.refuses = lambda _, __: (429, "full")
    with pytest.raises(Transient, match="full") as caught:
        lane(cluster).send(events(3))
    assert caught.value.after_seconds > 0


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 429, 500, 502, 503])
def test_a_whole_request_that_fails_is_sent_again(status: int) -> None:
    cluster = FakeCluster(Answer(status, b"why", retry_after_seconds=7.0))
    sender = lane(cluster)
    with pytest.raises(Transient, match=f"{status} why") as caught:
        sender.send(events(2))
    assert caught.value.after_seconds == 7.0
    assert sender.send(events(2)).delivered == events(2)


def test_only_an_overloaded_host_keeps_its_connection() -> None:
    for status, closed in ((429, 0), (503, 1), (401, 1)):
        cluster = FakeCluster(Answer(status, b""))
        with pytest.raises(Transient):
            lane(cluster).send(events(1))
        assert cluster.closed == closed


def test_a_host_that_gives_no_answer_gives_way_to_the_next() -> None:
    broken, healthy = FakeCluster(no_answer()), FakeCluster()
    sender = lane(broken, healthy)
    with pytest.raises(Transient, match="h0:9200: no answer"):
        sender.send(events(2))
    assert sender.send(events(2)).delivered == events(2)
    assert len(healthy.documents) == 2


def test_a_200_that_is_no_answer_is_no_delivery() -> None:
    cluster = FakeCluster(Answer(200, b"<html>log in</html>"))
    sender = lane(cluster)
    with pytest.raises(Transient, match="not an answer"):
        sender.send(events(2))
    assert sender.send(events(2)).delivered == events(2)


def test_a_request_that_is_too_large_is_split_and_the_limit_remembered() -> None:
    cluster = FakeCluster()
    cluster.most_bytes = 200
    sender = lane(cluster)
    assert sender.send(events(16)).delivered == events(16)
    assert sources(cluster) == [one.body for one in events(16)]
    refused = len(cluster.bulks())
    sender.send(events(16, first=16))
    assert all(len(one.body) <= 200 for one in cluster.bulks()[refused:])


def test_one_event_that_is_too_large_is_given_up_alone() -> None:
    cluster = FakeCluster()
    cluster.most_bytes = 200
    large = Event("large", 0, b'{"a":"%b"}' % (b"x" * 300))
    outcome = lane(cluster).send((event(0), large, event(1)))
    assert ids(outcome.delivered) == ["e0", "e1"]
    assert [(drop.event.id, drop.reason) for drop in outcome.dropped] == [("large", TOO_LARGE)]


def test_much_goes_out_in_requests_of_a_bearable_size() -> None:
    cluster = FakeCluster()
    large = tuple(Event(f"e{n}", 0, b'{"a":"%b"}' % (b"x" * 3_000_000)) for n in range(8))
    assert lane(cluster).send(large).delivered == large
    assert [len(one.body) < 10_500_000 for one in cluster.bulks()] == [True] * 3


def test_what_arrived_before_the_trouble_is_delivered() -> None:
    cluster = FakeCluster()
    cluster.most_bytes = 200
    sender = lane(cluster)
    sender.send(events(16))  # so that the next batch goes out in small requests

    def goes_away_after(_: str, body: bytes) -> None:
        if body == event(20).body:
            cluster.answers.append(no_answer())

    cluster.refuses = goes_away_after
    sent = events(16, first=16)
    outcome = sender.send(sent)
    assert event(20) in outcome.delivered
    assert event(31) in outcome.retry
    assert (*outcome.delivered, *outcome.retry) == sent


def test_dead_letters_have_an_index_of_their_own_on_request() -> None:
    cluster = FakeCluster()
    cluster.refuses = lambda index, _: (400, "no") if index.startswith("connbeat") else None
    outcome = lane(cluster, dead_letter_index="dead").send(events(2))
    assert [drop.reason for drop in outcome.dropped] == [IN_DEAD_LETTER_INDEX] * 2
    assert list(cluster.documents) == [("dead", "e0"), ("dead", "e1")]
    letter = msgspec.json.decode(sources(cluster)[0])
    assert letter["message"] == event(0).body.decode()
    assert letter["error"]["message"] == "400 refusal: no"


def test_a_dead_letter_that_cannot_be_kept_now_keeps_its_event_in_the_queue() -> None:
    cluster = FakeCluster()
    cluster.refuses = lambda index, _: (400, "no") if index != "dead" else (503, "busy")
    with pytest.raises(Transient, match="busy"):
        lane(cluster, dead_letter_index="dead").send(events(2))


def test_a_dead_letter_that_is_refused_leaves_the_event_refused() -> None:
    cluster = FakeCluster()
    cluster.refuses = lambda _, __: (400, "no")
    outcome = lane(cluster, dead_letter_index="dead").send(events(2))
    assert [drop.reason for drop in outcome.dropped] == [REFUSED] * 2


def test_dead_letters_of_a_host_that_went_away_are_tried_again() -> None:
    cluster = FakeCluster()

    def refuse(_: str, __: bytes) -> tuple[int, str]:
        if not cluster.answers:
            cluster.answers.append(no_answer())
        return 400, "no"

    cluster.refuses = refuse
    with pytest.raises(Transient, match="no answer"):
        lane(cluster, dead_letter_index="dead").send(events(2))


def test_opening_reaches_for_a_host_and_closing_lets_go() -> None:
    cluster = FakeCluster()
    sender = lane(cluster)
    sender.open()
    sender.close()
    assert cluster.closed == 1


_VERDICTS = st.lists(st.sampled_from([201, 409, 400, 403, 429, 503, 0]), min_size=1, max_size=12)


@given(_VERDICTS, st.integers(60, 400), st.booleans())
def test_whatever_happens_every_event_is_named_once(
    verdicts: list[int], most_bytes: int, has_dead_letters: bool
) -> None:
    cluster = FakeCluster()
    cluster.most_bytes = most_bytes
    sent = events(len(verdicts))
    by_body = {one.body: status for one, status in zip(sent, verdicts, strict=True)}
    cluster.refuses = lambda _, body: (by_body.get(body, 400), "so")
    sender = lane(cluster, dead_letter_index="dead" if has_dead_letters else "")
    try:
        outcome = sender.send(sent)
    except Transient:
        assert not {201, 409} & set(verdicts) or most_bytes < 100
        return
    told = (*outcome.delivered, *outcome.retry, *(drop.event for drop in outcome.dropped))
    assert sorted(ids(told)) == sorted(ids(sent))
    assert {by_body[one.body] for one in outcome.delivered} <= {201, 409}
