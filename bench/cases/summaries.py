"""Summaries: what an end costs that is counted in one, beside one with a document of its own."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from bench.cases.traffic import watch
from bench.figures import Figures, Measurement
from bench.load import Load, read_truth
from bench.observers import Scene, agent
from bench.setup import Case, Setup
from connbeat.agent.observe import EventMaker
from connbeat.agent.volume import build_volume, plan_policy
from connbeat.clock import SystemClock
from connbeat.config.schema import ConnbeatConfig, Settings, SummariseConfig
from connbeat.connections.tracker import Tracker, TrackerPolicy
from connbeat.events.document import DocumentBuilder
from connbeat.events.policy import DocumentPolicy
from connbeat.model.connections import Address, Direction, FourTuple
from connbeat.model.containers import DockerHost
from connbeat.model.processes import Process
from connbeat.model.traces import Close, Tick, Trace
from connbeat.telemetry.metrics import Metrics
from tests.builders import HOST_NETNS, SECOND, FakeContainers, counters, process, row
from tests.reports import WEB

_TURNS = 40
#: Ends that closed since the turn before, a quarter of a second ago.
_ENDS = 1000
_TICK_NS = SECOND // 4
_TICKS_A_POLL = 8
_FITS = {"equals": {"container.name": WEB.name}}
_SINGLY = Settings()
_ALWAYS = Settings(connbeat_summarise=SummariseConfig(enabled=True, interval_seconds=2.0))
_SETTINGS = {
    "singly": _SINGLY,
    "singly, with a budget": Settings(connbeat=ConnbeatConfig(cpu_budget=25.0)),
    "in summaries": _ALWAYS,
    "in summaries, by condition": Settings(
        connbeat_summarise=SummariseConfig(enabled=True, interval_seconds=2.0, when=_FITS)
    ),
}
_TRAFFIC = "--clients 4 --rate 4000"


class _World:
    """Nobody calls exec, nothing is translated; two processes of a container, again and again."""

    def __init__(self) -> None:
        self._cookie = 0
        self._client = process(10, "curl", "http://web/", container=WEB.id)
        self._server = process(20, "nginx", container=WEB.id)

    def current(self, known: Process, _now_ns: int) -> Process:
        return known

    def real_remotes(self, asked: Iterable[FourTuple]) -> list[Address | None]:
        return [None for _ in asked]

    def closes(self, now_ns: int) -> list[Close]:
        """Both ends of each connection, told by the kernel with all that it knows."""
        return [
            self._close(end, now_ns)
            for _ in range(_ENDS // 2)
            for end in (Direction.OUTBOUND, Direction.INBOUND)
        ]

    def _close(self, direction: Direction, now_ns: int) -> Close:
        self._cookie += 1
        is_client = direction is Direction.OUTBOUND
        port = 32768 + (self._cookie + is_client) // 2 % 28000
        here, there = (f"127.0.0.1:{port}", "127.0.0.1:80")[:: 1 if is_client else -1]
        trace = Trace(self._cookie, direction, now_ns - 5_000_000)
        trace.process = self._client if is_client else self._server
        trace.cookie, trace.closed_ns, trace.is_established = self._cookie, now_ns, True
        socket = row(here, there, cookie=self._cookie, counters=counters())
        return Close(HOST_NETNS, socket, now_ns, trace)


def _run(setup: Setup) -> Iterator[Measurement]:
    for name, settings in _SETTINGS.items():
        yield Measurement(name, _in_this_process(settings))
    rung = max(setup.rungs)
    for name, options in (
        ("the agent, singly", ()),
        ("the agent, in summaries", ("connbeat.summarise.enabled=true",)),
    ):
        yield Measurement(f"{name}, {rung.label}", _by_the_agent(setup, options))


def _in_this_process(settings: Settings) -> Figures:
    """From the kernel's message to the encoded event: CPU of this thread, the quickest turn."""
    world, metrics = _World(), Metrics()
    builder = DocumentBuilder(
        DocumentPolicy(name="h1", hostname="h1", version="1.0.0"), DockerHost("h1", ())
    )
    policy = TrackerPolicy(
        id_prefix="5b1c2f0a9d3e4f60",
        plan=plan_policy(settings),
        max_connections=200_000,
        own_pid=1,
        with_host=True,
    )
    tracker = Tracker(
        policy,
        FakeContainers([WEB]),
        world,
        metrics,
        translator=world,
        volume=build_volume(settings, builder, policy.id_prefix, metrics),
    )
    maker = EventMaker(builder, SystemClock(), metrics)
    took, events, now_ns = [], 0, SECOND
    for turn in range(_TURNS):
        now_ns += _TICK_NS
        closes = world.closes(now_ns)
        start = time.thread_time()
        tracker.fold_tick(Tick(closes=closes))
        is_tick = turn % _TICKS_A_POLL != 0
        events += sum(1 for _ in maker.make(tracker.report(now_ns, is_tick=is_tick), HOST_NETNS))
        took.append(time.thread_time() - start)
    return {"µs an end": 1e6 * min(took) / _ENDS, "events": float(events)}


def _by_the_agent(setup: Setup, options: tuple[str, ...]) -> Figures:
    """`burst` under the whole agent, user and system time; all ends have to be counted."""
    folder = setup.folder()
    truth = folder / "truth"
    traffic = f"--netns --truth {truth} {_TRAFFIC} --seconds {setup.seconds(6)}"
    with Load([setup.load], f"traffic {traffic}") as load:
        scene = Scene(folder, load.pid, load.netns)
        cost = watch(load, agent(max(setup.rungs), *options, "connbeat.aggregation=5s"), scene)
        ends = 2 * sum(one.kind == "short" for one in read_truth(truth))
    with scene.events.open() as lines:
        documents = [msgspec.json.decode(line) for line in lines]
    counted = sum(_closed(document, scene.netns) for document in documents)
    return {
        "µs an end": 1e6 * cost["CPU s"] / ends,
        "events": float(len(documents)),
        "counted %": 100 * counted / ends,
    }


def _closed(document: Mapping[str, Any], netns: int) -> int:
    """How many ends closed by this event."""
    if "summary" in document:
        summary = document["summary"]
        return int(summary["closed"]) if summary["netns"] == netns else 0
    told = document.get("connection", {})
    return int(told.get("netns") == netns and told.get("event") == "closed")


CASES = (
    Case(
        "summaries",
        "What an end costs in a summary",
        "markedly less than singly; 100 % counted",
        _run,
    ),
)
