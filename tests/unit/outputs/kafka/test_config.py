from typing import Any

import pytest

from connbeat.model.format_strings import FormatString
from connbeat.outputs.kafka.config import KafkaConfig
from connbeat.outputs.tls_policy import TlsPolicy

TOPIC = FormatString.parse("connbeat")


def problems(**options: Any) -> dict[str, str]:
    return dict(KafkaConfig(**{"hosts": ("k:9092",), "topic": TOPIC, **options}).problems())


def test_the_shortest_configuration_is_right() -> None:
    assert problems() == {}


def test_rules_do_instead_of_a_topic() -> None:
    assert problems(topic=None, topics=({"topic": "x"},)) == {}
    assert list(problems(topic=None)) == ["topic"]


@pytest.mark.parametrize("topic", ["a b", "", "a/b", "."])
def test_a_topic_that_is_none_is_told(topic: str) -> None:
    assert list(problems(topic=FormatString.parse(topic))) == ["topic"]


def test_a_topic_that_depends_on_the_event_is_judged_with_the_event() -> None:
    assert problems(topic=FormatString.parse("%{[type]}")) == {}


def test_a_user_without_more_logs_in_with_plain() -> None:
    config = KafkaConfig(topic=TOPIC, username="u", password="p")
    assert config.mechanism == "plain"
    assert KafkaConfig(topic=TOPIC).mechanism == ""


@pytest.mark.parametrize(
    "options",
    [
        {"username": "u"},
        {"sasl_mechanism": "plain"},
        {"sasl_mechanism": "scram-sha-512", "username": "u"},
    ],
)
def test_a_login_wants_user_and_password(options: dict[str, Any]) -> None:
    assert list(problems(**options)) == ["username"]


def test_oauthbearer_needs_no_user() -> None:
    assert problems(sasl_mechanism="oauthbearer") == {}


def test_pinned_keys_are_not_ignored() -> None:
    pin = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert list(problems(ssl=TlsPolicy(ca_sha256=(pin,)))) == ["ssl.ca_sha256"]


@pytest.mark.parametrize(
    "name", ["bootstrap.servers", "delivery.report.only.error", "transactional.id"]
)
def test_settings_that_would_break_the_output_are_refused(name: str) -> None:
    assert list(problems(librdkafka={name: "x"})) == [f"librdkafka.{name}"]
    assert problems(librdkafka={"linger.ms": "20"}) == {}
