"""The real agent with the Kafka output: a broker that dies under load, and stops without one."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.kafka_broker import KafkaBroker, missing_for_kafka, new_topic, shared_broker
from tests.system.harness import Agent, wait_until

#: Every listener of the machine again and again, so that events flow; a queue that overflows soon.
BUSY = (
    "connbeat.poll_interval=200ms",
    "connbeat.aggregation=200ms",
    "queue.mem.flush.timeout=100ms",
    "logging.metrics.period=1s",
    "output.kafka.timeout=2s",
    "output.kafka.backoff.max=500ms",
)

StartAgent = Callable[..., Agent]


@pytest.fixture(autouse=True)
def listeners() -> Iterator[None]:
    """Something to tell of: 400 events at every poll."""
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield


@pytest.fixture
def broker() -> KafkaBroker:
    if reason := missing_for_kafka():
        pytest.skip(reason)
    return shared_broker()


@pytest.fixture
def topic(broker: KafkaBroker) -> str:
    name = new_topic()
    broker.make_topic(name)
    return name


def last_word(agent: Agent, output: str) -> tuple[int, int]:
    """Delivered and dropped, as the log said at the end."""
    found = re.search(
        rf"Output closed\. output={output} delivered=(\d+) .* dropped=(\d+)", agent.log()
    )
    assert found is not None, agent.log()
    return int(found[1]), int(found[2])


def test_what_an_outage_costs_is_what_the_counters_say(
    broker: KafkaBroker, topic: str, start_agent: StartAgent, tmp_path: Path
) -> None:
    agent = start_agent(
        *BUSY,
        f"output.kafka.hosts={broker.address}",
        f"output.kafka.topic={topic}",
        f"output.file.path={tmp_path}/out",
        "queue.mem.events=3000",
    )
    wait_until(lambda: len(broker.values(topic)) > 1000, 60, "events arrive")
    broker.kill()
    wait_until(lambda: "reason=queue_full" in agent.log(), 60, "the queue is full")
    broker.start()
    before = len(broker.values(topic))
    wait_until(lambda: len(broker.values(topic)) > before + 1000, 60, "events arrive again")
    assert agent.stop() == 0
    written = (tmp_path / "out" / "connbeat").read_bytes().splitlines()
    arrived = broker.values(topic)
    delivered, dropped = last_word(agent, "kafka")
    assert last_word(agent, "file") == (len(written), 0)
    assert len(arrived) == delivered
    assert delivered + dropped == len(written)
    assert dropped
    assert len(set(arrived)) == len(arrived)
    assert set(arrived) <= set(written)
    assert [line for line in written if line in set(arrived)] == arrived, "in their order"
    (key,) = {record.key for record in broker.read(topic)}
    assert key == json.loads(arrived[0])["beat"]["hostname"].encode()


def test_a_stop_without_a_broker_takes_no_longer_than_allowed(
    broker: KafkaBroker, topic: str, start_agent: StartAgent
) -> None:
    agent = start_agent(
        *BUSY,
        f"output.kafka.hosts={broker.address}",
        f"output.kafka.topic={topic}",
        "shutdown_timeout=2s",
    )
    wait_until(lambda: len(broker.values(topic)) > 1000, 60, "events arrive")
    with broker.frozen():
        wait_until(lambda: "The cluster does not answer" in agent.log(), 60, "a batch is held")
        began = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - began < 8
    assert "output=kafka reason=shutdown" in agent.log()
    for line in agent.log().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ ", line), line


def test_the_output_can_be_tried(broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    options = (f"output.kafka.hosts={broker.address}", f"output.kafka.topic={topic}")
    arguments = [word for option in options for word in ("-E", option)]
    tried = subprocess.run(
        [sys.executable, "-m", "connbeat", "test", "output", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "writing is allowed" in tried.stdout
    assert broker.values(topic) == []
