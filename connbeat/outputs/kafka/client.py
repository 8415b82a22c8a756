"""Batches to Kafka, with confluent-kafka; this and `checks` are the only ones that import it."""

import logging
from collections.abc import Iterator
from functools import partial

from confluent_kafka import KafkaException, Producer

from connbeat.errors import Permanent, Transient
from connbeat.model.batches import Batch, Outcome
from connbeat.model.selectors import Selector
from connbeat.outputs.kafka.authorities import connection_properties
from connbeat.outputs.kafka.config import KafkaConfig
from connbeat.outputs.kafka.log_lines import LibrdkafkaLog
from connbeat.outputs.kafka.patience import Patience, turns
from connbeat.outputs.kafka.properties import overridden, producer_properties, with_passthrough
from connbeat.outputs.kafka.reports import (
    FATAL,
    NO_ROOM,
    UNANSWERED,
    Failure,
    ReportedError,
    Reports,
    Trouble,
    Verdicts,
)
from connbeat.outputs.kafka.topics import Message, address, key_of
from connbeat.outputs.protocol import Check, OutputContext
from connbeat.telemetry.log import RateLimited

# How long one call of librdkafka may take before we look around.
_TURN_SECONDS = 0.5
_PAUSE_SECONDS = 0.1
_CLOSE_SECONDS = 1.0

_log = logging.getLogger(__name__)


def build(config: KafkaConfig, context: OutputContext) -> "KafkaOutput":
    return KafkaOutput(config, context)


