"""Summaries and the CPU budget: whatever is shed, no count is."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.system.bursts import KernelAgent, Load, Truth
from tests.system.harness import Document, Netns, wait_until
from tests.system.peers import Peers, linked

COUNT = 500
#: Of one core. Far less than the flood costs, and twice what an agent costs that has nothing to do
#: on a host where others work.
QUICK_BUDGET = (
    "connbeat.cpu_budget=6%",
    "connbeat.cpu_budget_period=1s",
    "connbeat.cpu_budget_calm=2s",
    "connbeat.aggregation=1s",
    "connbeat.summarise.interval=2s",
)
FLOOD = {"count": 40_000, "rate": 4000, "seconds": 4}


REFUSED: Truth = {"ip": "127.0.0.1", "port": 1, "how": "blocking"}


def inside(netns: Netns, action: str, **arguments: Any) -> Load:
    return Load(action, before=("ip", "netns", "exec", netns.name), **arguments)


class Ends:
    """All ends of one side of the connections to a port, added up by the rule of docs/volume.md."""

    def __init__(self, events: Iterable[Document]) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.reasons: set[str] = set()
        self.singles = 0
        self._last: dict[str, Document] = {}
        for event in events:
            if "summary" in event:
                self._add_summary(event["summary"])
            else:
                self._add_single(event["connection"])
        for told in self._last.values():
            before = told.get("summarised", {})
            for name in ("bytes_sent", "bytes_received"):
                self.counts[name] += told.get(name, 0) - before.get(name, 0)

    def _add_summary(self, summary: Document) -> None:
        self.reasons.add(summary["reason"])
        for name in ("opened", "closed", "bytes_sent", "bytes_received"):
            self.counts[name] += summary[name]
            self.counts[name] += summary.get("earlier", {}).get(name, 0)
        self.failures.update(summary.get("failures", {}))

    def _add_single(self, told: Document) -> None:
        self.singles += 1
        if told["event"] == "failed":
            self.failures[told["failure"]] += 1
            return
        self.counts["closed"] += told["event"] == "closed"
        is_first = told["id"] not in self._last and "summarised" not in told
        self.counts["opened"] += is_first and told["event"] != "ongoing"
        if "bytes_sent" in told or is_first:
            self._last[told["id"]] = told


def sides(agent: KernelAgent, netns: int, port: int) -> tuple[Ends, Ends]:
    """Those who called that port of the namespace, and those who accepted there."""
    events = [
        it
        for it in agent.found(lambda it: "listener" not in it)
        if (it.get("summary") or it["connection"])["netns"] == netns
    ]
    callers = [it for it in events if it.get("remote_port") == port]
    return Ends(callers), Ends([it for it in events if it.get("local_port") == port])


def moved(truth: Truth) -> tuple[int, int]:
    """By all callers: sent, received."""
    made = truth["connections"]
    return sum(one["sent"] for one in made), sum(one["received"] for one in made)


def check(ends: Ends, count: int, sent: int, received: int) -> None:
    assert (ends.counts["opened"], ends.counts["closed"]) == (count, count)
    assert (ends.counts["bytes_sent"], ends.counts["bytes_received"]) == (sent, received)


def test_the_connections_of_a_namespace_are_a_few_summaries_with_exact_counts_and_bytes(
    netns: Netns, tmp_path: Path
) -> None:
    options = ("connbeat.summarise.enabled=true", "connbeat.summarise.interval=1s")
    with KernelAgent(tmp_path, *options) as agent:
        agent.wait_ready()
        with inside(netns, "fail", wanted=[REFUSED] * 3) as failing:
            failing.go()
        with inside(netns, "burst", count=COUNT) as load:
            [server] = load.children()
            truth = load.go()
            port = truth["port"]
            wait_until(
                lambda: all(it.counts["closed"] >= COUNT for it in sides(agent, netns.inode, port)),
                15,
                "summaries of all connections",
            )
    callers, accepted = sides(agent, netns.inode, port)
    sent, received = moved(truth)
    check(callers, COUNT, sent, received)
    check(accepted, COUNT, received, sent)
    assert callers.singles == accepted.singles == 0
    assert callers.reasons == accepted.reasons == {"configured"}
    told = [
        it
        for it in agent.found(lambda it: "summary" in it and it["summary"]["netns"] == netns.inode)
        if port in (it.get("local_port"), it.get("remote_port"))
    ]
    assert len(told) <= 2 * (truth["seconds"] + 3)
    assert sides(agent, netns.inode, REFUSED["port"])[0].failures == {"refused": 3}
    by_direction = {it["summary"]["direction"]: it["local_process"]["pid"] for it in told}
    assert by_direction == {"outbound": load.pid, "inbound": server}
    assert {it["remote_ip"] for it in told} == {"127.0.0.1"}


class Exchange:
    """A connection that stays, and what went over it."""

    def __init__(self, peers: Peers, netns: Netns) -> None:
        self.server = peers.inside(netns)
        self.client = peers.inside_of(self.server.pid)
        self.server_end, self.client_end = linked(self.server, self.client)
        self.sent = self.received = 0

    def go(self, size: int) -> None:
        self.client.send(self.client_end, size)
        self.server.receive(self.server_end, size)
        self.server.send(self.server_end, 3 * size)
        self.client.receive(self.client_end, 3 * size)
        self.sent, self.received = self.sent + size, self.received + 3 * size

    def close(self) -> None:
        self.client.close_sock(self.client_end)
        self.server.close_sock(self.server_end)


def shed_and_return(
    agent: KernelAgent, netns: Netns, steady: Exchange, ending: Exchange
) -> dict[str, Truth]:
    """A flood, and a known burst within it; then calm, and another burst. What was made."""
    steady.go(1000)
    ending.go(500)
    agent.await_polls(3)
    with inside(netns, "churn", **FLOOD) as load:
        load.start()
        wait_until(lambda: agent.number("connbeat_shedding") == 1, 10, "it sheds")
        steady.go(20_000)
        ending.go(7)
        ending.close()
        with inside(netns, "burst", count=COUNT) as during:
            shed = during.go()
        flood = {**load.result(), "ports": load.ready["ports"]}
    steady.go(300)
    wait_until(lambda: "Calm again" in agent.log(), 25, "it returns")
    agent.await_polls(3)
    with inside(netns, "burst", count=COUNT) as after:
        calm = after.go()
    steady.go(4)
    agent.await_polls(3)
    steady.close()
    agent.await_about(calm["port"], 2 * COUNT, netns.inode)
    agent.await_polls(2)
    return {"flood": flood, "shed": shed, "calm": calm}


def test_over_its_budget_the_agent_sheds_detail_says_so_and_returns_and_every_count_is_exact(
    peers: Peers, tmp_path: Path
) -> None:
    netns = peers.netns("budget")
    steady, ending = Exchange(peers, netns), Exchange(peers, netns)
    with KernelAgent(tmp_path, *QUICK_BUDGET) as agent:
        agent.wait_ready()
        made = shed_and_return(agent, netns, steady, ending)
        assert "in summaries from now on" in agent.log()
        assert agent.number('connbeat_shedding_changes_total{to="cpu_budget"}') >= 1
        assert agent.number("connbeat_shedding_seconds_total") > 1
    for name, reasons in (("shed", {"cpu_budget"}), ("calm", set())):
        sent, received = moved(made[name])
        callers, accepted = sides(agent, netns.inode, made[name]["port"])
        check(callers, COUNT, sent, received)
        check(accepted, COUNT, received, sent)
        assert callers.reasons == accepted.reasons == reasons
        assert bool(callers.singles) == bool(accepted.singles) == (not reasons)
    flooded = [sides(agent, netns.inode, port) for port in made["flood"]["ports"]]
    count = made["flood"]["made"]
    assert count > 1000
    assert sum(callers.counts["closed"] for callers, _ in flooded) == count
    assert sum(accepted.counts["closed"] for _, accepted in flooded) == count
    assert sum(callers.singles for callers, _ in flooded) > 0, "before it shed"
    check_exchange(agent, netns, steady, singles=2)
    check_exchange(agent, netns, ending, singles=1)


def check_exchange(agent: KernelAgent, netns: Netns, one: Exchange, *, singles: int) -> None:
    """It was there before the agent, was told singly, in summaries, and maybe singly again."""
    callers, accepted = sides(agent, netns.inode, one.client_end.remote_port)
    for ends, sent, received in (
        (callers, one.sent, one.received),
        (accepted, one.received, one.sent),
    ):
        assert (ends.counts["opened"], ends.counts["closed"]) == (0, 1)
        assert (ends.counts["bytes_sent"], ends.counts["bytes_received"]) == (sent, received)
        assert ends.singles >= singles
        assert ends.reasons == {"cpu_budget"}
