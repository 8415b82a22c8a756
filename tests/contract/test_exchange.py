"""An output gets new settings while it works: nothing is lost, what waited goes where it should."""

import json
from collections.abc import Iterator, Sequence

import pytest

from connbeat.agent.delivery.deliver import DeliveryPolicy, DeliveryWorker
from connbeat.agent.delivery.delivery_report import DeliveryCounts
from connbeat.backoff import Backoff
from connbeat.clock import SystemClock
from connbeat.outputs.http.client import HttpOutput
from connbeat.outputs.http.config import HttpConfig
from connbeat.queue.memory import MemoryQueue
from connbeat.telemetry.metrics import Metrics
from tests.deliveries import context, events
from tests.servers.http_server import HttpServer

POLICY = DeliveryPolicy(
    max_events=10, flush_seconds=0.0, backoff=Backoff(init_seconds=0.01, max_seconds=0.05)
)
NOBODY = "127.0.0.1:1"


@pytest.fixture
def servers() -> Iterator[tuple[HttpServer, HttpServer]]:
    with HttpServer() as first, HttpServer() as second:
        yield first, second


class Bench:
    def __init__(self, *hosts: str) -> None:
        self.clock = SystemClock()
        metrics = Metrics()
        self.queue = MemoryQueue("http", metrics, self.clock, max_events=10_000, max_bytes=1 << 24)
        self.worker = DeliveryWorker(
            http(*hosts), self.queue, POLICY, metrics=metrics, clock=self.clock
        )
        self.worker.start(lambda *_: None)

    def stop(self) -> DeliveryCounts:
        self.worker.drain(self.clock.monotonic_ns() + 20_000_000_000)
        return self.worker.join()


def http(*hosts: str, **options: int) -> HttpOutput:
    return HttpOutput(HttpConfig(hosts=hosts, timeout_seconds=5, **options), context())  # type: ignore[arg-type]  # of the test's own choice


def numbers(servers: Sequence[HttpServer]) -> list[int]:
    return sorted(json.loads(body)["n"] for server in servers for body in server.bodies())


def test_what_waited_for_a_wrong_host_goes_to_the_right_one(
    servers: tuple[HttpServer, HttpServer],
) -> None:
    bench = Bench(NOBODY)
    bench.queue.put(events(50))
    bench.worker.exchange(POLICY, http(servers[0].url))
    counts = bench.stop()
    assert (counts.delivered, counts.dropped) == (50, 0)
    assert numbers(servers) == list(range(50))


def test_changes_in_the_middle_of_everything_lose_no_event(
    servers: tuple[HttpServer, HttpServer],
) -> None:
    bench = Bench(servers[0].url)
    for turn in range(20):
        bench.queue.put(events(25, first=25 * turn))
        hosts = [(servers[turn % 2].url,), (NOBODY,), (servers[0].url, servers[1].url)][turn % 3]
        bench.worker.exchange(POLICY, http(*hosts, worker=1 + turn % 3))
    bench.worker.exchange(POLICY, http(servers[1].url))
    counts = bench.stop()
    assert (counts.delivered, counts.dropped) == (500, 0)
    assert numbers(servers) == list(range(500)), "each once: no answer was lost on the way"
