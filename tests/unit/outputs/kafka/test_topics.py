import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.batches import Event
from connbeat.model.format_strings import FormatString
from connbeat.model.selectors import Selector
from connbeat.outputs.kafka.topics import (
    INVALID_TOPIC,
    NO_TOPIC,
    address,
    is_topic,
    key_of,
)
from tests.deliveries import event, events

TO_T = FormatString.parse("t")
NO_KEY = FormatString.parse("")


def test_topic_and_key_come_from_the_event() -> None:
    sent = (event(1, b'{"type":"a","n":1}'), event(2, b'{"type":"b","n":2}'))
    topic, key = FormatString.parse("to-%{[type]}"), FormatString.parse("%{[n]}")
    messages, dropped = address(sent, topic.render, key)
    assert [(one.event, one.topic, one.key) for one in messages] == [
        (sent[0], "to-a", b"1"),
        (sent[1], "to-b", b"2"),
    ]
    assert dropped == []


def test_a_key_without_its_field_is_no_key() -> None:
    messages, _ = address(events(1), TO_T.render, FormatString.parse("%{[nowhere]}"))
    assert messages[0].key is None


def test_an_empty_key_is_no_key() -> None:
    messages, _ = address(events(1), TO_T.render, NO_KEY)
    assert messages[0].key is None


@pytest.mark.parametrize("hostname", ["h1", "%{[x]}", "a\\b", "%{+yyyy}", "ä"])
def test_without_a_choice_the_key_is_the_host_as_it_stands(hostname: str) -> None:
    assert key_of(None, hostname).constant == hostname


def test_an_empty_choice_is_a_choice() -> None:
    assert key_of(NO_KEY, "h1") == NO_KEY


def test_an_event_that_lacks_the_field_of_its_topic_is_dropped_alone() -> None:
    sent = (event(1), event(2, b'{"type":"b"}'))
    messages, dropped = address(sent, FormatString.parse("%{[type]}").render, NO_KEY)
    assert [one.event for one in messages] == [sent[1]]
    assert [(drop.event, drop.reason) for drop in dropped] == [(sent[0], NO_TOPIC)]


def test_an_event_that_no_rule_takes_has_no_topic() -> None:
    selector = Selector.parse([{"topic": "x", "when": {"equals": {"n": 7}}}], "topic", None)
    messages, dropped = address(events(8), selector.select, NO_KEY)
    assert [one.event.id for one in messages] == ["e7"]
    assert {drop.reason for drop in dropped} == {NO_TOPIC}


def test_a_topic_that_kafka_would_refuse_is_refused_here() -> None:
    sent = event(1, b'{"type":"a/b"}')
    messages, dropped = address((sent,), FormatString.parse("%{[type]}").render, NO_KEY)
    assert messages == []
    assert dropped[0].reason == INVALID_TOPIC
    assert "a/b" in dropped[0].detail


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "...", "x" * 249])
def test_what_is_a_topic(name: str) -> None:
    assert is_topic(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250, "a\n", "a\0"])
def test_what_is_none(name: str) -> None:
    assert not is_topic(name)


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_every_event_is_addressed_or_dropped(bodies: list[bytes]) -> None:
    sent = [Event(f"e{n}", n, body) for n, body in enumerate(bodies)]
    messages, dropped = address(sent, FormatString.parse("%{[type]:t}").render, NO_KEY)
    named = [one.event.id for one in messages] + [drop.event.id for drop in dropped]
    assert sorted(named) == sorted(one.id for one in sent)
