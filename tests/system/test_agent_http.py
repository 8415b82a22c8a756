"""The real agent with the HTTP output: trouble of the server, shutdown, other outputs."""

import contextlib
import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.fault_proxy import FaultProxy, Stall
from tests.servers.http_server import Answer, HttpServer, Request
from tests.system.harness import Agent, wait_until

#: Every listener of the machine again and again, so that events flow, and numbers every second.
BUSY = (
    "connbeat.poll_interval=200ms",
    "connbeat.aggregation=200ms",
    "queue.mem.events=200000",
    "logging.metrics.period=1s",
    "output.http.backoff.max=200ms",
)

StartAgent = Callable[..., Agent]


@pytest.fixture(autouse=True)
def listeners() -> Iterator[None]:
    """Something to tell of: 400 events at every poll."""
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield


class Gate:
    """A server's judge: trouble with everything until it is opened."""

    def __init__(self, status: int = 503) -> None:
        self.status = status
        self.is_open = False

    def __call__(self, _: Request) -> Answer | None:
        return None if self.is_open else Answer(self.status)


def waiting(agent: Agent, output: str) -> int:
    """Events in the output's queue, as the log said last."""
    assert agent.process.poll() is None, f"the agent ended: {agent.log()}"
    found = re.findall(rf'connbeat_queue_events{{output="{output}"}}=(\d+)', agent.log())
    return int(found[-1]) if found else 0


def last_word(agent: Agent, output: str) -> tuple[int, int]:
    """Delivered and dropped, as the log said at the end."""
    found = re.search(
        rf"Output closed\. output={output} delivered=(\d+) .* dropped=(\d+)", agent.log()
    )
    assert found is not None, agent.log()
    return int(found[1]), int(found[2])


def lines(server: HttpServer) -> list[bytes]:
    return [line for body in server.bodies() for line in body.splitlines()]


@pytest.mark.parametrize("batch", ["off", "ndjson"])
def test_five_thousand_events_that_wait_all_arrive_after_a_sigterm(
    start_agent: StartAgent, batch: str
) -> None:
    gate = Gate()
    with HttpServer(judge=gate) as server:
        agent = start_agent(*BUSY, f"output.http.hosts={server.url}", f"output.http.batch={batch}")
        wait_until(lambda: waiting(agent, "http") >= 5000, 60, "5,000 events wait")
        gate.is_open = True
        assert agent.stop() == 0
        arrived = lines(server)
    assert last_word(agent, "http") == (len(arrived), 0)
    assert len(arrived) >= 5000
    assert len(set(arrived)) == len(arrived)
    assert json.loads(arrived[-1])["type"] == "connbeat"


def test_a_server_that_stays_away_costs_what_the_log_says_and_no_more_time_than_allowed(
    start_agent: StartAgent, tmp_path: Path
) -> None:
    agent = start_agent(
        *BUSY,
        "output.http.hosts=127.0.0.1:1",
        "shutdown_timeout=1s",
        f"output.file.path={tmp_path}/out",
    )
    wait_until(lambda: waiting(agent, "http") >= 1000, 60, "1,000 events wait")
    began = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - began < 6
    written = (tmp_path / "out" / "connbeat").read_bytes().splitlines()
    assert last_word(agent, "file") == (len(written), 0)
    assert last_word(agent, "http") == (0, len(written))
    assert "output=http reason=shutdown" in agent.log()


def test_a_second_signal_leaves_at_once(start_agent: StartAgent) -> None:
    with HttpServer() as server, FaultProxy(server.address) as proxy:
        proxy.fault = Stall()
        agent = start_agent(
            *BUSY, f"output.http.hosts=127.0.0.1:{proxy.port}", "shutdown_timeout=60s"
        )
        wait_until(lambda: waiting(agent, "http") >= 400, 60, "events wait")
        agent.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "Stopping." in agent.log(), 10, "it stops")
        time.sleep(0.5)
        assert agent.process.poll() is None, "it waits for the output"
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(5) == 1
    assert "second signal" in agent.log()


def test_a_dead_output_delays_no_other_and_each_has_its_own_filter(
    start_agent: StartAgent, tmp_path: Path
) -> None:
    with HttpServer() as server, FaultProxy(server.address) as proxy:
        proxy.fault = Stall()
        agent = start_agent(
            *BUSY,
            f"output.http.hosts=127.0.0.1:{proxy.port}",
            f"output.file.path={tmp_path}/out",
            "output.file.when.equals.listener.event=ongoing",
            "shutdown_timeout=1s",
        )
        path = tmp_path / "out" / "connbeat"
        wait_until(lambda: waiting(agent, "http") >= 2000, 60, "2,000 events wait for http")
        sizes = [path.stat().st_size]
        for _ in range(2):
            time.sleep(1)
            sizes.append(path.stat().st_size)
        assert sizes[0] < sizes[1] < sizes[2], "the file goes on meanwhile"
        assert waiting(agent, "file") < 2000
        assert agent.stop() == 0
    kinds = {json.loads(line)["listener"]["event"] for line in path.read_bytes().splitlines()}
    assert kinds == {"ongoing"}
    assert 'connbeat_output_events_filtered_total{output="file"}=' in agent.log()


def test_refused_events_are_dead_letters_and_the_others_arrive(
    start_agent: StartAgent, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as marked:
        number = marked.getsockname()[1]
        mark = f'"local_port":{number}'.encode()

        def judge(request: Request) -> Answer | None:
            return Answer(422, b"not this one") if mark in request.body else None

        with HttpServer(judge=judge) as server:
            agent = start_agent(
                *BUSY,
                f"output.http.hosts={server.url}",
                "output.http.batch=array",
                f"path.data={tmp_path}/data",
            )
            path = tmp_path / "data" / "dead_letter" / "http.ndjson"
            wait_until(path.exists, 30, "a dead letter")
            assert agent.stop() == 0
            arrived = [event for body in server.bodies() for event in json.loads(body)]
    letters = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert last_word(agent, "http") == (len(arrived), len(letters))
    assert {letter["event"]["local_port"] for letter in letters} == {number}
    assert {(letter["reason"], letter["error"]) for letter in letters} == {
        ("refused", "422 not this one")
    }
    assert "dead letters" in agent.log()
    assert "are lost" not in agent.log()


def test_wrong_credentials_lose_nothing(start_agent: StartAgent) -> None:
    gate = Gate(401)
    with HttpServer(judge=gate) as server:
        agent = start_agent(*BUSY, f"output.http.hosts={server.url}", "output.http.batch=ndjson")
        wait_until(lambda: "wants other credentials" in agent.log(), 30, "it is said")
        wait_until(lambda: waiting(agent, "http") >= 1000, 30, "events wait")
        gate.is_open = True
        wait_until(lambda: "takes events again" in agent.log(), 30, "it takes events again")
        assert agent.stop() == 0
        assert last_word(agent, "http") == (len(lines(server)), 0)
