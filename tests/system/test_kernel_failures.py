"""Connects that come to nothing: each is told once, with its reason and whose it was."""

import errno
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.system.bursts import KernelAgent, Load, Truth, kind_of
from tests.system.harness import Document, Netns, call
from tests.system.peers import BINARY, Peers

IP = "127.0.0.1"
CLOSED, DROPPED, REJECTED = 2001, 2002, 2003
KINDS: dict[str, tuple[int, Truth]] = {
    "refused": (40, {"port": CLOSED, "how": "blocking"}),
    "refused later": (10, {"port": CLOSED, "how": "waiting"}),
    "timeout": (20, {"port": DROPPED, "how": "waiting", "user_timeout_ms": 300}),
    "cancelled": (20, {"port": DROPPED, "how": "cancelled"}),
    "unreachable": (10, {"port": REJECTED, "how": "patient"}),
}
ERRNO = {
    "refused": errno.ECONNREFUSED,
    "timeout": errno.ETIMEDOUT,
    "unreachable": errno.EHOSTUNREACH,
    "cancelled": errno.EINPROGRESS,
}


@pytest.fixture(scope="module")
def room(peers: Peers) -> Netns:
    """A namespace in which one port swallows everything and one host cannot be reached."""
    netns = peers.netns("kernel-failures")
    inside = ("ip", "netns", "exec", netns.name)
    rule = (*inside, "iptables", "-w", "-A", "INPUT", "-p", "tcp", "--dport")
    call(*rule, str(DROPPED), "-j", "DROP")
    call(*rule, str(REJECTED), "-j", "REJECT", "--reject-with", "icmp-host-unreachable")
    return netns


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, room: Netns) -> Iterator[KernelAgent]:
    assert room.inode
    with KernelAgent(tmp_path_factory.mktemp("agent")) as started:
        started.wait_ready()
        yield started


def inside(room: Netns, action: str, **arguments: Any) -> Load:
    return Load(action, before=("ip", "netns", "exec", room.name), **arguments)


def test_a_hundred_failed_connects_are_each_told_once_with_their_reason(
    agent: KernelAgent, room: Netns
) -> None:
    wanted = [
        {"ip": IP, "kind": kind.split()[0], **what}
        for kind, (count, what) in KINDS.items()
        for _ in range(count)
    ]
    with inside(room, "fail", wanted=wanted) as load:
        truth = load.go()
    for one in truth:
        assert one["errno"] == ERRNO[one["kind"]], one
    agent.wait_for(in_room(room), "failures", count=100)
    agent.await_polls(3)

    events = agent.found(in_room(room))
    assert {kind_of(it) for it in events} == {"failed"}
    told = Counter((one["kind"], one["local_port"], one["port"]) for one in truth)
    assert Counter(as_told(it) for it in events) == told
    assert len(events) == 100
    assert {it["local_process"]["pid"] for it in events} == {load.pid}
    assert {it["local_process"]["binary"] for it in events} == {BINARY}
    assert {(it["local_ip"], it["remote_ip"]) for it in events} == {(IP, IP)}
    assert {it["connection"]["direction"] for it in events} == {"outbound"}
    assert {it["connection"]["direction_source"] for it in events} == {"transition"}
    for event in events:
        lasted = event["connection"]["duration_ms"]
        if event["connection"]["failure"] == "timeout":
            assert 250 < lasted < 3000, event
        else:
            assert 0 <= lasted < 1500, event


#: A REJECT's own words, and what a process reads at its socket.
REJECTS = {
    3001: ("icmp-port-unreachable", "refused", errno.ECONNREFUSED),
    3002: ("tcp-reset", "refused", errno.ECONNREFUSED),
    3003: ("icmp-host-unreachable", "unreachable", errno.EHOSTUNREACH),
    3004: ("icmp-net-unreachable", "unreachable", errno.ENETUNREACH),
    3005: ("icmp-admin-prohibited", "unreachable", errno.EHOSTUNREACH),
}


@pytest.mark.parametrize("how", ["blocking", "waiting", "patient"])
def test_a_firewall_that_rejects_is_the_reason_also_while_connect_still_runs(
    agent: KernelAgent, peers: Peers, how: str
) -> None:
    """One that waits for the answer closes as soon as it has it; the kernel would have tried on."""
    netns = peers.netns(f"kernel-rejects-{how}")
    into = ("ip", "netns", "exec", netns.name)
    for port, (reject, _, _) in REJECTS.items():
        rule = (*into, "iptables", "-w", "-A", "INPUT", "-p", "tcp", "--dport", str(port))
        call(*rule, "-j", "REJECT", "--reject-with", reject)
    one = {"ip": IP, "how": how}
    wanted = [{**one, "port": port, "kind": REJECTS[port][1]} for port in REJECTS for _ in range(3)]
    given_up = {**one, "port": DROPPED, "how": "cancelled", "kind": "cancelled"}
    call(*into, "iptables", "-w", "-A", "INPUT", "-p", "tcp", "--dport", str(DROPPED), "-j", "DROP")
    with inside(netns, "fail", wanted=[given_up, *wanted, given_up]) as load:
        truth = load.go()
    for told in truth[1:-1]:
        assert told["errno"] == REJECTS[told["port"]][2], told
    events = agent.wait_for(in_room(netns), "failures", count=len(truth))
    agent.await_polls(3)
    told = Counter((it["kind"], it["local_port"], it["port"]) for it in truth)
    assert Counter(as_told(it) for it in events) == told
    assert len(agent.found(in_room(netns))) == len(truth)


def in_room(room: Netns) -> Callable[[Document], bool]:
    return lambda it: "connection" in it and it["connection"]["netns"] == room.inode


def as_told(event: Document) -> tuple[str, int, int]:
    return event["connection"]["failure"], event["local_port"], event["remote_port"]


def test_a_connect_that_finds_no_local_port_says_so(agent: KernelAgent, peers: Peers) -> None:
    netns = peers.netns("kernel-ports")
    into = ("ip", "netns", "exec", netns.name)
    call(*into, "sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40000")
    call(*into, "iptables", "-w", "-A", "INPUT", "-p", "tcp", "--dport", str(DROPPED), "-j", "DROP")
    one = {"ip": IP, "port": DROPPED, "how": "waiting", "user_timeout_ms": 300, "is_unbound": True}
    with inside(netns, "fail", wanted=[one, one]) as load:
        first, second = load.go()
    assert (first["local_port"], first["errno"]) == (40000, errno.ETIMEDOUT)
    assert (second["local_port"], second["errno"]) == (0, errno.EADDRNOTAVAIL)
    told = agent.wait_for(in_room(netns), "both", count=2)
    agent.await_polls(3)
    assert Counter(as_told(it) for it in told) == {
        ("timeout", 40000, DROPPED): 1,
        ("no_local_port", 0, DROPPED): 1,
    }
