"""The life of a connection: when it is told of, how often, and under which id."""

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from connbeat.agent.build import build_observation
from connbeat.clock import SystemClock
from connbeat.config.schema import ConnbeatConfig, Settings
from connbeat.telemetry.metrics import Metrics
from tests.system.harness import POLLS, Agent, Document, call
from tests.system.peers import Peer, Peers, Sock, closed, events_of, kinds_of, linked


@pytest.fixture(scope="module")
def server(peers: Peers) -> Peer:
    return peers.inside(peers.netns("life"))


@pytest.fixture(scope="module")
def client(peers: Peers, server: Peer) -> Peer:
    return peers.inside_of(server.pid)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, rung: tuple[str, ...]) -> Iterator[Agent]:
    with Agent(tmp_path_factory.mktemp("agent"), *rung, "connbeat.aggregation=1s") as started:
        yield started.wait_ready()


def settle(agent: Agent, server: Peer) -> None:
    """Until the agent has looked at the namespace twice more."""
    for _ in range(2):
        canary = server.listen()
        agent.wait_for(canary.is_in, "a canary")
        server.close_sock(canary)
        closed(agent, canary)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_connection_is_opened_then_ongoing_every_aggregation_then_closed(
    agent: Agent, server: Peer, client: Peer
) -> None:
    opening = time.time()
    server_end, client_end = linked(server, client)
    client.send(client_end, 1000)
    agent.wait_for(
        lambda it: client_end.is_in(it) and it["connection"]["event"] == "ongoing",
        "ongoing",
        count=3,
    )
    closing = time.time()
    client.close_sock(client_end)
    server.close_sock(server_end)
    last = closed(agent, client_end)
    closed(agent, server_end)

    first, *between, _ = events_of(agent, client_end)
    assert kinds_of(agent, client_end) == ["opened", *["ongoing"] * len(between), "closed"]
    # One a second, at a poll: neither early nor twice.
    stamps = [moment(it["@timestamp"]) for it in (first, *between)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    assert all(gap > 0.75 for gap in gaps), gaps
    assert len(between) == pytest.approx(closing - opening, abs=1.2)

    about = last["connection"]
    # As exact as the polls are: never before it happened, soon after it did.
    assert opening - 0.002 <= moment(about["opened_at"]) < opening + 2
    assert closing - 0.002 <= moment(about["closed_at"]) < closing + 2
    assert first["@timestamp"] == first["connection"]["opened_at"]
    assert last["@timestamp"] == about["closed_at"]
    assert (about["bytes_sent"], about["bytes_received"]) == (1000, 0)
    assert about["state"] == "closed"
    assert {it["connection"]["state"] for it in between} == {"established"}


def test_a_connection_seen_only_in_time_wait_is_one_closed_event_of_nobody(
    tmp_path: Path, server: Peer, client: Peer
) -> None:
    with Agent(tmp_path, *POLLS) as agent:
        assert_told_from_time_wait(agent.wait_ready(), server, client)


def assert_told_from_time_wait(agent: Agent, server: Peer, client: Peer) -> None:
    listener = server.listen()
    address = {"ip": "127.0.0.1", "port": listener.local_port}
    settle(agent, server)  # the listener is known, and the interval is new
    ends = client.connect_all(*[address] * 20)
    client.close_sock(*ends)
    server.close_sock(*server.accept_all(listener, 20))
    # A host with too many orphans lets some go at once: those that stay have to be told.
    waiting = in_time_wait(server)
    ends = [end for end in ends if (end.local_port, end.remote_port) in waiting]
    assert len(ends) >= 15
    last = [closed(agent, end) for end in ends]

    # A poll may have come in between, once.
    short = [it for it in last if "pid" not in it["local_process"]]
    assert len(short) >= 10
    for event in short:
        assert event["local_process"] == {
            "binary": "Unknown process with inode 0",
            "cmdline": "",
            "environ": [""],
            "unknown_reason": "no_inode",
        }
        assert event["connection"]["direction"] == "outbound"
        assert event["connection"]["state"] == "closed"
        assert "opened_at" not in event["connection"]
    settle(agent, server)  # the rows stay for a minute, and are not news again
    counts = Counter(tuple(kinds_of(agent, end)) for end in ends)
    assert counts == {
        kinds: count
        for kinds, count in (
            (("closed",), len(short)),
            (("opened", "closed"), len(ends) - len(short)),
        )
        if count
    }


def in_time_wait(peer: Peer) -> set[tuple[int, int]]:
    """The ports, local and remote, of what the kernel's own table has in TIME_WAIT (06)."""
    rows = [row.split() for row in Path(f"/proc/{peer.pid}/net/tcp").read_text().splitlines()[1:]]
    return {
        (int(row[1].partition(":")[2], 16), int(row[2].partition(":")[2], 16))
        for row in rows
        if row[3] == "06"
    }


def test_what_was_there_before_the_agent_is_ongoing_and_has_no_beginning(
    tmp_path: Path, server: Peer, client: Peer, rung: tuple[str, ...]
) -> None:
    listener = server.listen()
    client_end = client.connect("127.0.0.1", listener.local_port)
    server_end = server.accept(listener)
    old_end, other_end = linked(server, client)
    client.close_sock(other_end)
    server.close_sock(old_end)  # a row in TIME_WAIT
    with Agent(tmp_path, *rung) as agent:
        for sock in (listener, client_end, server_end):
            agent.wait_for(sock.is_in, f"{sock}")
            assert kinds_of(agent, sock) == ["ongoing"]
        client.close_sock(client_end)
        server.close_sock(server_end, listener)
        for sock in (listener, client_end, server_end):
            about = closed(agent, sock)
            about = about.get("connection") or about["listener"]
            assert "opened_at" not in about
            assert "duration_ms" not in about
            assert kinds_of(agent, sock) == ["ongoing", "closed"]
        settle(agent, server)
        assert kinds_of(agent, other_end) == []


def test_a_connection_keeps_its_id_when_the_agent_is_restarted(
    tmp_path: Path, server: Peer, client: Peer, rung: tuple[str, ...]
) -> None:
    """It is made of the boot, the namespace and the kernel's cookie."""
    ends = linked(server, client)
    boot = re.sub("[^0-9a-f]", "", Path("/proc/sys/kernel/random/boot_id").read_text())[:16]
    for run in ("first", "second"):
        folder = tmp_path / run
        folder.mkdir()
        with Agent(folder, *rung) as agent:
            for end in ends:
                event = agent.wait_for(end.is_in, "an end")[0]
                assert event["connection"]["id"] == f"{boot}-{server.netns:x}-{end.cookie:x}"


def test_no_two_events_have_one_id_also_over_a_restart(server: Peer, client: Peer) -> None:
    """The events' own ids are for outputs; here they are taken where they are made."""
    ends = linked(server, client)
    ids: list[str] = []
    for _ in range(2):
        settings = Settings(connbeat=ConnbeatConfig(enable_docker=False, aggregation_seconds=0.001))
        observation = build_observation(settings, {}, SystemClock(), Metrics())
        for _ in range(3):
            time.sleep(0.26)  # the schedule's slot
            ids += [
                report.event_id
                for report in observation.observer.poll()
                if any(report.id.endswith(f"-{end.cookie:x}") for end in ends)
            ]
        observation.observer.close()
    assert len(ids) >= 8
    assert len(set(ids)) == len(ids)


def host_address() -> str:
    """An address of the host that is no loopback."""
    for link in json.loads(call("ip", "-json", "-4", "address", "show", "scope", "global")):
        for address in link["addr_info"]:
            return str(address["local"])
    raise AssertionError("the host has no address")


def test_local_ips_are_the_hosts_own_addresses_in_use(
    agent: Agent, peers: Peers, server: Peer, client: Peer
) -> None:
    """No loopback, no wildcard, nothing of another namespace."""
    host, ip = peers.on_host(), host_address()
    host.listen("0.0.0.0")
    inner = "10.99.0.1"
    inside = ("nsenter", f"--net=/proc/{server.pid}/ns/net", "ip")
    call(*inside, "address", "replace", f"{inner}/32", "dev", "lo")
    foreign = linked(server, client, inner)
    ends = linked(host, host, ip)
    for end in (*foreign, *ends):
        agent.wait_for(end.is_in, "an end")
    canary = host.listen()
    newest: Document = agent.wait_for(canary.is_in, "a later event")[-1]
    local_ips = newest["beat"]["local_ips"]
    assert ip in local_ips
    assert inner not in local_ips
    own = {address.split("/")[0] for address in own_addresses()}
    assert set(local_ips) <= own - {"127.0.0.1", "::1"}


def own_addresses() -> list[str]:
    """Every address that the host's interfaces have."""
    links = json.loads(call("ip", "-json", "address", "show"))
    return [str(address["local"]) for link in links for address in link["addr_info"]]


def test_states_of_a_connection_are_told_as_they_are(
    agent: Agent, server: Peer, client: Peer
) -> None:
    server_end, client_end = linked(server, client)
    assert first_state(agent, client_end) == "established"
    client.finish(client_end)
    for end, state in ((client_end, "fin_wait2"), (server_end, "close_wait")):
        wait_for_state(agent, end, state)


def wait_for_state(agent: Agent, sock: Sock, state: str) -> None:
    agent.wait_for(lambda it: sock.is_in(it) and it["connection"]["state"] == state, state)


def first_state(agent: Agent, sock: Sock) -> str:
    return str(agent.wait_for(sock.is_in, f"{sock}")[0]["connection"]["state"])


def test_a_connect_without_an_answer_is_outbound_and_in_syn_sent(
    tmp_path: Path, peers: Peers
) -> None:
    """Nobody answers in a namespace whose packets go nowhere. Where connects are heard it is told
    when it is known what became of it (test_kernel_failures).
    """
    netns = peers.netns("void")
    call("ip", "-n", netns.name, "link", "add", "void", "type", "bridge")
    call("ip", "-n", netns.name, "address", "add", "10.98.0.1/24", "dev", "void")
    call("ip", "-n", netns.name, "link", "set", "void", "up")
    call("ip", "-n", netns.name, "neighbour", "add", "10.98.0.2", "lladdr",
         "02:00:00:00:00:02", "dev", "void")  # fmt: skip
    peer = peers.inside(netns)
    peer.ask(("connect", {"ip": "10.98.0.2", "port": 80}))
    with Agent(tmp_path, *POLLS) as agent:
        event = agent.wait_for(
            lambda it: it.get("connection", {}).get("netns") == netns.inode, "the attempt"
        )[0]
    assert event["connection"]["state"] == "syn_sent"
    assert event["connection"]["direction"] == "outbound"
    assert event["connection"]["direction_source"] == "state"
    assert event["local_process"]["pid"] == peer.pid
