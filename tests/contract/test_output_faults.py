"""What every output on the network promises while the network breaks.

Whatever happens to a connection: nothing is said to have arrived that has not, nothing is given
up, nobody waits longer than the timeout, and when the trouble ends everything arrives.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from connbeat.errors import Transient
from connbeat.model.batches import Event
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.output import ElasticsearchOutput
from connbeat.outputs.http.client import HttpOutput
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.logstash.client import LogstashOutput
from connbeat.outputs.logstash.config import LogstashConfig
from connbeat.outputs.protocol import Output
from connbeat.outputs.redis.client import RedisOutput
from connbeat.outputs.redis.config import RedisConfig
from tests.deliveries import batch, context, event, events, ids
from tests.servers.elasticsearch_server import ElasticsearchServer
from tests.servers.fault_proxy import (
    Delay,
    Fault,
    FaultProxy,
    HalfClose,
    Refuse,
    Reset,
    Stall,
    Truncate,
)
from tests.servers.http_server import HttpServer
from tests.servers.lumberjack_server import LumberjackServer
from tests.servers.redis_server import RedisServer

TIMEOUT = 0.4


class Destination:
    """An output, the proxy between it and its server, and the bodies that arrived there."""

    def __init__(
        self,
        output: Output,
        proxy: FaultProxy,
        arrived: Callable[[], list[bytes]],
        close: Callable[[], None],
    ) -> None:
        self.output = output
        self.proxy = proxy
        self.arrived = arrived
        self._close = close

    def close(self) -> None:
        self.output.close()
        self.proxy.close()
        self._close()


def by_http(**options: Any) -> Destination:
    server = HttpServer()
    proxy = FaultProxy(server.address)
    config = HttpConfig(hosts=(f"127.0.0.1:{proxy.port}",), timeout_seconds=TIMEOUT, **options)

    def arrived() -> list[bytes]:
        return [line for body in server.bodies() for line in body.splitlines()]

    return Destination(HttpOutput(config, context()), proxy, arrived, server.close)


def by_http_in_batches() -> Destination:
    return by_http(batch="ndjson")


def by_http_with_four_connections() -> Destination:
    return by_http(worker=4)


def in_redis(**options: Any) -> Destination:
    folder = TemporaryDirectory()
    server = RedisServer(Path(folder.name))
    proxy = FaultProxy(server.address)
    config = RedisConfig(hosts=(f"127.0.0.1:{proxy.port}",), timeout_seconds=TIMEOUT, **options)

    def close() -> None:
        server.close()
        folder.cleanup()

    return Destination(RedisOutput(config, context()), proxy, server.list, close)


def in_redis_with_two_connections() -> Destination:
    return in_redis(worker=2)


def in_logstash(**options: Any) -> Destination:
    folder = TemporaryDirectory()
    server = LumberjackServer(Path(folder.name))
    proxy = FaultProxy(server.address)
    config = LogstashConfig(hosts=(f"127.0.0.1:{proxy.port}",), timeout_seconds=TIMEOUT, **options)

    def close() -> None:
        server.close()
        folder.cleanup()

    return Destination(LogstashOutput(config, context()), proxy, server.bodies, close)


def in_logstash_uncompressed_with_slow_start() -> Destination:
    return in_logstash(compression_level=0, slow_start=True, bulk_max_size=3)


def in_elasticsearch(**options: Any) -> Destination:
    server = ElasticsearchServer()
    proxy = FaultProxy(server.address)
    config = ElasticsearchConfig(
        hosts=(f"127.0.0.1:{proxy.port}",), timeout_seconds=TIMEOUT, proxy_disable=True, **options
    )
    return Destination(ElasticsearchOutput(config, context()), proxy, server.bodies, server.close)


def in_elasticsearch_with_two_connections() -> Destination:
    return in_elasticsearch(worker=2, compression_level=0)


DESTINATIONS = [
    in_elasticsearch,
    in_elasticsearch_with_two_connections,
    in_redis,
    in_redis_with_two_connections,
    in_logstash,
    in_logstash_uncompressed_with_slow_start,
    by_http,
    by_http_in_batches,
    by_http_with_four_connections,
]


@pytest.fixture(params=DESTINATIONS)
def destination(request: pytest.FixtureRequest) -> Iterator[Destination]:
    made: Destination = request.param()
    yield made
    made.close()


def send(destination: Destination, waiting: tuple[Event, ...]) -> tuple[Event, ...]:
    """One try; what is still to be sent."""
    try:
        outcome = destination.output.send(batch(*waiting))
    except Transient:
        return waiting
    assert not outcome.dropped
    assert sorted(ids((*outcome.delivered, *outcome.retry))) == sorted(ids(waiting))
    arrived = set(destination.arrived())
    assert [one.id for one in outcome.delivered if one.body not in arrived] == []
    return outcome.retry


FAULTS: list[tuple[Fault, str]] = [
    (Refuse(), "down"),
    (Reset(), "down"),
    (Reset(after_bytes=20), "down"),
    (Reset(), "up"),
    (Reset(after_bytes=60), "up"),
    (Stall(), "down"),
    (Stall(), "up"),
    (Stall(after_bytes=10), "down"),
    (Truncate(after_bytes=0), "down"),
    (Truncate(after_bytes=12), "down"),
    (Truncate(after_bytes=100), "up"),
    (HalfClose(), "down"),
    (HalfClose(after_bytes=15), "down"),
    (Delay(0.01), "down"),
]


@pytest.mark.parametrize(("fault", "direction"), FAULTS, ids=str)
def test_nothing_is_lost_or_made_up_while_the_network_breaks(
    destination: Destination, fault: Fault, direction: str
) -> None:
    waiting = events(6)
    destination.output.send(batch(event(100)))  # so that a connection is open
    destination.proxy.direction = direction
    destination.proxy.fault = fault
    if isinstance(fault, Refuse):
        destination.proxy.cut()
    began = time.monotonic()
    waiting = send(destination, waiting)
    assert time.monotonic() - began < 10 * TIMEOUT, "nobody waits much longer than the timeout"
    if fault in (Refuse(), Reset(), Stall(), HalfClose()):
        assert waiting, "no acknowledgement can have come through this"
    destination.proxy.fault = None
    for _ in range(5):
        waiting = send(destination, waiting) if waiting else waiting
    assert waiting == ()
    bodies = {one.body for one in (*events(6), event(100))}
    assert set(destination.arrived()) == bodies


def test_a_connection_cut_between_batches_costs_nothing(destination: Destination) -> None:
    for number in range(3):
        waiting: tuple[Event, ...] = (event(number),)
        for _ in range(3):
            waiting = send(destination, waiting) if waiting else waiting
        assert waiting == ()
        destination.proxy.cut()
    assert set(destination.arrived()) == {one.body for one in events(3)}


def test_a_server_that_is_not_there_yet_is_waited_for(destination: Destination) -> None:
    destination.proxy.fault = Refuse()
    for _ in range(3):
        assert send(destination, events(2)) == events(2)
    destination.proxy.fault = None
    assert send(destination, events(2)) == ()


def test_an_event_of_two_megabytes_arrives_whole(destination: Destination) -> None:
    large = event(1, b'{"cmdline":"%s"}' % (b"x" * 2_000_000))
    waiting = send(destination, (event(0), large, event(2)))
    assert waiting == ()
    assert set(destination.arrived()) == {event(0).body, large.body, event(2).body}
