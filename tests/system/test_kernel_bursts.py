"""Connections that are over before anybody could look: every one reported, with all that is true.

Ground truth is the load program's own record of each connection.
"""

import itertools
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.system.bursts import (
    KernelAgent,
    Load,
    Truth,
    by_client_port,
    closes_of,
    in_container,
    moment,
    remove,
)
from tests.system.harness import BUSYBOX, PREFIX, Document, call
from tests.system.peers import BINARY

COUNT = 1000
#: How busy the host is, and for how long.
RATE, SECONDS = 4000, 3


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelAgent]:
    with KernelAgent(tmp_path_factory.mktemp("agent")) as started:
        started.wait_ready()
        yield started


def check_counters(event: Document, sent: int, received: int) -> None:
    about = event["connection"]
    assert (about["bytes_sent"], about["bytes_received"]) == (sent, received), event
    assert about["retransmits"] == 0, event
    assert about["rtt_ms"] > 0, event


def check_times(event: Document, truth: Truth) -> None:
    about = event["connection"]
    before, after = truth["opened"]
    assert before - 0.002 <= moment(about["opened_at"]) <= after + 0.002, (event, truth)
    assert moment(about["closed_at"]) >= moment(about["opened_at"])
    assert about["duration_ms"] > 0, event
    assert about["duration_ms"] <= (truth["closed"] - before) * 1000 + 50, (event, truth)


@pytest.mark.docker
@pytest.mark.usefixtures("busybox_image")
def test_a_thousand_connections_within_a_second_in_a_container_are_all_told_at_both_ends(
    agent: KernelAgent,
) -> None:
    with in_container("burst", "burst", count=COUNT) as load:
        [server] = load.children()
        truth = load.go()
        events = agent.await_about(truth["port"], 2 * COUNT, load.netns)
    assert truth["seconds"] < 1

    events = closes_of(events, truth["seconds"])
    assert len(events) == 2 * COUNT
    assert {it["container"]["id"] for it in events} == {load.container_id}
    assert {it["container"]["name"] for it in events} == {load.container}
    assert {it["connection"]["netns"] for it in events} == {load.netns}
    assert {it["connection"]["direction_source"] for it in events} == {"transition"}
    assert {it["local_process"]["binary"] for it in events} == {BINARY}
    assert {(it["local_ip"], it["remote_ip"]) for it in events} == {("127.0.0.1", "127.0.0.1")}

    sides = by_client_port(events, truth["port"])
    told = {one["port"]: one for one in truth["connections"]}
    assert sides["client"].keys() == sides["server"].keys() == told.keys()
    for port, one in told.items():
        client, server_end = sides["client"][port], sides["server"][port]
        assert client["connection"]["direction"] == "outbound"
        assert server_end["connection"]["direction"] == "inbound"
        assert client["local_process"]["pid"] == load.pid
        assert server_end["local_process"]["pid"] == server
        check_counters(client, one["sent"], one["received"])
        check_counters(server_end, one["received"], one["sent"])
        check_times(client, one)
        check_times(server_end, one)
        assert client["remote_container"]["id"] == server_end["remote_container"]["id"]
        assert client["remote_process"]["pid"] == server
        assert server_end["remote_process"]["pid"] == load.pid
        assert client["network"] == server_end["network"]


@pytest.mark.parametrize("ends", ["close", "reset"])
def test_a_burst_on_the_host_is_told_with_both_addresses_also_if_it_ends_by_reset(
    agent: KernelAgent, ends: str
) -> None:
    """A reset takes the addresses away before the kernel tells of the end."""
    with Load("burst", count=200, ends=ends) as load:
        [server] = load.children()
        truth = load.go()
        events = agent.await_about(truth["port"], 400, load.netns)
    events = closes_of(events, truth["seconds"])
    assert len(events) == 400
    assert {(it["local_ip"], it["remote_ip"]) for it in events} == {("127.0.0.1", "127.0.0.1")}
    assert {it["connection"]["direction_source"] for it in events} == {"transition"}
    assert all("container" not in it for it in events)

    told = Counter(one["port"] for one in truth["connections"])  # a reset frees its port at once
    clients = [it for it in events if it["remote_port"] == truth["port"]]
    servers = [it for it in events if it["local_port"] == truth["port"]]
    assert Counter(it["local_port"] for it in clients) == told
    assert Counter(it["remote_port"] for it in servers) == told
    assert {it["local_process"]["pid"] for it in clients} == {load.pid}
    assert {it["local_process"]["pid"] for it in servers} == {server}
    assert {it["connection"]["direction"] for it in clients} == {"outbound"}
    assert {it["connection"]["direction"] for it in servers} == {"inbound"}
    assert all(it["connection"]["duration_ms"] > 0 for it in events)
    # Who resets on purpose loses its own counters: the kernel has none to tell. A poll that came
    # upon the connection may have some.
    is_reset = ends == "reset"
    assert not sizes(truth, 0 if is_reset else None) - Counter(map(counters, clients))
    backwards = Counter(counters(it)[::-1] for it in servers)
    assert not sizes(truth, 1 if is_reset else None) - backwards


