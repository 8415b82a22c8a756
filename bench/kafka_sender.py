"""`python -m bench.kafka_sender WHO ADDRESS TOPIC EVENTS COMPRESSION`: a full queue into a broker.

WHO is `connbeat` (the agent's queue, worker and output) or `producer` (a bare loop over the same
bodies with the client's own calls, idempotent and compressed alike). Prints seconds, CPU seconds
and the largest resident size as JSON; what is made before the first event is sent does not count.
"""

import json
import sys

import confluent_kafka

from bench.outputs import Usage, context, drain, event
from connbeat.model.format_strings import FormatString
from connbeat.outputs.kafka.client import build
from connbeat.outputs.kafka.config import Compression, KafkaConfig

_COMPRESSIONS: dict[str, Compression] = {"gzip": "gzip", "lz4": "lz4"}


def send_with_connbeat(
    address: str, topic: str, count: int, compression: Compression
) -> dict[str, float]:
    config = KafkaConfig(hosts=(address,), topic=FormatString.parse(topic), compression=compression)
    return drain(build(config, context()), count, config.bulk_max_size)


def send_with_producer(
    address: str, topic: str, count: int, compression: Compression
) -> dict[str, float]:
    bodies = [event(number).body for number in range(count)]
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": address,
            "enable.idempotence": True,
            "compression.type": compression,
            **(
                {"compression.level": KafkaConfig().compression_level}
                if compression == "gzip"
                else {}
            ),
        }
    )
    errors: list[object] = []

    def note(error: object, _: object) -> None:
        errors.append(error)

    usage = Usage()
    for body in bodies:
        while True:
            try:
                producer.produce(topic, body, b"b", on_delivery=note)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    figures = usage.figures()
    if errors != [None] * count:
        raise SystemExit(f"{errors.count(None)} of {count} delivered")
    return figures


def main(who: str, address: str, *rest: str) -> None:
    topic, count, compression = rest
    send = send_with_connbeat if who == "connbeat" else send_with_producer
    figures = send(address, topic, int(count), _COMPRESSIONS[compression])
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
