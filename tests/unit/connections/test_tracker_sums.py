"""No count is lost, however often it changes what is told singly and what in summaries.

The same world is told to two trackers: one tells everything singly, the other sheds and returns at
random, summarises what some processes do always, and has far too little room for its summaries.
Whoever adds up what they say, by the rule of docs/volume.md, gets the same.
"""

import errno
from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.plans import PlanPolicy
from connbeat.connections.summaries import Summaries
from connbeat.connections.teller import Volume
from connbeat.model.connections import (
    ConnectionReport,
    Direction,
    EventKind,
    Moved,
    Party,
    Report,
    SummaryReason,
    SummaryReport,
)
from connbeat.model.documents import Document
from connbeat.model.processes import Process
from connbeat.model.sockets import Counters, Socket, TcpState
from connbeat.model.traces import Close, Tick, Trace
from connbeat.telemetry.metrics import Metrics
from tests.builders import HOST_NETNS, SECOND, process, row
from tests.unit.connections.stories import Story

SERVERS = ("10.0.0.2:80", "10.0.0.3:443", "10.0.0.4:80")
REASONS = st.sampled_from([None, SummaryReason.CPU_BUDGET, SummaryReason.BUFFER_OVERRUN])
AMOUNTS = st.integers(0, 10_000)


def describe(party: Party) -> Document:
    return {"pid": party.owner.pid if isinstance(party.owner, Process) else 0}


def plan_of(aggregation: int, summary: int, *, are_some: bool) -> PlanPolicy:
    """`are_some`: every third process is always summarised."""
    return PlanPolicy(
        interval_ns=aggregation * SECOND,
        summary_ns=summary * SECOND,
        is_summarised=are_some,
        summarised=(lambda document: document["pid"] % 3 == 0) if are_some else None,
    )


class World:
    """Sockets of the host; both trackers see the same of them."""

    def __init__(self, plan: PlanPolicy) -> None:
        """There is room for a handful of groups."""
        self.single = Story(plan=PlanPolicy(interval_ns=plan.interval_ns))
        volume = Volume(describe, Summaries("h", 8, Metrics()))
        self.mixed = Story(plan=plan, volume=volume)
        self.second = 0.0
        self.next = 10
        self.open: dict[int, Socket] = {}
        self.dying: list[Socket] = []
        self.told: tuple[list[Report], list[Report]] = ([], [])
        self.opened = 0

    def connect(self, server: str) -> None:
        self.next += 1
        made = row(f"10.0.0.1:{self.next}", server, cookie=self.next, inode=self.next)
        self.open[self.next] = made
        self.opened += 1

    def move(self, name: int, sent: int, received: int, retransmits: int) -> None:
        known = self.open[name]
        before = known.counters or Counters(0, 0, 0, 50, None)
        self.open[name] = msgspec.structs.replace(
            known,
            counters=Counters(
                before.bytes_sent + sent,
                before.bytes_received + received,
                before.retransmits + retransmits,
                before.rtt_us + sent % 7,
                None,
            ),
        )

    def vanish(self, name: int) -> None:
        """Only a later dump shows that it is gone, what it moved since the last is unknown."""
        known = self.open.pop(name)
        self.dying.append(
            msgspec.structs.replace(known, state=TcpState.TIME_WAIT, inode=0, counters=None)
        )

    def close(self, name: int) -> None:
        """The kernel tells it, with final counters."""
        close = Close(HOST_NETNS, self.open.pop(name), self._now_ns(), None)
        for story in (self.single, self.mixed):
            story.tracker.fold_tick(Tick(closes=[close]))

    def fail(self, code: int, server: str) -> None:
        socket = row("10.0.0.1:1", server)
        trace = Trace(self.next, Direction.OUTBOUND, self._now_ns())
        trace.remote_ip, trace.remote_port = socket.remote_ip, socket.remote_port
        trace.local_ip, trace.errno, trace.failed_ns = socket.local_ip, code, self._now_ns()
        trace.process = process(self.next % 5 + 1)
        for story in (self.single, self.mixed):
            story.tracker.fold_tick(Tick(failed=[trace]))

    def poll(self, *, is_last: bool = False) -> None:
        self.second += 2
        rows = (*self.open.values(), *self.dying)
        for story, told in zip((self.single, self.mixed), self.told, strict=True):
            story.poll(self.second, *rows, is_last=is_last)
            told += [*story.reports, *story.summaries]
        self.dying.clear()

    def _now_ns(self) -> int:
        return int((self.second + 2) * SECOND)


Moves = tuple[int, int, int]