Sizes = tuple[int | None, int | None]


def counters(event: Document) -> Sizes:
    return event["connection"].get("bytes_sent"), event["connection"].get("bytes_received")


def sizes(truth: Truth, lost: int | None) -> Counter[Sizes]:
    """What each client sent and received, but for the half whose number is even (0) or odd (1)."""
    return Counter(
        (one["sent"], one["received"])
        for number, one in enumerate(truth["connections"])
        if number % 2 != lost
    )


# Processes that live a few milliseconds

WGETS = 200
#: Each request says which it is, and the shell says under which pid it runs.
WGET_LOOP = f"""
httpd -p 127.0.0.1:$0 -h /
echo ready
read go
for i in $(seq {WGETS}); do
  wget -q -O /dev/null http://127.0.0.1:$0/etc/wget/$i &
  echo $i $!
  wait $!
done
"""
#: Rounds until their command lines were read in time: somebody else may need both processors.
ROUNDS = 5
#: Of the command lines, in the best round: how soon the reader's processor wakes is the machine's
#: affair. On one day rounds beside the load came to 0.8 to 0.99, and to 1 some hours before.
SHARE, SHARE_WHEN_BUSY = 0.97, 0.9
_ports = itertools.count(8000)


class Wgets:
    """A container in which wget runs again and again; its pids are the host's."""

    def __init__(self, name: str) -> None:
        self.name = f"{PREFIX}-kernel-{name}"
        self.port = next(_ports)  # its namespace may get the number of one that is gone
        remove(self.name)
        command = ["docker", "run", "--rm", "--interactive", "--pid=host", "--name", self.name]
        self._process = subprocess.Popen(
            [*command, BUSYBOX, "sh", "-c", WGET_LOOP, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # 404, every time
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        form = "{{.State.Pid}} {{.Id}}"
        pid, self.id = call("docker", "inspect", "-f", form, self.name).split()
        self.netns = Path(f"/proc/{pid}/ns/net").stat().st_ino

    def go(self) -> dict[int, str]:
        """The command line of each by its pid, once all have run."""
        output, _ = self._process.communicate("go\n")
        numbers = dict(line.split() for line in output.splitlines())
        assert len(numbers) == WGETS
        url = f"http://127.0.0.1:{self.port}/etc/wget"
        return {int(pid): f"wget -q -O /dev/null {url}/{i}" for i, pid in numbers.items()}

    def close(self) -> None:
        remove(self.name)
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_wgets(agent: KernelAgent, wgets: Wgets, told: dict[int, str]) -> float:
    """All are there with pid, name and container; the share that has its command line."""
    events = agent.await_about(wgets.port, 2 * WGETS, wgets.netns, seconds=30)
    events = closes_of(events, seconds=2)
    assert len(events) == 2 * WGETS
    assert {it["container"]["id"] for it in events} == {wgets.id}
    assert {it["container"]["name"] for it in events} == {wgets.name}
    # The file's name, or the one it was called by where that alone could be read.
    assert {it["local_process"]["binary"] for it in events} <= {"busybox", "wget", "httpd"}
    assert {it["connection"]["direction_source"] for it in events} == {"transition"}
    clients = [it for it in events if it["remote_port"] == wgets.port]
    servers = [it for it in events if it["local_port"] == wgets.port]
    assert {it["connection"]["direction"] for it in clients} == {"outbound"}
    assert {it["connection"]["direction"] for it in servers} == {"inbound"}
    by_pid: dict[int, str] = {
        it["local_process"]["pid"]: it["local_process"]["cmdline"] for it in clients
    }
    assert by_pid.keys() == told.keys()
    assert all(by_pid[pid] in ("", cmdline) for pid, cmdline in told.items())
    return sum(by_pid[pid] == cmdline for pid, cmdline in told.items()) / WGETS


@pytest.mark.docker
@pytest.mark.usefixtures("busybox_image")
def test_two_hundred_wgets_that_live_a_few_ms_are_each_told_with_pid_name_and_container(
    agent: KernelAgent,
) -> None:
    shares: list[float] = []
    while len(shares) < ROUNDS and max(shares, default=0) < SHARE:
        with Wgets("wget") as wgets:
            shares.append(check_wgets(agent, wgets, wgets.go()))
    assert max(shares) >= SHARE, shares


@pytest.mark.docker
@pytest.mark.usefixtures("busybox_image")
def test_they_stay_known_while_the_host_makes_four_thousand_connections_a_second(
    agent: KernelAgent,
) -> None:
    shares: list[float] = []
    while len(shares) < ROUNDS and max(shares, default=0) < SHARE_WHEN_BUSY:
        load = Load("churn", count=10**6, rate=RATE, seconds=SECONDS)
        with load, Wgets("busy") as wgets:
            load.start()
            time.sleep(0.3)
            told = wgets.go()
            made = load.result()["made"]
            shares.append(check_wgets(agent, wgets, told))
        assert made > 0.5 * RATE * SECONDS  # as busy as two processors get
    assert max(shares) >= SHARE_WHEN_BUSY, shares
