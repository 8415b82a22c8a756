"""The real agent's endpoint and its service manager, while its output is away."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connbeat.cli.health import Unanswered, ask
from connbeat.telemetry.listening import ListenAddress
from tests.metricbeat import read_state, read_stats
from tests.system.harness import QUICK, Agent, wait_until

#: What the kernel writes at the head of its table of sockets.
NO_SOCKETS = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"

StartAgent = Callable[..., Agent]


class Manager:
    """The service manager: what it was told, a datagram an item."""

    def __init__(self, path: Path) -> None:
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind(str(path))
        self._channel.setblocking(False)
        self._heard: list[str] = []
        self.environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000000"}

    def heard(self) -> list[str]:
        while True:
            try:
                self._heard.append(self._channel.recv(65536).decode())
            except BlockingIOError:
                return self._heard

    def beats(self) -> int:
        return sum("WATCHDOG=1" in text.split("\n") for text in self.heard())

    def has_heard(self, word: str) -> bool:
        return any(word in text.split("\n") for text in self.heard())

    def close(self) -> None:
        self._channel.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def health(host: str, *flags: str) -> int:
    options = ("-E", "http.enabled=true", "-E", f"http.host={host}")
    command = [sys.executable, "-m", "connbeat", "health", *flags, *options]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_an_agent_whose_output_is_away_lives_and_says_what_is_wrong(
    start_agent: StartAgent, manager: Manager, tmp_path: Path
) -> None:
    address = ListenAddress("", 0, f"{tmp_path}/c.sock")
    agent = start_agent(
        *QUICK,
        "http.enabled=true",
        f"http.host={address}",
        "output.http.hosts=[http://127.0.0.1:1]",
        "output.http.backoff.max=200ms",
        "queue.mem.events=1",
        "shutdown_timeout=1s",
        environ=manager.environ,
    ).wait_ready()

    def fetch(path: str) -> str:
        return ask(address, path)[1]

    def reasons() -> set[str]:
        return {one["reason"] for one in json.loads(fetch("/readyz"))["reasons"]}

    wait_until(lambda: manager.has_heard("READY=1"), 10, "READY=1")
    wait_until(lambda: manager.beats() >= 3, 10, "three beats of the watchdog")
    wait_until(lambda: "queue_drops" in reasons(), 10, "the loss of events in /readyz")
    assert health(str(address)) == 0
    assert health(str(address), "--ready") == 1
    text = fetch("/metrics")
    assert 'connbeat_output_failures_total{kind="transient",output="http"}' in text
    assert 'connbeat_output_events_dropped_total{output="http",reason="queue_full"}' in text
    stats = read_stats(fetch)
    assert stats["libbeat.output.write.errors"] > 0
    assert stats["libbeat.pipeline.events.dropped"] > 0
    assert read_state(fetch)["output.name"] == "http"
    own = json.loads(fetch("/stats"))["connbeat"]
    assert sum(own["capture"]["rungs"].values()) == len(own["capture"]["namespaces"]) > 0

    assert agent.stop() == 0
    assert manager.has_heard("STOPPING=1")
    assert manager.heard()[-1].startswith("STOPPING=1"), "nothing after the stop"
    with pytest.raises(Unanswered):
        fetch("/healthz")
    assert not Path(address.path).exists()


def test_a_capture_that_hangs_feeds_no_watchdog_until_it_goes_on(
    start_agent: StartAgent, manager: Manager, tmp_path: Path
) -> None:
    table, pipe, other = tmp_path / "tcp", tmp_path / "pipe", tmp_path / "other"
    for path in (table, other):
        path.write_bytes(NO_SOCKETS)
    os.mkfifo(pipe)
    agent = start_agent(*QUICK, environ={**manager.environ, "PROC_NET_TCP": str(table)})
    wait_until(lambda: manager.beats() >= 2, 15, "two beats of the watchdog")

    pipe.rename(table)
    writer = open_for_reader(table)
    other.rename(table)
    beats = manager.beats()
    time.sleep(2.5)  # five times as long as from one beat to the next
    assert manager.beats() <= beats + 1, "the last may have been on its way"
    beats = manager.beats()
    os.write(writer, NO_SOCKETS)
    os.close(writer)
    wait_until(lambda: manager.beats() >= beats + 2, 10, "beats once capture goes on")
    assert agent.stop() == 0


def open_for_reader(pipe: Path) -> int:
    """The writing end, as soon as somebody reads: who then waits for what is written."""
    found: list[int] = []

    def is_read() -> bool:
        try:
            found.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads yet
            return False
        return True

    wait_until(is_read, 10, "capture at the pipe")
    return found[0]