class Consumer:
    """Adds up by the rule of docs/volume.md."""

    def __init__(self, reports: Iterable[Report]) -> None:
        self.closed = 0
        self.failures: Counter[str] = Counter()
        self._opened = 0
        self._opened_singly: set[str] = set()
        self._moved: list[Moves] = []
        self._last: dict[str, Moves] = {}
        for report in reports:
            if isinstance(report, SummaryReport):
                self._add_summary(report)
            elif isinstance(report, ConnectionReport):
                self._add_single(report)

    @property
    def opened(self) -> int:
        return self._opened + len(self._opened_singly)

    @property
    def moved(self) -> list[int]:
        rows = [*self._moved, *self._last.values(), (0, 0, 0)]
        return [sum(column) for column in zip(*rows, strict=True)]

    def _add_summary(self, report: SummaryReport) -> None:
        self._opened += report.opened
        self.closed += report.closed
        self.failures.update(dict(report.failures))
        self._moved += [_moves(report.moved), _moves(report.earlier)]

    def _add_single(self, report: ConnectionReport) -> None:
        if report.kind is EventKind.FAILED:
            self.failures[report.failure] += 1
            return
        self.closed += report.kind is EventKind.CLOSED
        is_first = report.id not in self._last and report.summarised is None
        if report.kind is EventKind.OPENED or (report.kind is EventKind.CLOSED and is_first):
            self._opened_singly.add(report.id)
        self._last.setdefault(report.id, (0, 0, 0))
        if report.counters is not None:
            told = zip(_moves(report.counters), _moves(report.summarised or Moved()), strict=True)
            sent, received, retransmits = (now - before for now, before in told)
            self._last[report.id] = sent, received, retransmits


def _moves(moved: Moved | Counters) -> Moves:
    return moved.bytes_sent, moved.bytes_received, moved.retransmits


def draw_step(data: st.DataObject, world: World) -> None:
    """Anything that can happen, a poll with a change of mode included."""
    name = data.draw(st.sampled_from([*world.open, 0]))
    match data.draw(st.sampled_from(["connect", "move", "close", "vanish", "fail", "poll"])):
        case "connect":
            world.connect(data.draw(st.sampled_from(SERVERS)))
        case "fail":
            code = data.draw(st.sampled_from([errno.ECONNREFUSED, errno.ETIMEDOUT]))
            world.fail(code, data.draw(st.sampled_from(SERVERS)))
        case "move" if name:
            world.move(name, *(data.draw(AMOUNTS) for _ in range(3)))
        case "close" if name:
            world.close(name)
        case "vanish" if name:
            world.vanish(name)
        case _:
            world.mixed.tracker.shed(data.draw(REASONS))
            world.poll()


@given(st.data(), st.sampled_from([0, 3, 10]), st.integers(2, 20), st.booleans())
def test_singles_and_summaries_together_say_what_singles_alone_would(
    data: st.DataObject, aggregation: int, summary: int, are_some: bool
) -> None:
    world = World(plan_of(aggregation, summary, are_some=are_some))
    for _ in range(data.draw(st.integers(0, 3), label="there before")):
        world.connect(data.draw(st.sampled_from(SERVERS)))
        world.move(world.next, *(data.draw(AMOUNTS) for _ in range(3)))
    before = world.opened
    world.mixed.tracker.shed(data.draw(REASONS))
    world.poll()
    for _ in range(data.draw(st.integers(0, 25))):
        draw_step(data, world)
    world.poll()
    for name in list(world.open):
        world.close(name)
    world.poll()
    world.poll(is_last=True)
    alone, together = map(Consumer, world.told)
    assert together.moved == alone.moved
    assert together.failures == alone.failures
    assert together.closed == alone.closed == world.opened
    assert together.opened == alone.opened == world.opened - before


@given(st.data(), st.integers(2, 20))
def test_what_is_open_now_is_what_is_open(data: st.DataObject, summary: int) -> None:
    """Everything is summarised all the time, in as few groups as there can be."""
    world = World(PlanPolicy(interval_ns=SECOND, summary_ns=summary * SECOND, is_summarised=True))
    for _ in range(data.draw(st.integers(0, 30))):
        names = list(world.open)
        if len(names) > 0 and data.draw(st.booleans()):
            world.vanish(data.draw(st.sampled_from(names)))
        else:
            world.connect(data.draw(st.sampled_from(SERVERS)))
        if data.draw(st.booleans()):
            world.poll()
            told = world.mixed.summaries
            assert not told or sum(one.open for one in told) == len(world.open)
    world.poll(is_last=True)
    assert sum(one.open for one in world.mixed.summaries) == len(world.open)


def test_the_world_of_these_tests_has_singles_and_summaries() -> None:
    """Otherwise they prove nothing."""
    world = World(plan_of(3, 4, are_some=True))
    world.poll()
    for _ in range(40):
        world.connect(SERVERS[0])
        world.poll()
    told = world.told[1]
    assert {type(report).__name__ for report in told} == {"ConnectionReport", "SummaryReport"}


@pytest.mark.parametrize("reason", list(SummaryReason)[1:])
def test_a_connection_that_is_told_singly_again_says_what_summaries_told_of_it(
    reason: SummaryReason,
) -> None:
    world = World(plan_of(2, 60, are_some=False))
    world.poll()
    world.connect(SERVERS[0])
    world.move(world.next, 100, 1000, 1)
    world.poll()
    world.mixed.tracker.shed(reason)
    world.move(world.next, 20, 200, 2)
    world.poll()
    world.mixed.tracker.shed(None)
    world.move(world.next, 3, 30, 3)
    world.poll()
    (summary,) = world.mixed.summaries
    assert msgspec.structs.astuple(summary.moved) == (20, 200, 2)
    assert (summary.reason, summary.open, summary.opened, summary.closed) == (reason, 0, 0, 0)
    report = world.mixed.connection
    assert report.summarised is not None
    assert msgspec.structs.astuple(report.summarised) == (20, 200, 2)
    assert report.counters is not None
    assert report.counters.bytes_sent == 123
