"""The Kafka output against a real broker: what it promises in trouble, and whom it lets in.

The suites in test_outputs.py and test_output_faults.py are for all outputs; the second is not for
this one, whose `send` waits out what begins in the middle of a batch instead of sending twice.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connbeat.errors import Transient
from connbeat.model.batches import Event, Outcome
from connbeat.model.format_strings import FormatString
from connbeat.outputs.kafka.client import KafkaOutput
from connbeat.outputs.kafka.config import KafkaConfig
from connbeat.outputs.kafka.reports import REFUSED, TOO_LARGE
from connbeat.outputs.protocol import Check, Step
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import batch, context, event, events, ids
from tests.servers.fault_proxy import Delay, Fault, HalfClose, Refuse, Reset, Stall, Truncate
from tests.services.kafka_broker import (
    BARRED_USER,
    PASSWORD,
    USER,
    KafkaBroker,
    missing_for_kafka,
    new_topic,
    shared_broker,
)

pytestmark = pytest.mark.timeout(120)

TIMEOUT = 2.0
TROUBLE_SECONDS = 1.0


@pytest.fixture
def broker() -> Iterator[KafkaBroker]:
    if reason := missing_for_kafka():
        pytest.skip(reason)
    made = shared_broker()
    yield made
    made.proxy.fault = None
    made.proxy.direction = "down"


@pytest.fixture
def topic(broker: KafkaBroker) -> str:
    name = new_topic()
    broker.make_topic(name)
    return name


@pytest.fixture
def connect() -> Iterator[Callable[..., KafkaOutput]]:
    """Outputs that are closed at the end: `connect(address, topic, option=...)`."""
    made: list[KafkaOutput] = []

    def new(address: str, topic: str, **options: Any) -> KafkaOutput:
        config = KafkaConfig(
            hosts=(address,),
            topic=FormatString.parse(topic),
            **{"timeout_seconds": TIMEOUT, **options},
        )
        made.append(KafkaOutput(config, context()))
        return made[-1]

    yield new
    for output in made:
        output.close()


Connect = Callable[..., KafkaOutput]


@contextmanager
def soon(act: Callable[[], None], seconds: float) -> Iterator[None]:
    """It is done that much later, and before the block ends."""
    timer = threading.Timer(seconds, act)
    timer.start()
    yield
    timer.join()


def send_all(output: KafkaOutput, these: tuple[Event, ...]) -> None:
    """As the worker does, until everything has arrived."""
    waiting = these
    deadline = time.monotonic() + 60
    while waiting:
        assert time.monotonic() < deadline, "it does not arrive"
        try:
            outcome = output.send(batch(*waiting))
        except Transient:
            time.sleep(0.1)
            continue
        assert not outcome.dropped
        waiting = outcome.retry


def bodies(these: tuple[Event, ...]) -> list[bytes]:
    return [one.body for one in these]


# ------------------------------------------------------------------ what is written


def test_a_message_has_the_key_and_the_time_of_its_event(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    sent = Event("e1", 1_700_000_000_123_000_000, b'{"type":"x"}')
    connect(broker.address, topic).send(batch(sent))
    (record,) = broker.read(topic)
    assert (record.key, record.value) == (b"h1", sent.body)
    assert record.timestamp_ms == 1_700_000_000_123


@pytest.mark.parametrize("compression", ["none", "snappy", "lz4", "gzip", "zstd"])
def test_every_compression_arrives_as_it_was(
    broker: KafkaBroker, topic: str, connect: Connect, compression: str
) -> None:
    sent = events(100)
    connect(broker.address, topic, compression=compression).send(batch(*sent))
    assert broker.values(topic) == bodies(sent)


def test_the_events_of_a_key_stay_in_order_in_one_partition(
    broker: KafkaBroker, connect: Connect
) -> None:
    topic = new_topic()
    broker.make_topic(topic, partitions=3)
    output = connect(broker.address, topic, key=FormatString.parse("%{[k]}"))
    sent = tuple(event(n, b'{"k":"%d","n":%d}' % (n % 7, n)) for n in range(2000))
    assert output.send(batch(*sent)).delivered == sent
    records = broker.read(topic)
    assert len({record.partition for record in records}) > 1
    for key in {record.key for record in records}:
        of_key = [record for record in records if record.key == key]
        assert len({record.partition for record in of_key}) == 1
        assert [record.value for record in of_key] == [
            one.body for one in sent if key is not None and b'"k":"%s"' % key in one.body
        ]


def test_rules_choose_the_topic(broker: KafkaBroker, topic: str, connect: Connect) -> None:
    other = new_topic()
    rules = ({"topic": other, "when": {"equals": {"n": 3}}},)
    outcome = connect(broker.address, topic, topics=rules).send(batch(*events(5)))
    assert outcome.delivered == events(5)
    assert broker.values(other) == [event(3).body]
    assert len(broker.values(topic)) == 4


@pytest.mark.parametrize("acks", [0, 1])
def test_fewer_acknowledgements_deliver_too(
    broker: KafkaBroker, topic: str, connect: Connect, acks: int
) -> None:
    sent = events(100)
    assert connect(broker.address, topic, required_acks=acks).send(batch(*sent)).delivered == sent
    assert broker.values(topic) == bodies(sent)


# ------------------------------------------------------------------ trouble


def test_a_broker_killed_in_the_middle_of_batches_loses_and_doubles_nothing(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    output = connect(broker.address, topic)
    sent = events(60_000)
    output.send(batch(*sent[:2000]))

    def kill_and_start() -> None:
        broker.kill()
        broker.start()

    with soon(kill_and_start, 0.1):
        for first in range(2000, len(sent), 2000):
            send_all(output, sent[first : first + 2000])
    assert broker.values(topic) == bodies(sent)


def test_a_broker_that_is_away_before_the_batch_gets_nothing_twice(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    output = connect(broker.address, topic)
    output.send(batch(*events(10)))
    broker.kill()
    try:
        for _ in range(2):
            with pytest.raises(Transient, match="refused"):
                output.send(batch(*events(10, first=10)))
    finally:
        broker.start()
    send_all(output, events(10, first=10))
    assert broker.values(topic) == bodies(events(20))


def test_a_broker_that_hangs_is_waited_for(
    broker: KafkaBroker, topic: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    output = connect(broker.address, topic, timeout_seconds=0.5)
    output.send(batch(*events(10)))
    with broker.frozen():
        timer = threading.Timer(3.0, broker.thaw)
        timer.start()
        outcome = output.send(batch(*events(10, first=10)))
        timer.join()
    assert outcome.delivered == events(10, first=10)
    assert broker.values(topic) == bodies(events(20))
    assert "The cluster does not answer for what was sent" in caplog.text


FAULTS: list[tuple[Fault, str]] = [
    (Refuse(), "down"),
    (Reset(), "down"),
    (Reset(after_bytes=20), "down"),
    (Reset(), "up"),
    (Reset(after_bytes=60), "up"),
    (Stall(), "down"),
    (Stall(), "up"),
    (Stall(after_bytes=10), "down"),
    (Truncate(after_bytes=12), "down"),
    (Truncate(after_bytes=100), "up"),
    (HalfClose(), "down"),
    (HalfClose(after_bytes=15), "down"),
    (Delay(0.05), "down"),
]


@pytest.mark.parametrize("trouble", FAULTS, ids=str)
def test_nothing_is_lost_or_doubled_while_the_network_breaks(
    broker: KafkaBroker, topic: str, connect: Connect, trouble: tuple[Fault, str]
) -> None:
    fault, direction = trouble
    output = connect(broker.address_by_proxy, topic)
    output.send(batch(*events(10)))
    broker.proxy.direction = direction
    broker.proxy.fault = fault
    if isinstance(fault, Refuse):
        broker.proxy.cut()

    def mend() -> None:
        broker.proxy.fault = None

    with soon(mend, TROUBLE_SECONDS):
        send_all(output, events(3000, first=10))
    assert broker.values(topic) == bodies(events(3010))


def test_a_connection_cut_between_batches_costs_nothing(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    output = connect(broker.address_by_proxy, topic)
    for number in range(3):
        send_all(output, (event(number),))
        broker.proxy.cut()
    assert broker.values(topic) == bodies(events(3))


def test_a_cluster_that_never_answers_is_told_within_the_timeout(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    broker.proxy.fault = Stall()
    output = connect(broker.address_by_proxy, topic, timeout_seconds=1.0)
    began = time.monotonic()
    with pytest.raises(Transient):
        output.send(batch(*events(10)))
    output.close()
    assert time.monotonic() - began < 10
    broker.proxy.fault = None
    assert broker.values(topic) == []


# ------------------------------------------------------------------ events that are refused


def test_only_what_is_too_large_for_the_topic_is_dropped(
    broker: KafkaBroker, connect: Connect
) -> None:
    topic = new_topic()
    broker.make_topic(topic, settings={"max.message.bytes": "20000"})
    sent = [event(number, os.urandom(300)) for number in range(500)]
    sent[250] = event(250, os.urandom(30_000))
    sent[499] = event(499, os.urandom(2_000_000))
    outcome = connect(broker.address, topic).send(batch(*sent))
    assert [(drop.event.id, drop.reason) for drop in outcome.dropped] == [
        ("e250", TOO_LARGE),
        ("e499", TOO_LARGE),
    ]
    assert outcome.retry == ()
    assert broker.values(topic) == bodies(outcome.delivered)
    assert len(outcome.delivered) == 498


def test_only_what_a_compacted_topic_refuses_is_dropped(
    broker: KafkaBroker, connect: Connect
) -> None:
    topic = new_topic()
    broker.make_topic(topic, settings={"cleanup.policy": "compact"})
    sent = tuple(event(n, b'{"k":"%d"}' % n if n % 30 else b"{}") for n in range(90))
    output = connect(broker.address, topic, key=FormatString.parse("%{[k]}"))
    outcome = output.send(batch(*sent))
    assert [(drop.event.id, drop.reason) for drop in outcome.dropped] == [
        ("e0", REFUSED),
        ("e30", REFUSED),
        ("e60", REFUSED),
    ]
    assert len(outcome.delivered) == 87
    assert sorted(broker.values(topic)) == sorted(bodies(outcome.delivered))


# ------------------------------------------------------------------ who may write


def test_tls_with_the_right_authority(broker: KafkaBroker, topic: str, connect: Connect) -> None:
    ssl = TlsPolicy(certificate_authorities=(str(broker.ca_file),))
    output = connect(broker.address_of("tls"), topic, ssl=ssl)
    assert output.send(batch(*events(5))).delivered == events(5)


def test_tls_with_a_fingerprint(broker: KafkaBroker, topic: str, connect: Connect) -> None:
    ssl = TlsPolicy(ca_trusted_fingerprint=broker.ca_fingerprint)
    output = connect(broker.address_of("tls"), topic, ssl=ssl)
    assert output.send(batch(*events(5))).delivered == events(5)


def test_tls_without_verification(broker: KafkaBroker, topic: str, connect: Connect) -> None:
    ssl = TlsPolicy(verification_mode="none")
    output = connect(broker.address_of("tls"), topic, ssl=ssl)
    assert output.send(batch(*events(5))).delivered == events(5)


def test_an_unknown_authority_is_told_and_nothing_dropped(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    output = connect(broker.address_of("tls"), topic, ssl=TlsPolicy())
    with pytest.raises(Transient, match="certificate"):
        output.send(batch(*events(5)))


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256", "scram-sha-512"])
def test_a_user_logs_in(broker: KafkaBroker, topic: str, connect: Connect, mechanism: str) -> None:
    output = connect(
        broker.address_of("sasl"),
        topic,
        username=USER,
        password=PASSWORD,
        sasl_mechanism=mechanism,
    )
    assert output.send(batch(*events(5))).delivered == events(5)


def test_oauthbearer_is_set_up_with_librdkafkas_own_settings(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    settings = {
        "enable.sasl.oauthbearer.unsecure.jwt": "true",
        "sasl.oauthbearer.config": f"principal={USER}",
    }
    output = connect(
        broker.address_of("sasl"), topic, sasl_mechanism="oauthbearer", librdkafka=settings
    )
    assert output.send(batch(*events(5))).delivered == events(5)


def test_a_wrong_password_is_told_and_nothing_dropped(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    output = connect(broker.address_of("sasl"), topic, username=USER, password="wrong")
    with pytest.raises(Transient, match="Authentication failed"):
        output.send(batch(*events(5)))


def test_a_topic_that_may_not_be_written_is_told_and_nothing_dropped(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    broker.forbid(BARRED_USER, topic)
    output = connect(broker.address_of("sasl"), topic, username=BARRED_USER, password=PASSWORD)
    for _ in range(2):
        with pytest.raises(Transient, match="authorization failed"):
            output.send(batch(*events(5)))
    other = connect(broker.address_of("sasl"), topic, username=USER, password=PASSWORD)
    assert other.send(batch(*events(5))).delivered == events(5)


def test_one_topic_that_may_not_be_written_holds_up_no_other(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    forbidden = new_topic()
    broker.make_topic(forbidden)
    broker.forbid(BARRED_USER, forbidden)
    rules = ({"topic": forbidden, "when": {"equals": {"n": 3}}},)
    output = connect(
        broker.address_of("sasl"), topic, topics=rules, username=BARRED_USER, password=PASSWORD
    )
    outcome: Outcome = output.send(batch(*events(5)))
    assert ids(outcome.retry) == ["e3"]
    assert len(outcome.delivered) == 4


@pytest.fixture
def strict_broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """One that makes no topics by itself."""
    if reason := missing_for_kafka():
        pytest.skip(reason)
    with KafkaBroker(tmp_path, "auto.create.topics.enable=false") as made:
        yield made


def test_a_topic_that_is_not_there_is_told_and_waited_for(
    strict_broker: KafkaBroker, connect: Connect
) -> None:
    soon_gone = {"topic.metadata.propagation.max.ms": "500"}
    output = connect(strict_broker.address, "missing", librdkafka=soon_gone)
    (*_, last) = output.checks()
    assert "makes no topics" in last.error
    for _ in range(2):
        with pytest.raises(Transient, match="nknown topic"):
            output.send(batch(*events(5)))
    strict_broker.make_topic("missing")
    send_all(output, events(5))
    assert strict_broker.values("missing") == bodies(events(5))


# ------------------------------------------------------------------ test output


def checks(output: KafkaOutput) -> list[Check]:
    return list(output.checks())


def test_every_step_is_told_and_nothing_written(broker: KafkaBroker, connect: Connect) -> None:
    topic = new_topic()
    broker.make_topic(topic)
    found = checks(connect(broker.address, topic))
    assert [check.step for check in found] == [Step.RESOLVE, Step.CONNECT, Step.TALK, Step.WRITE]
    assert {check.error for check in found} == {""}
    assert found[-1].detail == "writing is allowed, partitions: 1"
    assert broker.values(topic) == []


def test_a_topic_that_the_first_event_makes_is_not_made_before(
    broker: KafkaBroker, connect: Connect
) -> None:
    topic = new_topic()
    found = checks(connect(broker.address, topic))
    assert found[-1].detail == "does not exist yet; the first event makes it"
    assert topic not in broker.topics()


def test_with_tls_the_handshake_is_a_step(broker: KafkaBroker, connect: Connect) -> None:
    ssl = TlsPolicy(certificate_authorities=(str(broker.ca_file),))
    found = checks(connect(broker.address_of("tls"), new_topic(), ssl=ssl))
    assert [check.step for check in found] == [
        Step.RESOLVE,
        Step.CONNECT,
        Step.TLS,
        Step.TALK,
        Step.WRITE,
    ]
    untrusted = checks(connect(broker.address_of("tls"), new_topic(), ssl=TlsPolicy()))
    assert [check.step for check in untrusted] == [Step.RESOLVE, Step.CONNECT, Step.TLS]
    assert untrusted[-1].error


def test_a_wrong_password_fails_where_it_is_used(broker: KafkaBroker, connect: Connect) -> None:
    output = connect(broker.address_of("sasl"), new_topic(), username=USER, password="wrong")
    found = checks(output)
    assert found[-1].step is Step.TALK
    assert "Authentication failed" in found[-1].error


def test_a_topic_that_may_not_be_written_fails_at_the_write(
    broker: KafkaBroker, topic: str, connect: Connect
) -> None:
    broker.forbid(BARRED_USER, topic)
    found = checks(
        connect(broker.address_of("sasl"), topic, username=BARRED_USER, password=PASSWORD)
    )
    assert found[-1].step is Step.WRITE
    assert found[-1].error == "writing to it is not allowed"
