import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
import pytest

from connbeat.agent import observe
from connbeat.agent.lookups import Lookups
from connbeat.agent.observe import EventMaker, Observer, ObserverThread
from connbeat.agent.processing import Processing
from connbeat.capture.reader import Poll
from connbeat.connections.plans import PlanPolicy
from connbeat.connections.summaries import Summaries
from connbeat.connections.teller import Volume
from connbeat.connections.tracker import Tracker, TrackerPolicy
from connbeat.errors import CaptureError
from connbeat.events.document import DocumentBuilder
from connbeat.events.policy import DocumentPolicy
from connbeat.model.addresses import format_ip
from connbeat.model.batches import Event
from connbeat.model.connections import (
    Address,
    Direction,
    EventKind,
    Report,
    SummaryReason,
    SummaryReport,
)
from connbeat.model.containers import DockerHost
from connbeat.model.processes import Attribution, Process, Wanted
from connbeat.model.sockets import Socket, SocketSnapshot
from connbeat.model.targets import Namespaces, Target
from connbeat.model.traces import Close, Tick, Trace
from connbeat.processors.chain import compile_chain
from connbeat.telemetry.metrics import Metric, Metrics
from tests.builders import (
    HOST_NETNS,
    SECOND,
    FakeContainers,
    connection_report,
    listener_report,
    owned,
    process,
    row,
    snapshot,
)
from tests.deliveries import FakeClock
from tests.unit.connections.stories import steps
from tests.unit.processors.trying import FakeAccounts, FakeServices, steps_of

# Events


class FakeTime(FakeClock):
    """The wall clock is an hour ahead, and may step."""

    ahead_ns = 3600 * SECOND

    def now_ns(self) -> int:
        return self.monotonic + self.ahead_ns


def maker(clock: FakeClock, metrics: Metrics) -> EventMaker:
    policy = DocumentPolicy(name="h1", hostname="h1", version="1.0.0")
    return EventMaker(DocumentBuilder(policy, DockerHost("h1", ())), clock, metrics)


def test_an_event_is_the_document_in_one_line_with_its_id_and_time() -> None:
    clock = FakeTime()
    report = listener_report(reported_ns=clock.monotonic, kind=EventKind.ONGOING)
    (event,) = maker(clock, Metrics()).make([report], HOST_NETNS)
    assert event.id == report.event_id
    assert event.timestamp_ns == clock.now_ns()
    assert b"\n" not in event.body
    assert json.loads(event.body)["@timestamp"] == "1970-01-01T01:00:01.000Z"


def test_every_poll_reads_the_wall_clock_anew() -> None:
    clock = FakeTime()
    events = maker(clock, Metrics())
    report = connection_report(reported_ns=clock.monotonic, kind=EventKind.ONGOING)
    (before,) = events.make([report], HOST_NETNS)
    clock.ahead_ns += 5 * SECOND
    (after,) = events.make([report], HOST_NETNS)
    assert after.timestamp_ns - before.timestamp_ns == 5 * SECOND


def test_a_report_that_cannot_be_written_costs_itself_only_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    broken = connection_report(owner=process(1, executable="/bin/\udcff"), id="broken")
    events = list(maker(FakeTime(), metrics).make([broken, listener_report()], HOST_NETNS))
    assert [event.id for event in events] == ["h-1-9-opened-3"]
    assert metrics.get(Metric.REPORTS_FAILED) == 1
    assert "broken" in caplog.text


def test_events_go_through_the_processors_and_what_still_waits_comes_at_the_end() -> None:
    services = FakeServices()
    clock, metrics = services.clock, Metrics()
    yaml = "- drop_event.when.has_fields: [listener]\n- dns.fields: {remote_ip: name}"
    chain = compile_chain(steps_of(yaml), services, FakeAccounts())
    processing = Processing(chain, Lookups(clock, metrics), clock, metrics)
    policy = DocumentPolicy(name="h1", hostname="h1", version="1.0.0")
    builder = DocumentBuilder(policy, DockerHost("h1", ()))
    events = EventMaker(builder, clock, metrics, processing)
    report = connection_report()
    assert list(events.make([report, listener_report()], HOST_NETNS)) == []
    services.fake_names.known[format_ip(report.remote_ip)] = "web"
    first, second = events.make([report], HOST_NETNS)
    assert first.id == second.id == report.event_id
    assert json.loads(first.body)["name"] == "web"
    services.fake_names.known.clear()
    assert list(events.make([report], HOST_NETNS)) == []
    events.exchange(None)
    hurried, plain = events.make([report], HOST_NETNS)
    assert "name" not in json.loads(hurried.body)
    assert plain.body == hurried.body
    events.exchange(processing)
    assert list(events.make([report], HOST_NETNS)) == []
    assert [event.body for event in events.rest()] == [plain.body]
    assert list(events.rest()) == []
    assert list(maker(FakeTime(), metrics).rest()) == []


