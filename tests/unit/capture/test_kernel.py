"""Rungs 2 and 3 as one source: order, losses, falling and coming back, with fakes of both."""

import errno
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

from connbeat.capture import kernel as module
from connbeat.capture.execs import ExecSource
from connbeat.capture.formats import DESTROY, STATE
from connbeat.capture.joins import Heard
from connbeat.capture.kernel import KernelSource
from connbeat.capture.ladder import OTHER_PIDS, SWITCHED_OFF, Rung, Standing
from connbeat.errors import CaptureError
from connbeat.linux.procfs import ProcFs
from connbeat.linux.tracefs import Tracefs
from connbeat.model.sockets import TcpState
from connbeat.model.targets import Target
from connbeat.model.traces import ProcessSink
from connbeat.telemetry.metrics import Metric, Metrics
from tests.builders import process
from tests.strategies import make_socket
from tests.traces import page, record, short_event
from tests.unit.capture.test_joins import message
from tests.unit.capture.test_traces import FakeSink
from tests.unit.capture.trace_tree import TraceTree

SECOND, MS = 1_000_000_000, 1_000_000
HOST, OTHER = 1, 2
#: Of every process that is made here.
PROCESS_NETNS = process(1).netns


class FakeHearing:
    """Hears what is put into it, of the host's namespace."""

    def __init__(self, procfs: ProcFs, metrics: Metrics) -> None:
        del procfs, metrics
        self.missing = SWITCHED_OFF
        self.is_open = False
        self.queued: list[Heard] = []
        self.is_lossy = False
        self.was_last = False
        self.seen: list[int] = []
        self.known_ones: frozenset[int] = frozenset()
        #: Runs when it is drained: what happens between that and the reading of the trace.
        self.meanwhile: Callable[[], None] = lambda: None

    def open(self) -> None:
        self.is_open = True
        self.missing = ""

    def covers(self, where: int) -> bool:
        return self.is_open and where == HOST

    def known(self) -> frozenset[int]:
        return self.known_ones

    def see(self, targets: Mapping[int, Target]) -> None:
        self.seen = list(targets)

    def hear(self, *, is_last: bool = False) -> tuple[list[Heard], bool]:
        self.was_last = is_last
        queued, self.queued = self.queued, []
        is_lossy, self.is_lossy = self.is_lossy, False
        self.meanwhile()
        return queued, is_lossy

    def close(self) -> None:
        self.is_open = False


class FakeClock:
    def __init__(self) -> None:
        self.time_ns = SECOND

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns

    def wait(self, event: threading.Event, seconds: float) -> bool:
        raise NotImplementedError


class House(TraceTree):
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, "transitions", processors=1)
        self.metrics = Metrics()
        self.clock = FakeClock()
        self.sink = FakeSink()
        self.has_tracefs = True
        self.opened = 0
        monkeypatch.setattr(module, "Hearing", FakeHearing)
        monkeypatch.setattr(module, "open_tracefs", self._open_tracefs)

    def kernel(
        self, highest: Rung = Rung.TRANSITIONS, execs: ExecSource | None = None
    ) -> KernelSource:
        made = KernelSource(
            ProcFs(self.proc.root), self.sink, highest,
            clock=self.clock, metrics=self.metrics, execs=execs,
        )  # fmt: skip
        made.open(0)
        return made

    def connect(self, skaddr: int = 1, *, at_ns: int = 0, new: str = "SYN_SENT") -> None:
        row = make_socket()
        values: dict[str, int | bytes] = {
            "common_pid": 500, "skaddr": skaddr,
            "oldstate": TcpState.SYN_SENT if new != "SYN_SENT" else TcpState.CLOSE,
            "newstate": TcpState[new], "sport": row.local_port, "dport": row.remote_port,
            "family": row.family, "saddr": row.local_ip, "daddr": row.remote_ip,
        }  # fmt: skip
        self._write(STATE, values, at_ns)

    def destroy(self, cookie: int, skaddr: int = 1, *, at_ns: int = 0) -> None:
        self._write(DESTROY, {"common_pid": 1, "skaddr": skaddr, "sock_cookie": cookie}, at_ns)

    def _write(self, event: str, values: Mapping[str, int | bytes], at_ns: int) -> None:
        made = record(self.tracefs.format(event), values)
        self.write(0, page(at_ns or self.clock.time_ns, short_event(made)))

    def _open_tracefs(self) -> Tracefs:
        self.opened += 1
        if not self.has_tracefs:
            raise CaptureError("a mount of tracefs: No such device")
        return self.tracefs


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch)


