"""What every output promises (connbeat/outputs/protocol.py), held against each of them."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connbeat.model.batches import Event
from connbeat.model.format_strings import FormatString
from connbeat.outputs.console.client import ConsoleOutput
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.output import ElasticsearchOutput
from connbeat.outputs.file.client import FileOutput
from connbeat.outputs.file.rotation import Rotation
from connbeat.outputs.http.client import HttpOutput
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.kafka.client import KafkaOutput
from connbeat.outputs.kafka.config import KafkaConfig
from connbeat.outputs.logstash.client import LogstashOutput
from connbeat.outputs.logstash.config import LogstashConfig
from connbeat.outputs.protocol import Output
from connbeat.outputs.redis.client import RedisOutput
from connbeat.outputs.redis.config import RedisConfig
from tests.deliveries import batch, context, events, ids
from tests.servers.http_server import HttpServer
from tests.servers.lumberjack_server import LumberjackServer
from tests.servers.redis_server import RedisServer
from tests.services.elasticsearch_node import missing_for_elasticsearch, shared_node
from tests.services.kafka_broker import missing_for_kafka, new_topic, shared_broker


class Destination:
    """An output, a way to see what arrived there, and the end of what stands behind it."""

    def __init__(
        self,
        output: Output,
        arrived: Callable[[], bytes],
        close: Callable[[], None] = lambda: None,
        *,
        takes_any_body: bool = True,
    ) -> None:
        """`takes_any_body`: also what is no document."""
        self.output = output
        self.arrived = arrived
        self.takes_any_body = takes_any_body
        self._close = close

    def close(self) -> None:
        self.output.close()
        self._close()


def on_console(directory: Path, *, pretty: bool = False) -> Destination:
    path = directory / "stdout"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    return Destination(ConsoleOutput(pretty=pretty, fd=fd), path.read_bytes, lambda: os.close(fd))


def on_pretty_console(directory: Path) -> Destination:
    return on_console(directory, pretty=True)


def in_file(directory: Path) -> Destination:
    return Destination(FileOutput(directory, "out"), (directory / "out").read_bytes)


def in_small_files(directory: Path) -> Destination:
    rotation = Rotation(max_bytes=30, number_of_files=1024)

    def arrived() -> bytes:
        oldest_first = sorted(directory.iterdir(), key=lambda path: -int(f"0{path.suffix[1:]}"))
        return b"".join(path.read_bytes() for path in oldest_first)

    return Destination(FileOutput(directory, "out", rotation=rotation), arrived)


def by_http(_: Path, **options: Any) -> Destination:
    server = HttpServer()
    output = HttpOutput(HttpConfig(hosts=(server.url,), **options), context())
    return Destination(output, lambda: b"".join(server.bodies()), server.close)


def by_http_in_batches(directory: Path) -> Destination:
    return by_http(directory, batch="ndjson", compression_level=1)


def in_redis_list(directory: Path) -> Destination:
    server = RedisServer(directory)
    output = RedisOutput(RedisConfig(hosts=(f"127.0.0.1:{server.port}",)), context())
    return Destination(output, lambda: b"".join(b + b"\n" for b in server.list()), server.close)


def on_redis_channel(directory: Path) -> Destination:
    server = RedisServer(directory)
    config = RedisConfig(hosts=(f"127.0.0.1:{server.port}",), datatype="channel")
    listener = server.listener()

    def arrived() -> bytes:
        return b"".join(body + b"\n" for body in listener.heard())

    def close() -> None:
        listener.close()
        server.close()

    return Destination(RedisOutput(config, context()), arrived, close)


def in_logstash(directory: Path) -> Destination:
    server = LumberjackServer(directory)
    output = LogstashOutput(LogstashConfig(hosts=(f"127.0.0.1:{server.port}",)), context())
    return Destination(
        output,
        lambda: b"".join(line + b"\n" for line in server.bodies()),
        server.close,
        takes_any_body=False,
    )


def in_elasticsearch(_: Path) -> Destination:
    if reason := missing_for_elasticsearch():
        pytest.skip(reason)
    node = shared_node()
    node.clear()
    output = ElasticsearchOutput(ElasticsearchConfig(hosts=(node.url,)), context())

    def arrived() -> bytes:
        found = sorted(node.documents("connbeat-*"), key=lambda hit: int(hit["_seq_no"]))
        return b"".join(msgspec.json.encode(hit["_source"]) + b"\n" for hit in found)

    return Destination(output, arrived, takes_any_body=False)


def in_kafka(_: Path) -> Destination:
    if reason := missing_for_kafka():
        pytest.skip(reason)
    broker, topic = shared_broker(), new_topic()
    broker.make_topic(topic)
    config = KafkaConfig(hosts=(broker.address,), topic=FormatString.parse(topic))
    return Destination(
        KafkaOutput(config, context()),
        lambda: b"".join(value + b"\n" for value in broker.values(topic)),
    )


_NUMBERS = itertools.count()

DESTINATIONS = [
    in_elasticsearch,
    on_console,
    on_pretty_console,
    in_file,
    in_small_files,
    by_http,
    by_http_in_batches,
    in_redis_list,
    on_redis_channel,
    in_logstash,
    in_kafka,
]


@pytest.fixture(params=DESTINATIONS)
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    made: Destination = request.param(tmp_path)
    yield made
    made.close()


def as_written(these: tuple[Event, ...], destination: Destination) -> bytes:
    if isinstance(destination.output, ConsoleOutput):
        return b"".join(destination.output._line(one) for one in these)
    return b"".join(one.body + b"\n" for one in these)


def test_every_event_is_named_once_and_arrives_in_order(destination: Destination) -> None:
    destination.output.open()
    for first in range(0, 30, 10):
        sent = events(10, first)
        outcome = destination.output.send(batch(*sent))
        assert ids(outcome.delivered) == ids(sent)
        assert not outcome.retry
        assert not outcome.dropped
    assert destination.arrived() == as_written(events(30), destination)


def test_what_is_delivered_is_there_before_the_close(destination: Destination) -> None:
    destination.output.open()
    destination.output.send(batch(*events(1)))
    assert destination.arrived() == as_written(events(1), destination)


def test_sending_opens_what_is_not_open(destination: Destination) -> None:
    destination.output.send(batch(*events(1)))
    assert destination.arrived()


def test_opening_and_closing_twice_are_harmless(destination: Destination) -> None:
    destination.output.open()
    destination.output.open()
    destination.output.send(batch(*events(1)))
    destination.output.close()
    destination.output.close()
    assert destination.arrived() == as_written(events(1), destination)


def test_opening_changes_nothing_that_is_there(destination: Destination) -> None:
    destination.output.send(batch(*events(1)))
    before = destination.arrived()
    destination.output.close()
    destination.output.open()
    assert destination.arrived() == before


def test_a_reopen_between_batches_loses_and_doubles_nothing(destination: Destination) -> None:
    destination.output.send(batch(*events(2)))
    destination.output.reopen()
    destination.output.reopen()
    destination.output.send(batch(*events(2, first=2)))
    assert destination.arrived() == as_written(events(4), destination)


def test_an_empty_batch_is_nothing(destination: Destination) -> None:
    destination.output.open()
    outcome = destination.output.send(batch())
    assert (outcome.delivered, outcome.retry, outcome.dropped) == ((), (), ())
    assert destination.arrived() == b""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=10))
def test_any_body_is_taken(destination: Destination, bodies: list[bytes]) -> None:
    destination.output.open()
    if not destination.takes_any_body:
        bodies = [b'{"body":"%s"}' % body.hex().encode() for body in bodies]
    before = destination.arrived()
    # An id never names two events, also not in the next example.
    sent = tuple(Event(f"any{next(_NUMBERS)}", n, body) for n, body in enumerate(bodies))
    assert destination.output.send(batch(*sent)).delivered == sent
    assert destination.arrived() == before + as_written(sent, destination)


def test_checks_of_what_works_find_nothing_and_send_nothing(destination: Destination) -> None:
    destination.output.send(batch(*events(1)))
    destination.output.close()
    checks = list(destination.output.checks())
    assert checks
    assert [check.error for check in checks] == [""] * len(checks)
    assert destination.arrived() == as_written(events(1), destination)
