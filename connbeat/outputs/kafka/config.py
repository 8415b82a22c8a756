"""The section `output.kafka`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from connbeat.model.format_strings import FormatString
from connbeat.outputs.configuration import NetworkOutputConfig
from connbeat.outputs.hosts import HostDefaults
from connbeat.outputs.kafka.topics import is_topic

HOST_DEFAULTS = HostDefaults(ports={"kafka": 9092}, scheme="kafka")

Compression = Literal["none", "snappy", "lz4", "gzip", "zstd"]
Mechanism = Literal["", "plain", "scram-sha-256", "scram-sha-512", "oauthbearer"]
Strategy = Literal["hash", "random", "round_robin"]

#: What a passthrough may not touch, and what to use instead.
_NOT_YOURS = {
    "bootstrap.servers": "hosts names the brokers",
    "metadata.broker.list": "hosts names the brokers",
    "delivery.report.only.error": "connbeat needs to know of every message what became of it",
    "transactional.id": "connbeat writes without transactions",
}


class Partitioning(msgspec.Struct, frozen=True):
    """Which partition a message goes to. `has_random` (hash): without a key, any."""

    strategy: Strategy = "hash"
    has_random: bool = True


class KafkaConfig(NetworkOutputConfig, frozen=True, kw_only=True):
    """Documents as messages. `key` None is the host's name; an empty one is no key."""

    timeout_seconds: float = 30.0
    topic: FormatString | None = None
    topics: Sequence[Mapping[str, Any]] = ()
    key: FormatString | None = None
    partition: Partitioning = Partitioning()
    client_id: str = "beats"
    username: str = ""
    password: str = ""
    sasl_mechanism: Mechanism = ""
    # Any client of Kafka reads gzip without another library; at level 1 it takes 12 us an event,
    # at libbeat's 4 it takes 20, and one core is full at 44,000 a second.
    compression: Compression = "gzip"
    compression_level: int = 1
    max_message_bytes: int = 1_000_000
    required_acks: int = -1
    broker_timeout_seconds: float = 10.0
    keep_alive_seconds: float = 0.0
    metadata_retry_backoff_seconds: float = 0.25
    metadata_refresh_frequency_seconds: float = 600.0
    metadata_full: bool = False
    librdkafka: Mapping[str, str] = {}

    @property
    def mechanism(self) -> Mechanism:
        """Who has a user name and says no more, means PLAIN."""
        return self.sasl_mechanism or ("plain" if self.username else "")

    def problems(self) -> Iterator[tuple[str, str]]:
        yield from super().problems()
        yield from self._topic_problems()
        yield from self._login_problems()
        if self.ssl is not None and self.ssl.ca_sha256:
            text = "librdkafka cannot pin keys; name the authority in ssl.certificate_authorities"
            yield "ssl.ca_sha256", text
        for name in self.librdkafka:
            if name in _NOT_YOURS:
                yield f"librdkafka.{name}", f"cannot be set: {_NOT_YOURS[name]}"

    def _topic_problems(self) -> Iterator[tuple[str, str]]:
        if self.topic is None and not self.topics:
            yield "topic", "is missing, expected the topic's name"
        if self.topic is not None and self.topic.constant is not None:
            name = self.topic.constant
            if not is_topic(name):
                yield "topic", f"found {name!r}, expected up to 249 of the characters a-zA-Z0-9._-"

    def _login_problems(self) -> Iterator[tuple[str, str]]:
        needs_user = self.mechanism not in ("", "oauthbearer")
        if needs_user and not (self.username and self.password):
            yield "username", f"sasl.mechanism {self.mechanism} needs a username and a password"
