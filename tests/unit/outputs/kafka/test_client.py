import logging
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer

from connbeat.errors import Permanent, Transient
from connbeat.model.batches import Batch, Event
from connbeat.model.format_strings import FormatString
from connbeat.outputs.kafka.client import KafkaOutput, build
from connbeat.outputs.kafka.config import KafkaConfig
from connbeat.outputs.kafka.reports import TOO_LARGE
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import FakeClock, batch, context, event, events, ids
from tests.unit.outputs.kafka.fakes import SILENT, FakeProducer

FIRST = events(10)


def config(**options: Any) -> KafkaConfig:
    given = {"hosts": ("127.0.0.1:1",), "topic": FormatString.parse("t"), **options}
    return KafkaConfig(**given)


def unhooked(**options: Any) -> KafkaOutput:
    return KafkaOutput(config(**options), context())


# Against librdkafka itself, with the cluster it brings for tests.


@pytest.fixture(scope="module")
def mock_cluster() -> Iterator[str]:
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "x", "log_level": 0})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    producer.flush(1)


@pytest.fixture
def output(mock_cluster: str) -> Iterator[KafkaOutput]:
    made = build(config(hosts=(mock_cluster,)), context())
    yield made
    made.close()


def test_a_batch_is_delivered(output: KafkaOutput) -> None:
    output.open()
    assert output.send(batch(*FIRST)).delivered == FIRST
    output.reopen()
    assert output.send(batch(*FIRST)).delivered == FIRST


def test_a_large_event_is_dropped_and_the_others_arrive(output: KafkaOutput) -> None:
    sent = (event(1), event(2, b"x" * 2_000_000), event(3))
    outcome = output.send(batch(*sent))
    assert ids(outcome.delivered) == ["e1", "e3"]
    assert [(drop.event.id, drop.reason) for drop in outcome.dropped] == [("e2", TOO_LARGE)]


def test_librdkafka_says_nothing_on_stderr(
    output: KafkaOutput, capfd: pytest.CaptureFixture[str]
) -> None:
    output.send(batch(*FIRST))
    dead = unhooked()
    with pytest.raises(Transient, match="refused"):
        dead.send(batch(*FIRST))
    dead.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"no.such.setting": "1"}, "no.such.setting"),
        ({"linger.ms": "soon"}, "queue.buffering.max.ms"),
        ({"retries": "0"}, "retries"),
        ({"on_delivery": "x"}, "callable"),
    ],
)
def test_what_librdkafka_refuses_stops_the_start(settings: dict[str, str], text: str) -> None:
    with pytest.raises(Permanent, match=text):
        unhooked(librdkafka=settings).open()


def test_a_certificate_that_is_none_stops_the_start() -> None:
    with pytest.raises(Permanent, match="certificate_authorities: /nowhere"):
        unhooked(ssl=TlsPolicy(certificate_authorities=("/nowhere",))).open()
    with pytest.raises(Permanent, match="ssl"):
        unhooked(ssl=TlsPolicy(certificate="/nowhere")).open()


def test_what_weakens_the_promise_is_told(caplog: pytest.LogCaptureFixture) -> None:
    made = unhooked(required_acks=1, librdkafka={"acks": "0", "linger.ms": "1"})
    made.open()
    made.open()
    made.close()
    name = "connbeat.outputs.kafka.client"
    assert [one.getMessage() for one in caplog.records if one.name == name] == [
        (
            "Without all acknowledgements events may be lost or stand twice."
            " output=kafka required_acks=1"
        ),
        "A setting of librdkafka replaces connbeat's own. output=kafka setting=acks",
    ]


# Against a librdkafka that obeys the test.


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> KafkaOutput:
    FakeProducer.made.clear()
    monkeypatch.setattr("connbeat.outputs.kafka.client.Producer", FakeProducer)
    made = unhooked()
    made.open()
    return made


def producer() -> FakeProducer:
    return FakeProducer.made[-1]


def bodies(these: tuple[Event, ...]) -> list[bytes]:
    return [one.body for one in these]


def test_the_cluster_is_asked_before_the_first_batch_and_after_trouble(
    hooked: KafkaOutput,
) -> None:
    hooked.send(batch(*FIRST))
    hooked.send(batch(*FIRST))
    assert producer().asked == ["t"]
    producer().complaints = [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN]
    hooked.send(batch(*FIRST))
    assert producer().asked == ["t", "t"]


def test_without_a_cluster_nothing_is_handed_over(hooked: KafkaOutput) -> None:
    first = producer()
    first.is_reachable = False
    with pytest.raises(Transient, match="Broker transport failure"):
        hooked.send(batch(*FIRST))
    assert first.requests == []
    assert len(first) == 0
    assert hooked.send(batch(*FIRST)).delivered == FIRST
    assert producer() is not first  # which resolves names and reads certificates anew


