"""Every event that was taken is delivered, whoever is killed meanwhile: see `oracle`."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.elasticsearch_node import missing_for_elasticsearch
from tests.services.kafka_broker import missing_for_kafka
from tests.system.oracle import KILLS, OUTAGE_SECONDS, Oracle, ServerUnderTest
from tests.system.oracle_servers import Elasticsearch, HttpReceiver, Kafka, Logstash, Redis

pytestmark = pytest.mark.timeout(120 + 20 * KILLS + 3 * OUTAGE_SECONDS)

#: `CONNBEAT_ORACLE_SEED=n` repeats a trial.
SEED = int(os.environ.get("CONNBEAT_ORACLE_SEED") or random.SystemRandom().randrange(1 << 32))

Maker = Callable[[Path], ServerUnderTest]

SERVERS: dict[str, Maker] = {
    "http": lambda folder: HttpReceiver(folder, "off"),
    "http-ndjson": lambda folder: HttpReceiver(folder, "ndjson"),
    "http-array": lambda folder: HttpReceiver(folder, "array"),
    "elasticsearch": Elasticsearch,
    "kafka": Kafka,
    "redis": Redis,
    "logstash": Logstash,
}
#: Those whose outage is tried, with the queue on disk and in memory.
OUTAGES = ("http-ndjson", "elasticsearch", "kafka")

MISSING = {"elasticsearch": missing_for_elasticsearch, "kafka": missing_for_kafka}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerUnderTest]:
    if (missing := MISSING.get(request.param)) and (reason := missing()):
        pytest.skip(reason)
    folder = tmp_path / "server"
    folder.mkdir()
    one = SERVERS[request.param](folder)
    yield one
    one.kill()


def test_what_was_taken_arrives_whoever_is_killed(server: ServerUnderTest, tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    folder.mkdir()
    verdict = Oracle(server, folder, SEED).trial(KILLS)
    verdict.check(allows_duplicates=server.allows_duplicates)


@pytest.mark.parametrize("server", OUTAGES, indirect=True)
def test_an_outage_costs_nothing_with_the_queue_on_disk(
    server: ServerUnderTest, tmp_path: Path
) -> None:
    verdict = Oracle(server, tmp_path, SEED).outage(OUTAGE_SECONDS)
    verdict.check(allows_duplicates=server.allows_duplicates)


@pytest.mark.parametrize("server", OUTAGES, indirect=True)
def test_an_outage_costs_what_is_counted_with_the_queue_in_memory(
    server: ServerUnderTest, tmp_path: Path
) -> None:
    queue = ("queue.mem.events=4000", "queue.mem.flush.timeout=100ms")
    verdict = Oracle(server, tmp_path, SEED, queue).outage(OUTAGE_SECONDS)
    verdict.check_counted()
