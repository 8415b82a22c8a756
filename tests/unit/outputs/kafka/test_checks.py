"""Against librdkafka's own cluster for tests; what only a real one tells is in tests/system."""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from connbeat.model.format_strings import FormatString
from connbeat.outputs.kafka.client import KafkaOutput
from connbeat.outputs.kafka.config import KafkaConfig
from connbeat.outputs.protocol import Check, Step
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import context


@pytest.fixture(scope="module")
def brokers() -> Iterator[list[str]]:
    producer = Producer({"test.mock.num.brokers": 2, "bootstrap.servers": "x", "log_level": 0})
    found = producer.list_topics(timeout=10).brokers.values()
    yield [f"{broker.host}:{broker.port}" for broker in found]
    producer.flush(1)


def checks(*hosts: str, **options: Any) -> list[Check]:
    given = {"topic": FormatString.parse("t"), "timeout_seconds": 1.0, **options}
    return list(KafkaOutput(KafkaConfig(hosts=hosts, **given), context()).checks())


def test_the_brokers_a_host_leads_to_are_tried_too(brokers: list[str]) -> None:
    found = checks(brokers[0], topic=FormatString.parse("%{[type]}"))
    assert [(check.step, check.target) for check in found] == [
        (Step.RESOLVE, brokers[0]),
        (Step.CONNECT, brokers[0]),
        (Step.TALK, brokers[0]),
        (Step.RESOLVE, brokers[1]),
        (Step.CONNECT, brokers[1]),
        (Step.WRITE, "topic"),
    ]
    assert {check.error for check in found} == {""}
    assert "brokers: 2" in found[2].detail
    assert found[-1].detail == "not tried: the topic depends on the event"


def test_a_host_that_is_down_ends_only_its_own_steps(brokers: list[str]) -> None:
    found = checks("127.0.0.1:1", *brokers, topic=FormatString.parse("%{[type]}"))
    assert [check.step for check in found if check.target == "127.0.0.1:1"] == [
        Step.RESOLVE,
        Step.CONNECT,
    ]
    assert found[1].error
    assert [check.error for check in found[2:]] == [""] * 7


def test_without_a_host_there_is_no_topic_to_try() -> None:
    assert [check.step for check in checks("127.0.0.1:1")] == [Step.RESOLVE, Step.CONNECT]


def test_settings_and_certificates_that_are_wrong_are_told_and_not_raised(
    brokers: list[str],
) -> None:
    wrong = checks(brokers[0], librdkafka={"no.such.setting": "1"})
    assert wrong[-1].step is Step.TALK
    assert "no.such.setting" in wrong[-1].error
    untrusted = checks(brokers[0], ssl=TlsPolicy(certificate_authorities=("/nowhere",)))
    assert untrusted[-1].step is Step.TLS
    assert "/nowhere" in untrusted[-1].error