class KafkaOutput:
    """An `Output`. `send` waits out an outage that begins in the middle of a batch."""

    name = "kafka"

    def __init__(self, config: KafkaConfig, context: OutputContext) -> None:
        self._config = config
        self._clock = context.clock
        self._selector = Selector.parse(config.topics, "topic", config.topic)
        self._key = key_of(config.key, context.hostname)
        self._lines = RateLimited(_log, context.clock)
        self._librdkafka_log = LibrdkafkaLog(context.clock)
        self._producer: Producer | None = None
        self._trouble = Trouble()
        self._is_well = False  # the cluster has answered, and nothing has failed since

    def open(self) -> None:
        """Does not wait for the cluster: `send` asks for it."""
        if self._producer is not None:
            return
        self._producer = self._new_producer()
        if self._config.required_acks != -1:
            _log.warning(
                "Without all acknowledgements events may be lost or stand twice. "
                "output=%s required_acks=%d",
                self.name,
                self._config.required_acks,
            )
        for setting in overridden(self._config):
            _log.warning(
                "A setting of librdkafka replaces connbeat's own. output=%s setting=%s",
                self.name,
                setting,
            )

    def send(self, batch: Batch) -> Outcome:
        messages, unaddressed = address(batch.events, self._selector.select, self._key)
        verdicts = Verdicts()
        verdicts.drop(unaddressed)
        if messages:
            self._deliver(messages, verdicts)
            self._look_back(verdicts)
        outcome = verdicts.outcome(batch.events)
        if outcome.retry and not (outcome.delivered or outcome.dropped):
            raise Transient(verdicts.why_retried or UNANSWERED.text)
        return outcome

    def reopen(self) -> None:
        """A new producer, which reads its certificates anew."""
        self.close()
        self._reopen()

    def close(self) -> None:
        """Nothing is on its way between two batches, so there is nothing to wait for."""
        producer, self._producer = self._producer, None
        self._is_well = False
        if producer is not None:
            producer.purge()
            producer.flush(_CLOSE_SECONDS)

    def checks(self) -> Iterator[Check]:
        from connbeat.outputs.kafka.checks import check_cluster

        return check_cluster(self._config, self._librdkafka_log)

    # ------------------------------------------------------------------ one batch
    def _deliver(self, messages: list[Message], verdicts: Verdicts) -> None:
        """All rounds: a second one only for what was refused together with others."""
        producer = self._ready(messages[0].topic)
        rounds = [messages]
        while rounds and not self._trouble.is_fatal:
            part = rounds.pop(0)
            smaller = verdicts.take(part, self._transmit(producer, part))
            if smaller:
                self._lines.warning(
                    "A request was refused as a whole; its messages are sent in smaller ones. "
                    "output=%s topic=%s messages=%d",
                    self.name,
                    smaller[0][0].topic,
                    sum(map(len, smaller)),
                )
                rounds[:0] = smaller

    def _look_back(self, verdicts: Verdicts) -> None:
        self._is_well = not verdicts.why_retried
        self._trouble.clear()
        if verdicts.doubtful:
            self._lines.warning(
                "Events are sent again that may have arrived; they may stand twice. "
                "output=%s count=%d error=%s",
                self.name,
                verdicts.doubtful,
                verdicts.why_retried,
            )

    def _transmit(self, producer: Producer, messages: list[Message]) -> Reports:
        """One round: hand all of them over, and wait for every answer."""
        reports = Reports(len(messages))
        patience = Patience(self._config.timeout_seconds, self._clock.monotonic_ns())
        for index, message in enumerate(messages):
            while not self._hand_over(producer, message, reports, index):
                self._wait(producer, reports, patience)
        while reports.open and self._wait(producer, reports, patience):
            pass
        return reports

    def _hand_over(
        self, producer: Producer, message: Message, reports: Reports, index: int
    ) -> bool:
        """False if librdkafka has no room for the message now."""
        event = message.event
        try:
            producer.produce(
                message.topic,
                event.body,
                message.key,
                timestamp=event.timestamp_ns // 1_000_000,
                on_delivery=partial(reports.note, index),
            )
        except BufferError as error:
            if len(producer):
                return False
            reports.refuse(index, Failure(NO_ROOM, str(error), is_local=True))
        except KafkaException as error:
            refusal: ReportedError = error.args[0]
            if refusal.name() == FATAL:
                self._trouble.note(refusal)
            reports.refuse(index, Failure(refusal.name(), refusal.str(), is_local=True))
        return True

    def _wait(self, producer: Producer, reports: Reports, patience: Patience) -> bool:
        """Serve librdkafka for a while. False if there is nothing left to wait for."""
        left = producer.flush(_TURN_SECONDS)
        if self._trouble.is_fatal:
            producer.purge()
            producer.flush(_CLOSE_SECONDS)
            return False
        if patience.is_over(reports.open, self._clock.monotonic_ns()):
            self._lines.warning(
                "The cluster does not answer for what was sent; it waits, for sent anew it could "
                "stand twice. output=%s events=%d error=%s",
                self.name,
                reports.open,
                self._trouble.text,
            )
        return left > 0

    # ------------------------------------------------------------------ the producer
    def _ready(self, topic: str) -> Producer:
        """A producer whose cluster answers. Raises Transient, and then nothing was handed over."""
        producer = self._reopen() if self._producer is None else self._producer
        producer.poll(0)
        if self._trouble.is_fatal:
            self._lines.warning(
                "librdkafka gave its producer up; a new one begins. output=%s error=%s",
                self.name,
                self._trouble.text,
            )
            self.close()
            producer = self._reopen()
        if not self._is_well or self._trouble.are_all_down:
            self._ask(producer, topic)
        return producer

    def _ask(self, producer: Producer, topic: str) -> None:
        """Ask the cluster for the topic, which makes the topic where the cluster makes topics.

        A producer that gets no answer is given up: the next one resolves names and reads
        certificates anew, and keeps no errors of this one.
        """
        reason = ""
        for seconds in turns(self._config.timeout_seconds):
            try:
                producer.list_topics(topic, timeout=seconds)
            except KafkaException as error:
                producer.poll(_PAUSE_SECONDS)
                reason = self._trouble.text or error.args[0].str()
            else:
                self._trouble.clear()
                return
            if self._trouble.are_all_down or self._trouble.is_fatal:
                break
        self.close()
        raise Transient(reason)

    def _reopen(self) -> Producer:
        """After the start nothing is for ever: certificates may be about to be replaced."""
        try:
            self._producer = self._new_producer()
        except Permanent as error:
            raise Transient(str(error)) from error
        return self._producer

    def _new_producer(self) -> Producer:
        """Starts librdkafka's threads; connects in the background. Raises Permanent, Transient."""
        config = self._config
        ours = {**connection_properties(config, config.hosts), **producer_properties(config)}
        self._trouble = Trouble()
        settings: dict[str, object] = {
            **with_passthrough(ours, config.librdkafka),
            "error_cb": self._trouble.note,
        }
        try:
            return Producer(settings, logger=self._librdkafka_log)
        except (KafkaException, ValueError, TypeError) as error:
            reason = error.args[0]
            text = reason.str() if isinstance(error, KafkaException) else str(reason)
            raise Permanent(f"librdkafka: {text.strip()}") from error