# The thread


class FakeObserver:
    """Polls as `plan` says, one item each: reports, or what to raise. Then there is nothing."""

    host_netns = HOST_NETNS

    def __init__(self, clock: FakeClock, *plan: list[Report] | BaseException) -> None:
        self.clock = clock
        self.plan = list(plan)
        self.started: list[int] = []
        self.seconds_each = 0.0
        self.closed = 0
        self.ticks = 0
        self.was_last = False

    def tick(self) -> Iterator[Report]:
        self.ticks += 1
        return iter(())

    def poll(self, *, is_last: bool = False) -> Iterator[Report]:
        self.was_last = is_last
        self.started.append(self.clock.monotonic // SECOND)
        self.clock.advance(self.seconds_each)
        found = self.plan.pop(0) if self.plan else []
        if isinstance(found, BaseException):
            raise found
        return iter(found)

    def close(self) -> None:
        self.closed += 1


class FakeIntake:
    def __init__(self) -> None:
        self.taken: list[list[str]] = []

    def put(self, events: Sequence[Event]) -> None:
        self.taken.append([event.id for event in events])


class Stage:
    """The capture thread with everything around it; `run` stops it at its n-th wait."""

    def __init__(self, *plan: list[Report] | BaseException, tick_seconds: int = 60) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.observer = FakeObserver(self.clock, *plan)
        self.intake = FakeIntake()
        self.thread = ObserverThread(
            cast(Observer, self.observer),
            maker(self.clock, self.metrics),
            self.intake,
            poll_interval_ns=2 * SECOND,
            tick_ns=tick_seconds * SECOND,
            clock=self.clock,
            metrics=self.metrics,
        )

    def run(self, waits: int) -> None:
        def stop_at_last() -> None:
            if len(self.clock.waits) >= waits:
                self.thread.stop()

        self.clock.on_wait = stop_at_last
        self.thread.run()


def report(number: int) -> Report:
    return listener_report(event_id=f"e{number}")


def test_every_interval_there_is_a_poll_and_at_the_stop_one_more() -> None:
    stage = Stage([report(1)], [report(2)], [report(3)])
    stage.run(waits=2)
    assert stage.intake.taken == [["e1"], ["e2"], ["e3"]]
    assert stage.observer.started == [1, 3, 3]
    assert stage.observer.closed == 1


def test_between_two_polls_the_kernel_is_heard_and_the_last_poll_knows_it_is() -> None:
    stage = Stage(tick_seconds=1)
    stage.run(waits=4)
    assert stage.clock.waits == [1, 1, 1, 1]
    assert stage.observer.started == [1, 3, 4], "the last poll is the stop's"
    assert stage.observer.ticks == 1 + 1
    assert stage.observer.was_last


def test_a_thread_told_to_stop_before_it_runs_still_polls_once() -> None:
    stage = Stage([report(1)])
    stage.thread.stop()
    stage.thread.run()
    assert stage.intake.taken == [["e1"]]


def test_who_waits_for_the_first_poll_is_told_after_it() -> None:
    stage = Stage()
    assert not stage.thread.first_poll_done.is_set()
    stage.run(waits=1)
    assert stage.thread.first_poll_done.is_set()


def test_a_poll_that_fails_is_counted_and_the_next_one_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage([report(1)], ValueError("bug"), [report(3)])
    stage.run(waits=3)
    assert stage.intake.taken == [["e1"], ["e3"]]
    assert stage.metrics.get(Metric.POLLS_FAILED) == 1
    assert "A poll failed" in caplog.text


def test_a_thread_that_must_not_go_on_ends_and_closes() -> None:
    """Lost in another namespace: that is no Exception, and nothing may keep the thread alive."""
    stage = Stage(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        stage.run(waits=3)
    assert stage.observer.closed == 1


def test_the_time_a_poll_takes_is_part_of_the_interval() -> None:
    stage = Stage()
    stage.observer.seconds_each = 0.5
    stage.run(waits=4)
    assert stage.clock.waits == [1.5] * 4
    assert stage.observer.started[:4] == [1, 3, 5, 7]


def test_a_poll_longer_than_the_interval_is_not_made_up_for() -> None:
    stage = Stage()
    stage.observer.seconds_each = 5
    stage.run(waits=2)
    assert stage.clock.waits == [0, 0]
    assert stage.observer.started == [1, 6, 11]


def test_after_a_long_poll_the_interval_begins_anew() -> None:
    stage = Stage()
    stage.observer.seconds_each = 5
    waits: list[float] = []

    def next_wait() -> None:
        waits.append(stage.clock.waits[-1])
        stage.observer.seconds_each = 0
        if len(waits) == 4:
            stage.thread.stop()

    stage.clock.on_wait = next_wait
    stage.thread.run()
    assert waits == [0, 2, 2, 2]


def test_a_change_is_made_by_the_thread_itself_before_its_next_look() -> None:
    stage = Stage([report(1)], [report(2)])
    seen: list[int] = []
    stage.thread.adjust(lambda: seen.append(len(stage.observer.started)))
    stage.run(waits=1)
    assert seen == [0]


def test_a_change_with_a_mistake_in_it_costs_one_poll() -> None:
    def mistake() -> None:
        raise ValueError("bug")

    stage = Stage([report(1)], [report(2)])
    stage.thread.adjust(mistake)
    stage.run(waits=1)
    assert stage.metrics.get(Metric.POLLS_FAILED) == 1
    assert stage.intake.taken == [["e1"]]


def test_a_new_interval_counts_from_the_next_poll_on() -> None:
    stage = Stage()
    stage.clock.on_wait = lambda: stage.thread.set_poll_interval(5 * SECOND)
    waits = stage.clock.waits

    def third() -> None:
        stage.thread.set_poll_interval(5 * SECOND)
        if len(waits) == 3:
            stage.thread.stop()

    stage.clock.on_wait = third
    stage.thread.run()
    assert waits == [2, 5, 5]


def test_events_are_handed_on_in_parts() -> None:
    stage = Stage([report(number) for number in range(2500)])
    stage.thread.stop()
    stage.thread.run()
    assert [len(part) for part in stage.intake.taken] == [1000, 1000, 500]


def test_what_was_made_before_a_poll_failed_is_handed_on() -> None:
    """Who reported it has forgotten it: the next poll does not make up for that."""

    class Breaks(list[Report]):
        def __iter__(self) -> Iterator[Report]:
            yield from (report(number) for number in range(1001))
            raise ValueError("bug")

    stage = Stage(Breaks(), [report(2000)])
    stage.run(waits=1)
    assert [len(part) for part in stage.intake.taken] == [1000, 1, 1]
    assert stage.metrics.get(Metric.POLLS_FAILED) == 1


def test_stop_returns_at_once_and_wakes_the_thread() -> None:
    stage = Stage()
    stopped = threading.Event()
    stage.clock.on_wait = stopped.set
    thread = threading.Thread(target=stage.thread.run)
    thread.start()
    assert stopped.wait(10)
    stage.thread.stop()
    thread.join(10)
    assert not thread.is_alive()


# One poll

CALL = row("10.0.0.1:5000", "10.0.0.2:80", cookie=2, inode=2)
HOST = Target(HOST_NETNS, (1,), "", is_host=True)


class World:
    """What the stages of a poll see: namespaces, snapshots, owners. It is all of them at once."""

    def __init__(self, *, volume: Volume | None = None) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.reason: SummaryReason | None = None
        self.steps: list[tuple[int, bool]] = []
        self.tables: list[SocketSnapshot] = []
        self.gone: tuple[int, ...] = ()
        self.asked: list[int] = []
        self.expired: list[int] = []
        self.told: list[Tick] = []
        self.forced: list[tuple[int | None, int]] = []
        self.open_sockets: list[Socket] = []
        self.was_last = False
        policy = TrackerPolicy(
            id_prefix="h",
            plan=PlanPolicy(interval_ns=30 * SECOND),
            max_connections=10,
            own_pid=0,
            with_host=True,
        )
        self.tracker = Tracker(
            policy,
            FakeContainers(),
            self,
            self.metrics,
            translator=self,
            volume=volume,
        )
        me = cast(Any, self)
        self.observer = Observer(
            namespaces=me,
            snapshots=me,
            kernel=me,
            nat=me,
            processes=me,
            lineage=me,
            owners=me,
            tracker=self.tracker,
            clock=self.clock,
            metrics=self.metrics,
            shedding=me,
        )

    def step(self, now_ns: int, *, is_overrun: bool) -> SummaryReason | None:
        self.steps.append((now_ns, is_overrun))
        return self.reason

    def read(self) -> Namespaces:
        return Namespaces({HOST_NETNS: HOST}, ())

    def poll(self, _targets: object, now_ns: int) -> Poll:
        tables = [msgspec.structs.replace(table, taken_ns=now_ns) for table in self.tables]
        return Poll(tuple(tables), self.gone, {HOST_NETNS: 0})

    def open(self, *_: object) -> None:
        """Nothing to open."""

    def see(self, targets: Mapping[int, Target]) -> None:
        assert set(targets) == {HOST_NETNS}

    def tick(self, *, is_last: bool = False) -> Tick:
        self.was_last = is_last
        return self.told.pop(0) if self.told else Tick()

    def force(self, netns: int | None, dumps: int = 1) -> None:
        self.forced.append((netns, dumps))

    def get(self, target: Target, wanted: Socket) -> Socket | None:
        assert target is HOST
        return next((s for s in self.open_sockets if s.local_port == wanted.local_port), None)

    def real_remotes(self, asked: Sequence[object]) -> list[Address | None]:
        return [None] * len(asked)

    def resolve(
        self, wanted: Sequence[Wanted], _namespaces: Namespaces, _now_ns: int
    ) -> Mapping[tuple[int, int], Attribution]:
        self.asked += [one.inode for one in wanted]
        return {(one.netns, one.inode): owned(one.inode) for one in wanted}

    def current(self, process: Process, _now_ns: int) -> Process | None:
        return process

    def expire(self, now_ns: int) -> list[int]:
        self.expired.append(now_ns)
        return []

    def kinds(self) -> list[str]:
        self.clock.advance(2)
        return [str(report.kind) for report in steps(self.observer.poll())]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is not in the host's namespace, so it cannot read the host's addresses."""
    monkeypatch.setattr(observe, "own_netns", lambda: 0)


@pytest.mark.usefixtures("elsewhere")
def test_a_namespace_in_doubt_is_dumped_again_whatever_its_gate_says() -> None:
    """A connection that was reset while its program keeps the socket has no message."""
    world = World()
    world.tables = [snapshot(CALL)]
    assert world.kinds() == ["ongoing"]
    world.tables = [msgspec.structs.replace(snapshot(), closes_heard=True)]
    assert (world.kinds(), world.forced) == ([], []), "its message may be on its way"
    assert (world.kinds(), world.forced) == ([], [(HOST_NETNS, 1)])
    assert (world.kinds(), world.forced) == (["closed"], [(HOST_NETNS, 1)] * 2)
    assert (world.kinds(), len(world.forced)) == ([], 2)


@pytest.mark.usefixtures("elsewhere")
def test_a_namespace_is_in_no_doubt_once_what_was_missing_was_told_to_be_closed() -> None:
    world = World()
    world.tables = [snapshot(CALL)]
    world.kinds()
    world.tables = [msgspec.structs.replace(snapshot(), closes_heard=True)]
    world.kinds()
    world.told = [Tick(closes=[Close(HOST_NETNS, CALL, world.clock.monotonic, None)])]
    world.kinds()
    assert world.kinds() == ["closed"]
    assert world.forced == []


@pytest.mark.usefixtures("elsewhere")
def test_a_poll_folds_asks_for_owners_and_reports() -> None:
    world = World()
    world.tables = [snapshot(CALL)]
    assert world.kinds() == ["ongoing"]
    assert world.asked == [2]
    assert world.kinds() == []
    assert world.asked == [2], "asked again"
    world.tables = []
    world.gone = (HOST_NETNS,)
    assert world.kinds() == ["closed"]
    assert world.metrics.get(Metric.POLLS) == 3
    assert len(world.expired) == 6, "processes and lineage"
    assert world.observer.host_netns == HOST_NETNS


def test_the_host_s_addresses_are_read_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    reads: list[int] = []

    def read_addresses() -> frozenset[bytes]:
        reads.append(world.clock.monotonic // SECOND)
        if len(reads) == 2:
            raise CaptureError("no netlink today")
        return frozenset()

    monkeypatch.setattr(observe, "own_netns", lambda: HOST_NETNS)
    monkeypatch.setattr(observe, "read_addresses", read_addresses)
    monkeypatch.setattr(observe, "read_networks", frozenset)
    for _ in range(12):
        world.kinds()
    assert reads == [3, 13, 23]


def trace_of(call: Socket) -> Trace:
    trace = Trace(77, Direction.OUTBOUND, 2 * SECOND)
    trace.family = 2
    trace.local_ip, trace.local_port = call.local_ip, call.local_port
    trace.remote_ip, trace.remote_port = call.remote_ip, call.remote_port
    trace.process = msgspec.structs.replace(process(9), netns=HOST_NETNS)
    return trace


@pytest.mark.usefixtures("elsewhere")
def test_what_the_kernel_told_to_be_open_is_looked_up_and_told_of_once() -> None:
    world = World()
    trace = trace_of(CALL)
    world.kinds()
    world.told = [Tick(opened=[trace])]
    world.open_sockets = [CALL]
    assert world.kinds() == ["opened"]
    assert world.asked == [], "the trace knows the process"
    trace.closed_ns = world.clock.monotonic
    world.told = [Tick(closes=[Close(HOST_NETNS, CALL, trace.closed_ns, trace)])]
    turns = [[str(report.kind) for report in steps(world.observer.tick())] for _ in range(3)]
    assert turns == [[], ["closed"], []], "it waits a turn for its other end"
    assert world.kinds() == []


@pytest.mark.usefixtures("elsewhere")
def test_a_bound_holds_between_polls_however_far_apart_they_are() -> None:
    """A minute of execs is hundreds of megabytes."""
    world = World()
    world.kinds()
    world.expired.clear()
    begun = world.clock.monotonic
    for _ in range(12):
        world.clock.advance(0.25)
        list(world.observer.tick())
    assert world.expired == [begun + second * SECOND for second in (1, 2, 3)], "lineage alone"


@pytest.mark.usefixtures("elsewhere")
def test_the_last_poll_lets_the_kernel_know_and_looks_everywhere() -> None:
    world = World()
    world.kinds()
    before = (world.was_last, list(world.forced))
    list(world.observer.poll(is_last=True))
    assert before == (False, [])
    assert world.was_last
    assert world.forced == [(None, 1)], "every open connection is looked for once more"


@pytest.mark.usefixtures("elsewhere")
def test_a_loss_forces_two_dumps_of_every_namespace() -> None:
    world = World()
    world.told = [Tick(is_lossy=True)]
    world.kinds()
    assert world.forced == [(None, 2)]


def test_every_turn_that_comes_to_its_end_is_a_heartbeat_and_one_that_fails_is_not() -> None:
    stage = Stage([report(1)], RuntimeError("a bug"), [], tick_seconds=1)
    stage.run(waits=3)
    heartbeat = stage.thread.heartbeat
    assert stage.observer.ticks == 1
    assert stage.metrics.get(Metric.POLLS_FAILED) == 1
    assert heartbeat.count == 2 + 1 + 1 + 1, "a chunk and its poll, a tick, the last poll, the rest"
    assert heartbeat.last_ns == stage.clock.monotonic


def test_at_every_turn_it_is_asked_whether_to_shed_and_then_nothing_is_told_singly() -> None:
    world = World(volume=Volume(summaries=Summaries("h", 100, Metrics())))
    world.kinds()
    world.told = [Tick(is_lossy=True)]
    list(world.observer.tick())
    assert [is_overrun for _, is_overrun in world.steps] == [False, True]
    world.reason = SummaryReason.BUFFER_OVERRUN
    world.tables = [snapshot(CALL)]
    assert world.kinds() == []
    world.clock.advance(30)
    (summary,) = world.observer.poll()
    assert isinstance(summary, SummaryReport)
    assert (summary.reason, summary.opened) == (SummaryReason.BUFFER_OVERRUN, 1)
    assert world.steps[-1][0] == world.clock.monotonic_ns()