def test_an_outage_in_the_middle_is_waited_out(
    hooked: KafkaOutput, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    hooked._clock = clock
    silences = iter([SILENT] * 25)

    def answer(_: bytes) -> int | None:
        clock.advance(3)
        return next(silences, None)

    producer().answer = answer
    assert hooked.send(batch(*FIRST)).delivered == FIRST
    assert len(producer().stored) == len(FIRST)
    assert "The cluster does not answer for what was sent" in caplog.text


def test_a_full_buffer_is_waited_for(hooked: KafkaOutput) -> None:
    producer().room = 3
    assert hooked.send(batch(*FIRST)).delivered == FIRST
    assert producer().stored == bodies(FIRST)


def test_a_buffer_without_room_for_one_message_drops_it(hooked: KafkaOutput) -> None:
    producer().room = 0
    outcome = hooked.send(batch(*FIRST))
    assert [drop.reason for drop in outcome.dropped] == [TOO_LARGE] * len(FIRST)


def test_of_a_request_that_is_refused_only_the_guilty_are_dropped(hooked: KafkaOutput) -> None:
    guilty = {FIRST[3].body, FIRST[7].body}

    def answer(value: bytes) -> int | None:
        is_refused = guilty & set(producer().requests[-1])
        assert value in producer().requests[-1]
        return KafkaError.INVALID_RECORD if is_refused else None

    producer().answer = answer
    outcome = hooked.send(batch(*FIRST))
    assert ids(drop.event for drop in outcome.dropped) == ["e3", "e7"]
    assert ids(outcome.delivered) == [one.id for one in FIRST if one.body not in guilty]
    assert producer().stored == [one.body for one in FIRST if one.body not in guilty]


def test_what_may_not_be_written_waits_and_says_why(hooked: KafkaOutput) -> None:
    producer().answer = lambda _: KafkaError.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(Transient, match="Topic authorization failed"):
        hooked.send(batch(*FIRST))


def test_a_part_that_may_not_be_written_waits(hooked: KafkaOutput) -> None:
    producer().answer = lambda value: (
        KafkaError.TOPIC_AUTHORIZATION_FAILED if value == FIRST[0].body else None
    )
    outcome = hooked.send(batch(*FIRST))
    assert ids(outcome.retry) == ["e0"]
    assert outcome.delivered == FIRST[1:]


def test_a_fatal_error_begins_a_new_producer_and_tells_the_doubt(
    hooked: KafkaOutput, caplog: pytest.LogCaptureFixture
) -> None:
    first = producer()
    half = set(bodies(FIRST[:5]))

    def answer(value: bytes) -> int | None:
        first.complaints = [KafkaError._FATAL]
        return None if value in half else SILENT

    first.answer = answer
    outcome = hooked.send(batch(*FIRST))
    assert outcome.delivered == FIRST[:5]
    assert outcome.retry == FIRST[5:]
    assert "they may stand twice. output=kafka count=5" in caplog.text
    assert hooked.send(batch(*FIRST[5:])).delivered == FIRST[5:]
    assert len(FakeProducer.made) == 2


def test_a_fatal_error_between_batches_costs_nothing(hooked: KafkaOutput) -> None:
    hooked.send(batch(*FIRST))
    producer().complaints = [KafkaError._FATAL]
    assert hooked.send(batch(*FIRST)).delivered == FIRST
    assert len(FakeProducer.made) == 2


def test_a_certificate_that_goes_bad_later_is_waited_for(
    hooked: KafkaOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("ssl.certificate.location failed")

    hooked.close()
    monkeypatch.setattr("connbeat.outputs.kafka.client.Producer", refuse)
    with pytest.raises(Transient, match="location failed"):
        hooked.send(batch(*FIRST))
    with pytest.raises(Transient, match="location failed"):
        hooked.reopen()


def test_a_message_has_the_time_of_its_event(hooked: KafkaOutput) -> None:
    hooked.send(batch(Event("e", 1_700_000_000_123_999_999, b"{}")))
    assert producer().timestamps_ms == [1_700_000_000_123]


def test_nothing_is_asked_for_a_batch_that_has_nowhere_to_go(
    monkeypatch: pytest.MonkeyPatch, hooked: KafkaOutput
) -> None:
    monkeypatch.setattr(hooked, "_selector", FormatSelector())
    outcome = hooked.send(Batch(1, FIRST))
    assert len(outcome.dropped) == len(FIRST)
    assert producer().asked == []


class FormatSelector:
    """Chooses no topic for any event."""

    def select(self, _: Event) -> str:
        return ""


def test_closing_throws_away_what_librdkafka_still_holds(hooked: KafkaOutput) -> None:
    hooked.send(batch(*FIRST))
    hooked.close()
    hooked.close()
    assert len(producer()) == 0


def test_the_log_of_librdkafka_is_ours(hooked: KafkaOutput) -> None:
    assert hooked.name == "kafka"
    logger: Any = producer().logger
    logger.log(logging.INFO, "%s", "X", "n", "text")
