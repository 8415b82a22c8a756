import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.outputs.kafka.reports import (
    FATAL,
    NO_ROOM,
    REFUSED,
    TOO_LARGE,
    UNANSWERED,
    Failure,
    Reports,
    Trouble,
    Verdicts,
)
from connbeat.outputs.kafka.topics import INVALID_TOPIC, Message
from tests.deliveries import events, ids


class Error:
    """A KafkaError, as far as it is looked at."""

    def __init__(self, name: str, text: str = "") -> None:
        self._name = name
        self._text = text or name.lower()

    def name(self) -> str:
        return self._name

    def str(self) -> str:
        return self._text


def messages(count: int) -> list[Message]:
    return [Message(event, "t", None) for event in events(count)]


def answered(*names: str) -> Reports:
    """Reports where each message was answered: "" is delivered."""
    reports = Reports(len(names))
    for index, name in enumerate(names):
        reports.note(index, Error(name) if name else None, object())
    return reports


def test_answers_may_come_in_any_order() -> None:
    reports = Reports(3)
    reports.note(2, None)
    reports.note(0, Error("X"))
    assert reports.open == 1
    assert reports.failure(2) is None
    assert reports.failure(0) == Failure("X", "x")
    assert reports.failure(1) is UNANSWERED


def test_what_was_not_answered_is_sent_again_and_in_doubt() -> None:
    verdicts = Verdicts()
    reports = Reports(2)
    reports.note(0, None)
    assert verdicts.take(messages(2), reports) == []
    outcome = verdicts.outcome(events(2))
    assert ids(outcome.delivered) == ["e0"]
    assert ids(outcome.retry) == ["e1"]
    assert verdicts.doubtful == 1


def test_what_can_be_mended_is_sent_again_without_doubt() -> None:
    verdicts = Verdicts()
    verdicts.take(messages(2), answered("TOPIC_AUTHORIZATION_FAILED", "_UNKNOWN_TOPIC"))
    assert len(verdicts.outcome(events(2)).retry) == 2
    assert verdicts.doubtful == 0


def test_a_lost_connection_leaves_doubt() -> None:
    verdicts = Verdicts()
    verdicts.take(messages(3), answered("_PURGE_INFLIGHT", "_MSG_TIMED_OUT", "_PURGE_INFLIGHT"))
    assert verdicts.doubtful == 3
    assert verdicts.why_retried == "_purge_inflight"


def test_what_librdkafka_would_not_take_was_never_sent() -> None:
    verdicts = Verdicts()
    reports = Reports(1)
    reports.refuse(0, Failure(FATAL, "fatal", is_local=True))
    verdicts.take(messages(1), reports)
    assert len(verdicts.outcome(events(1)).retry) == 1
    assert verdicts.doubtful == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MSG_SIZE_TOO_LARGE", TOO_LARGE),
        ("INVALID_RECORD", REFUSED),
        ("INVALID_TIMESTAMP", REFUSED),
        ("TOPIC_EXCEPTION", INVALID_TOPIC),
    ],
)
def test_one_message_that_is_refused_alone_is_dropped(name: str, reason: str) -> None:
    verdicts = Verdicts()
    assert verdicts.take(messages(1), answered(name)) == []
    (drop,) = verdicts.outcome(events(1)).dropped
    assert (drop.event.id, drop.reason, drop.detail) == ("e0", reason, name.lower())


def test_a_message_refused_together_with_others_gets_another_round() -> None:
    verdicts = Verdicts()
    sent = messages(3)
    again = verdicts.take(sent, answered("MSG_SIZE_TOO_LARGE", "", "INVALID_RECORD"))
    assert again == [[sent[0]], [sent[2]]]
    assert verdicts.why_retried == ""


def test_whom_the_broker_calls_innocent_is_sent_again_together() -> None:
    verdicts = Verdicts()
    sent = messages(4)
    innocent = "_INVALID_DIFFERENT_RECORD"
    again = verdicts.take(sent, answered(innocent, "INVALID_RECORD", "INVALID_RECORD", innocent))
    assert again == [[sent[0], sent[3]], [sent[1]], [sent[2]]]
    assert verdicts.doubtful == 0


def test_innocents_without_a_culprit_are_sent_again_later() -> None:
    verdicts = Verdicts()
    assert verdicts.take(messages(2), answered(*["_INVALID_DIFFERENT_RECORD"] * 2)) == []
    assert len(verdicts.outcome(events(2)).retry) == 2
    assert verdicts.doubtful == 0


def test_what_its_own_size_or_topic_refuses_gets_none() -> None:
    verdicts = Verdicts()
    reports = Reports(3)
    reports.refuse(0, Failure("MSG_SIZE_TOO_LARGE", "", is_local=True))
    reports.refuse(1, Failure(NO_ROOM, "", is_local=True))
    reports.note(2, Error("TOPIC_EXCEPTION"))
    assert verdicts.take(messages(3), reports) == []
    assert [drop.reason for drop in verdicts.outcome(events(3)).dropped] == [
        TOO_LARGE,
        TOO_LARGE,
        INVALID_TOPIC,
    ]


@given(
    st.lists(
        st.sampled_from(["", "INVALID_RECORD", "_INVALID_DIFFERENT_RECORD", "_PURGE_QUEUE", "NEW"]),
        max_size=40,
    )
)
def test_every_event_is_named_once_and_rounds_come_to_an_end(names: list[str]) -> None:
    verdicts = Verdicts()
    by_event = dict(zip((message.event.id for message in messages(len(names))), names, strict=True))
    rounds = [messages(len(names))]
    for _ in range(2 * len(names) + 1):
        if not rounds:
            break
        part = rounds.pop(0)
        reports = answered(*(by_event[message.event.id] for message in part))
        rounds[:0] = verdicts.take(part, reports)
    assert rounds == []
    outcome = verdicts.outcome(events(len(names)))
    gone = [drop.event for drop in outcome.dropped]
    assert sorted(ids((*outcome.delivered, *outcome.retry, *gone))) == sorted(by_event)
    assert ids(gone) == [name for name, error in by_event.items() if error == "INVALID_RECORD"]


def test_trouble_keeps_the_error_that_says_most() -> None:
    trouble = Trouble()
    trouble.note(Error("_TRANSPORT", "refused"))
    trouble.note(Error("_ALL_BROKERS_DOWN", "1/1 brokers are down"))
    assert trouble.text == "refused"
    assert trouble.are_all_down
    assert not trouble.is_fatal


def test_only_a_fatal_error_outlives_a_recovery() -> None:
    trouble = Trouble()
    trouble.note(Error("_ALL_BROKERS_DOWN"))
    trouble.note(Error(FATAL))
    trouble.clear()
    assert not trouble.are_all_down
    assert trouble.is_fatal
    assert trouble.text == "_fatal"