def hearing(kernel: KernelSource) -> FakeHearing:
    fake = kernel._hearing
    assert isinstance(fake, FakeHearing)
    return fake


def heard(cookie: int, **counters: int) -> Heard:
    return HOST, message(make_socket(cookie=cookie), **counters), False


# A turn


def test_a_close_and_its_trace_are_one(house: House) -> None:
    kernel = house.kernel()
    house.connect()
    house.destroy(5, at_ns=house.clock.time_ns)
    hearing(kernel).queued = [heard(5, bytes_sent=10)]
    tick = kernel.tick()
    (close,) = tick.closes
    assert close.trace is not None
    assert close.trace.process is not None
    assert close.trace.process.pid == 500
    assert close.socket.counters is not None
    assert tick.until_ns == house.clock.time_ns
    assert not tick.is_lossy


def test_of_more_messages_than_are_joined_at_once_each_is_told_once_in_their_order(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MESSAGES_AT_ONCE", 2)
    kernel = house.kernel()
    house.connect()
    house.destroy(5, at_ns=house.clock.time_ns)
    hearing(kernel).queued = [heard(cookie) for cookie in (1, 2, 3, 4, 5)]
    closes = kernel.tick().closes
    assert [close.socket.cookie for close in closes] == [1, 2, 3, 4, 5]
    assert closes[-1].trace is not None


def test_what_ends_between_the_two_readings_is_told_with_its_message_in_the_next_turn(
    house: House,
) -> None:
    """Closes are drained first, so a trace may be early, and never late."""
    kernel = house.kernel()

    def meanwhile() -> None:
        house.connect()
        house.destroy(5)

    hearing(kernel).meanwhile = meanwhile
    assert kernel.tick().closes == []
    hearing(kernel).meanwhile = lambda: None
    hearing(kernel).queued = [heard(5)]
    (close,) = kernel.tick().closes
    assert close.trace is not None


def test_connections_that_opened_and_are_open_are_told_apart_from_all_that_opened(
    house: House,
) -> None:
    kernel = house.kernel()
    for skaddr in (1, 2):
        house.connect(skaddr)
        house.connect(skaddr, new="ESTABLISHED")
    house.destroy(5, skaddr=2)
    tick = kernel.tick()
    assert [trace.skaddr for trace in tick.opened] == [1]
    assert [trace.skaddr for trace in tick.established] == [1, 2]
    assert kernel.tick().established == []


def test_failed_connects_are_told_when_their_reason_cannot_come_any_more(house: House) -> None:
    kernel = house.kernel()
    house.connect()
    house.connect(new="CLOSE")
    assert list(kernel.tick().failed) == []
    house.clock.time_ns += 20 * MS
    (failed,) = kernel.tick().failed
    assert failed.errno == errno.ECANCELED


def test_a_trace_whose_message_was_lost_is_told_after_a_while(house: House) -> None:
    kernel = house.kernel()
    house.connect()
    house.destroy(5)
    assert kernel.tick().closes == []
    house.clock.time_ns += 5 * SECOND
    (close,) = kernel.tick().closes
    assert (close.socket.cookie, close.socket.counters) == (5, None)
    hearing(kernel).queued = [heard(5)]
    assert kernel.tick().closes == [], "told once, however late the message"


@pytest.mark.parametrize(
    ("is_lossy", "is_last", "is_bad", "where"),
    [
        (False, False, False, 0),
        (True, False, False, PROCESS_NETNS),
        (False, True, False, PROCESS_NETNS),
        (False, False, True, PROCESS_NETNS),
    ],
)
def test_a_trace_without_a_message_is_of_its_process_namespace_if_that_may_be_lost_or_on_its_way(
    house: House, *, is_lossy: bool, is_last: bool, is_bad: bool, where: int
) -> None:
    kernel = house.kernel()
    hearing(kernel).known_ones = frozenset((PROCESS_NETNS,))
    hearing(kernel).queued = [heard(99)]
    kernel.see({})
    assert len(kernel.tick().closes) == 1
    house.clock.time_ns += SECOND
    house.connect()
    house.destroy(5)
    house.clock.time_ns += MS
    hearing(kernel).is_lossy = is_lossy
    hearing(kernel).queued = [(HOST, b"x", False)] if is_bad else []
    closes = list(kernel.tick(is_last=is_last).closes)
    house.clock.time_ns += 5 * SECOND
    (close,) = closes + list(kernel.tick().closes)
    assert close.netns == where


def test_what_ended_while_nothing_was_heard_is_of_its_process_namespace(house: House) -> None:
    """A namespace that is known when the sockets open again was not heard in between."""
    kernel = house.kernel()
    hearing(kernel).known_ones = frozenset((PROCESS_NETNS,))
    hearing(kernel).queued = [heard(99)]
    kernel.see({})
    kernel.tick()
    hearing(kernel).is_open = False
    kernel.tick()
    house.clock.time_ns += SECOND
    house.connect()
    house.destroy(5)
    house.clock.time_ns += MS
    hearing(kernel).is_open = True
    kernel.see({})
    closes = list(kernel.tick().closes)
    house.clock.time_ns += 5 * SECOND
    (close,) = closes + list(kernel.tick().closes)
    assert close.netns == PROCESS_NETNS


def test_the_last_turn_leaves_nothing_to_a_later_one(house: House) -> None:
    """A trace without its message, a failure without its reason, a record from just now."""
    kernel = house.kernel()
    house.connect(skaddr=1)
    house.destroy(5, skaddr=1)
    house.connect(skaddr=2)
    house.connect(skaddr=2, new="CLOSE")
    house.connect(skaddr=3, new="ESTABLISHED", at_ns=house.clock.time_ns + MS)
    tick = kernel.tick(is_last=True)
    assert [close.socket.cookie for close in tick.closes] == [5]
    assert [trace.skaddr for trace in tick.failed] == [2]
    assert [trace.skaddr for trace in tick.opened] == [3]
    assert tick.until_ns == house.clock.time_ns
    assert hearing(kernel).was_last


def test_the_namespaces_that_exist_are_passed_on(house: House) -> None:
    kernel = house.kernel()
    kernel.see({OTHER: Target(OTHER, (7,), "", is_host=False)})
    assert hearing(kernel).seen == [OTHER]


# Processes at their exec


class FakeExecs:
    """One process was read at its exec."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def open(self, now_ns: int) -> None:
        del now_ns
        self.calls.append("open")

    def drain(self, sink: ProcessSink, now_ns: int) -> None:
        self.calls.append("drain")
        sink.read_at_exec(500, now_ns, {})

    def close(self) -> None:
        self.calls.append("close")


def test_what_was_read_at_an_exec_is_told_before_the_trace_asks_who_it_was(house: House) -> None:
    execs = FakeExecs()
    kernel = house.kernel(execs=cast("ExecSource", execs))
    house.connect()
    house.clock.time_ns += MS
    kernel.tick()
    assert house.sink.told == [("read", 500, house.clock.time_ns, {})]
    assert house.sink.told_before_asking == [1]
    kernel.close()
    assert execs.calls == ["open", "drain", "close"]


def test_it_is_started_again_without_waiting_for_the_other_sources(house: House) -> None:
    execs = FakeExecs()
    kernel = house.kernel(execs=cast("ExecSource", execs))
    kernel.open(SECOND)
    assert execs.calls == ["open", "open"]
    kernel.close()


def test_below_the_transitions_no_process_is_read_at_its_exec(house: House) -> None:
    execs = FakeExecs()
    kernel = house.kernel(Rung.CLOSES, cast("ExecSource", execs))
    kernel.tick()
    kernel.close()
    assert execs.calls == []


# Losses


def test_a_loss_of_either_source_is_told(house: House) -> None:
    kernel = house.kernel()
    hearing(kernel).is_lossy = True
    assert kernel.tick().is_lossy
    assert not kernel.tick().is_lossy
    house.write(0, page(house.clock.time_ns, missed=9))
    assert kernel.tick().is_lossy
    assert house.metrics.get(Metric.TRACE_PAGES_LOST) == 1
    assert house.metrics.get(Metric.TRACE_RECORDS_LOST) == 9


def test_what_makes_no_sense_is_counted(house: House) -> None:
    kernel = house.kernel()
    short = short_event(record(house.tracefs.format(DESTROY), {"common_pid": 1})[:4])
    fill = short_event(bytes([1]) * 112)
    house.write(0, b"\xff" * 4096, page(house.clock.time_ns, *[fill] * 35, short))
    hearing(kernel).queued = [(HOST, b"nonsense", False)]
    assert kernel.tick().is_lossy
    assert house.metrics.get(Metric.TRACE_PAGES_BAD) == 1
    assert house.metrics.get(Metric.TRACE_RECORDS_MALFORMED) == 1
    assert house.metrics.get(Metric.ROWS_MALFORMED) == 1


# Standing


def test_both_sources_are_the_highest_rung_of_a_namespace_that_is_heard(house: House) -> None:
    kernel = house.kernel()
    assert kernel.has_transitions
    assert kernel.covers(HOST)
    assert kernel.standing(HOST) == Standing(Rung.TRANSITIONS, "")
    assert kernel.standing(OTHER) == Standing(Rung.DUMP, "its closes are not heard yet")


def test_the_configuration_can_forbid_each_of_them(house: House) -> None:
    kernel = house.kernel(Rung.CLOSES)
    assert kernel.standing(HOST) == Standing(Rung.CLOSES, SWITCHED_OFF)
    assert house.opened == 0
    kernel = house.kernel(Rung.DUMP)
    assert kernel.standing(HOST) == Standing(Rung.DUMP, SWITCHED_OFF)


def test_without_tracefs_closes_stand_alone(house: House) -> None:
    house.has_tracefs = False
    kernel = house.kernel()
    assert kernel.standing(HOST) == Standing(Rung.CLOSES, "a mount of tracefs: No such device")
    hearing(kernel).queued = [heard(5)]
    (close,) = kernel.tick().closes
    assert close.trace is None


def test_where_the_traces_pids_are_other_processes_the_trace_is_left_alone(house: House) -> None:
    """The host's process 1 would be the container's, which is the agent."""
    house.contain()
    kernel = house.kernel()
    assert kernel.standing(HOST) == Standing(Rung.CLOSES, OTHER_PIDS)
    assert house.opened == 0
    assert house.setting("tracing_on") == ""


def test_without_closes_a_traces_own_end_stands_in_at_once(house: House) -> None:
    kernel = house.kernel()
    hearing(kernel).is_open = False
    house.connect()
    house.destroy(5)
    (close,) = kernel.tick().closes
    assert (close.closed_ns, close.socket.counters) == (house.clock.time_ns, None)


# Falling and coming back


def test_a_trace_that_fails_is_given_up_and_opened_again_after_half_a_minute(house: House) -> None:
    kernel = house.kernel()
    house.switch_off()
    assert kernel.tick().is_lossy, "a dump has to make up for it"
    assert house.metrics.get(Metric.SOURCES_LOST, source="transitions") == 1
    assert not kernel.has_transitions
    assert house.sink.told == [("lost",)], "until then nobody hears of execs"
    standing = kernel.standing(HOST)
    assert standing.rung is Rung.CLOSES
    assert "switched off" in standing.missing
    hearing(kernel).queued = [heard(5)]
    assert len(kernel.tick().closes) == 1, "closes go on"
    kernel.open(30 * SECOND - 1)
    assert not kernel.has_transitions
    kernel.open(30 * SECOND)
    assert kernel.standing(HOST) == Standing(Rung.TRANSITIONS, "")
    assert house.setting("tracing_on") == "1"


def test_a_kernel_without_the_event_is_asked_again_and_says_what_it_lacks(house: House) -> None:
    shutil.rmtree(house.tracefs.root / "events" / STATE)
    kernel = house.kernel()
    standing = kernel.standing(HOST)
    assert standing.rung is Rung.CLOSES
    assert STATE in standing.missing
    kernel.open(10 * SECOND)
    assert house.opened == 1, "not at every poll"
    kernel.open(30 * SECOND)
    assert house.opened == 2


def test_close_lets_go_of_everything_and_may_come_twice(house: House) -> None:
    kernel = house.kernel()
    kernel.close()
    kernel.close()
    assert not hearing(kernel).is_open
    assert house.setting("tracing_on") == "0"
    assert kernel.tick().closes == []
