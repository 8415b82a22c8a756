from typing import Any

import pytest

from connbeat.model.format_strings import FormatString
from connbeat.outputs.kafka.config import KafkaConfig, Partitioning
from connbeat.outputs.kafka.properties import (
    Properties,
    base_properties,
    overridden,
    producer_properties,
    tls_properties,
    with_passthrough,
)
from connbeat.outputs.tls_policy import TlsPolicy


def config(**options: Any) -> KafkaConfig:
    return KafkaConfig(hosts=("a", "b:1"), topic=FormatString.parse("t"), **options)


def base(**options: Any) -> Properties:
    made = config(**options)
    return base_properties(made, made.hosts)


def producer(**options: Any) -> Properties:
    return producer_properties(config(**options))


def test_hosts_get_the_port_they_lack() -> None:
    assert base()["bootstrap.servers"] == "a:9092,b:1"
    assert base_properties(config(), ("::1",))["bootstrap.servers"] == "[::1]:9092"


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        ({}, "plaintext"),
        ({"ssl": TlsPolicy()}, "ssl"),
        ({"username": "u", "password": "p"}, "sasl_plaintext"),
        ({"username": "u", "password": "p", "ssl": TlsPolicy()}, "sasl_ssl"),
        ({"sasl_mechanism": "oauthbearer", "ssl": TlsPolicy()}, "sasl_ssl"),
    ],
)
def test_the_protocol_follows_from_tls_and_login(options: dict[str, Any], protocol: str) -> None:
    assert base(**options)["security.protocol"] == protocol


def test_a_login_has_mechanism_user_and_password() -> None:
    made = base(username="u", password="p", sasl_mechanism="scram-sha-256")
    assert made["sasl.mechanism"] == "SCRAM-SHA-256"
    assert (made["sasl.username"], made["sasl.password"]) == ("u", "p")
    assert "sasl.mechanism" not in base()


def test_by_default_nothing_expires_and_nothing_doubles() -> None:
    made = producer()
    assert made["enable.idempotence"] is True
    assert made["acks"] == -1
    assert made["message.timeout.ms"] == 0


@pytest.mark.parametrize("acks", [0, 1])
def test_fewer_acknowledgements_end_idempotence(acks: int) -> None:
    assert producer(required_acks=acks)["enable.idempotence"] is False
    assert producer(required_acks=acks)["acks"] == acks


@pytest.mark.parametrize(("seconds", "wanted"), [(0.001, 10), (30.0, 30_000), (9999.0, 300_000)])
def test_times_stay_within_the_bounds_of_librdkafka(seconds: float, wanted: int) -> None:
    assert base(timeout_seconds=seconds)["socket.timeout.ms"] == wanted


def test_compression_without_levels_has_none() -> None:
    assert producer(compression="snappy", compression_level=3).get("compression.level") is None
    assert producer(compression="zstd", compression_level=3)["compression.level"] == 3


@pytest.mark.parametrize("size", [1000, 1_000_000, 50_000_000])
def test_the_largest_message_fits_into_the_buffer_and_the_request(size: int) -> None:
    made = producer(max_message_bytes=size)
    assert made["message.max.bytes"] == size
    assert int(made["queue.buffering.max.kbytes"]) * 1024 > size
    assert int(made["batch.size"]) <= size


def test_a_batch_fits_into_the_buffer() -> None:
    assert producer(bulk_max_size=500_000)["queue.buffering.max.messages"] == 500_000


@pytest.mark.parametrize(
    ("partition", "name"),
    [
        (Partitioning(), "fnv1a_random"),
        (Partitioning(has_random=False), "fnv1a"),
        (Partitioning("random"), "random"),
        (Partitioning("round_robin"), "random"),
    ],
)
def test_partitioners(partition: Partitioning, name: str) -> None:
    assert producer(partition=partition)["partitioner"] == name


@pytest.mark.parametrize(
    ("mode", "chain", "name"),
    [
        ("full", True, "https"),
        ("strict", True, "https"),
        ("certificate", True, "none"),
        ("none", False, "none"),
    ],
)
def test_verification(mode: Any, chain: bool, name: str) -> None:
    made = tls_properties(TlsPolicy(verification_mode=mode), "")
    assert made["enable.ssl.certificate.verification"] is chain
    assert made["ssl.endpoint.identification.algorithm"] == name


def test_authorities_are_text_and_by_default_the_machines() -> None:
    assert tls_properties(TlsPolicy(), "PEM")["ssl.ca.pem"] == "PEM"
    assert "ssl.ca.pem" not in tls_properties(TlsPolicy(), "")


def test_a_certificate_is_a_file_or_a_text_and_may_have_its_key_in_it() -> None:
    text = "-----BEGIN CERTIFICATE-----\nx"
    made = tls_properties(TlsPolicy(certificate="/c.pem", key="/k.pem", key_passphrase="p"), "")
    assert made["ssl.certificate.location"] == "/c.pem"
    assert made["ssl.key.location"] == "/k.pem"
    assert made["ssl.key.password"] == "p"
    assert tls_properties(TlsPolicy(certificate="/c.pem"), "")["ssl.key.location"] == "/c.pem"
    assert tls_properties(TlsPolicy(certificate=text), "")["ssl.certificate.pem"] == text


def test_a_passthrough_comes_first_and_is_told() -> None:
    theirs = {"acks": "1", "linger.ms": "7", "client.id": "x", "ssl.key.password": "x"}
    made = with_passthrough(producer(), theirs)
    assert (made["acks"], made["linger.ms"]) == ("1", "7")
    assert list(overridden(config(librdkafka=theirs))) == ["acks", "client.id"]
    tls = TlsPolicy(certificate="/c.pem", key_passphrase="p")
    assert "ssl.key.password" in overridden(config(librdkafka=theirs, ssl=tls))


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("request.required.acks", "acks"),
        ("delivery.timeout.ms", "message.timeout.ms"),
        ("compression.codec", "compression.type"),
    ],
)
def test_by_its_other_name_a_setting_replaces_ours_too(alias: str, name: str) -> None:
    made = with_passthrough(producer(), {alias: "1"})
    assert name not in made
    assert list(overridden(config(librdkafka={alias: "1"}))) == [alias]
