"""A full queue into a real Kafka broker, beside a bare loop with the client's own producer."""

import json
import sys
from collections.abc import Iterator

from bench.commands import BenchError, call
from bench.figures import Measurement
from bench.setup import Case, Setup
from tests.services.kafka_broker import KafkaBroker, missing_for_kafka, new_topic

_EVENTS = 200_000
# Of the Java machine: without it the first to be measured pays for the compiler.
_WARM_UP_EVENTS = 100_000
_COMPRESSIONS = ("gzip", "lz4")


def _run(setup: Setup) -> Iterator[Measurement]:
    if reason := missing_for_kafka():
        raise BenchError(reason)
    with KafkaBroker(setup.folder()) as broker:
        _send(broker, "producer", "lz4", _WARM_UP_EVENTS)
        for compression in _COMPRESSIONS:
            for sender in ("connbeat", "producer"):
                figures = _send(broker, sender, compression, _EVENTS)
                yield Measurement(
                    f"{sender}, {compression}",
                    {
                        "events/s": _EVENTS / figures["seconds"],
                        "CPU us/event": 1e6 * figures["cpu"] / _EVENTS,
                        "peak MB": figures["rss"],
                    },
                )


def _send(broker: KafkaBroker, sender: str, compression: str, count: int) -> dict[str, float]:
    topic = new_topic()
    broker.make_topic(topic)
    text = call(
        *(sys.executable, "-m", "bench.kafka_sender", sender),
        *(broker.address, topic, str(count), compression),
    )
    figures: dict[str, float] = json.loads(text)
    return figures


CASES = (
    Case(
        "to-kafka",
        f"A queue of {_EVENTS:,} events into one Kafka broker",
        "50,000 events/s, 70 % of a bare producer loop, at most 30 us of CPU an event",
        _run,
    ),
)
