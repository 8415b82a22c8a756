"""`connbeat test output` for Kafka: what the events will need, tried without an event."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, not exported
    AclOperation,
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    TopicDescription,
)

from connbeat.errors import ConnbeatError
from connbeat.outputs.hosts import parse_host
from connbeat.outputs.kafka.authorities import connection_properties
from connbeat.outputs.kafka.config import HOST_DEFAULTS, KafkaConfig
from connbeat.outputs.kafka.log_lines import LibrdkafkaLog
from connbeat.outputs.kafka.patience import turns
from connbeat.outputs.kafka.properties import with_passthrough
from connbeat.outputs.kafka.reports import Trouble
from connbeat.outputs.probing import Endpoint, probe
from connbeat.outputs.protocol import Check, Step

_PAUSE_SECONDS = 0.1

_Address = tuple[str, int]
_Answer = TypeVar("_Answer")


class _Unanswered(Exception):  # noqa: N818  the end of one question
    """The message says why."""


def check_cluster(config: KafkaConfig, log: LibrdkafkaLog) -> Iterator[Check]:
    """Every host of the configuration, the brokers they lead to, and the topic. Never raises."""
    asked: _Cluster | None = None
    brokers: set[_Address] = set()
    for host in config.hosts:
        is_reached = False
        for check in _reach(config, _address(host)):
            yield check
            is_reached = not check.error
        if not is_reached:
            continue
        target = parse_host(host, HOST_DEFAULTS).netloc
        try:
            cluster = _Cluster(config, host, log)
            found = cluster.describe()
        except (_Unanswered, ConnbeatError) as error:
            yield Check(step=Step.TALK, target=target, error=str(error))
            continue
        asked = cluster
        brokers |= {(str(broker.host), broker.port) for broker in found.brokers.values()}
        detail = f"cluster {found.cluster_id}, brokers: {len(found.brokers)}"
        yield Check(step=Step.TALK, target=target, detail=detail)
    for address in sorted(brokers - set(map(_address, config.hosts))):
        yield from _reach(config, address)
    if asked is not None:
        yield _check_topic(config, asked)


def _address(host: str) -> _Address:
    url = parse_host(host, HOST_DEFAULTS)
    return url.host, url.port


def _reach(config: KafkaConfig, address: _Address) -> Iterator[Check]:
    host, port = address
    return probe(Endpoint(host=host, port=port, seconds=config.timeout_seconds, tls=config.ssl))


def _check_topic(config: KafkaConfig, cluster: "_Cluster") -> Check:
    name = None if config.topics or config.topic is None else config.topic.constant
    if name is None:
        return Check(
            step=Step.WRITE, target="topic", detail="not tried: the topic depends on the event"
        )
    target = f"topic {name}"
    try:
        topic = cluster.topic(name)
        if topic is None:
            return _check_missing_topic(target, cluster)
    except _Unanswered as error:
        return Check(step=Step.WRITE, target=target, error=str(error))
    allowed = topic.authorized_operations
    if allowed and AclOperation.WRITE not in allowed:
        return Check(step=Step.WRITE, target=target, error="writing to it is not allowed")
    return Check(
        step=Step.WRITE,
        target=target,
        detail=f"writing is allowed, partitions: {len(topic.partitions)}",
    )


def _check_missing_topic(target: str, cluster: "_Cluster") -> Check:
    makes_topics = cluster.makes_topics()
    if makes_topics is False:
        error = "does not exist, and the cluster makes no topics (auto.create.topics.enable)"
        return Check(step=Step.WRITE, target=target, error=error)
    made = "the first event makes it" if makes_topics else "whether the cluster makes it is unknown"
    return Check(step=Step.WRITE, target=target, detail=f"does not exist yet; {made}")


class _Cluster:
    """Questions to a cluster, through one of its brokers. Each raises _Unanswered."""

    def __init__(self, config: KafkaConfig, host: str, log: LibrdkafkaLog) -> None:
        """Raises Permanent or Transient for certificates, _Unanswered for properties."""
        self._trouble = Trouble()
        self._seconds = config.timeout_seconds
        ours = connection_properties(config, (host,))
        settings: dict[str, Any] = {
            **with_passthrough(ours, config.librdkafka),
            "error_cb": self._trouble.note,
        }
        try:
            self._admin = AdminClient(settings, logger=log)
        except (KafkaException, ValueError, TypeError) as error:
            raise _Unanswered(_text(error)) from error
        self._brokers: list[int] = []

    def describe(self) -> ClusterMetadata:
        reason = ""
        for seconds in turns(self._seconds):
            try:
                found = self._admin.list_topics(timeout=seconds)
            except KafkaException as error:
                self._admin.poll(_PAUSE_SECONDS)
                reason = self._trouble.text or _text(error)
            else:
                self._brokers = list(found.brokers)
                return found
            if self._trouble.are_all_down:
                break
        raise _Unanswered(reason)

    def topic(self, name: str) -> TopicDescription | None:
        """None if there is no such topic. To ask does not make it."""
        asked = self._admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True
        )
        try:
            topic: TopicDescription = self._answer(asked[name])
        except _Unanswered as error:
            cause = error.__cause__
            if isinstance(cause, KafkaException) and _name(cause) == "UNKNOWN_TOPIC_OR_PART":
                return None
            raise
        return topic

    def makes_topics(self) -> bool | None:
        """Whether a message makes its topic; None if that is not told."""
        if not self._brokers:
            return None
        broker = ConfigResource(ConfigResource.Type.BROKER, str(self._brokers[0]))
        try:
            entries = self._answer(self._admin.describe_configs([broker])[broker])
        except _Unanswered:
            return None
        return str(entries["auto.create.topics.enable"].value).lower() == "true"

    def _answer(self, asked: "Future[_Answer]") -> _Answer:
        try:
            return asked.result(self._seconds)
        except TimeoutError as error:
            raise _Unanswered(f"no answer within {self._seconds:g} s") from error
        except KafkaException as error:
            raise _Unanswered(_text(error)) from error


def _name(error: KafkaException) -> str:
    return str(error.args[0].name())


def _text(error: Exception) -> str:
    reason = error.args[0]
    return str(reason.str() if isinstance(error, KafkaException) else reason).strip()
