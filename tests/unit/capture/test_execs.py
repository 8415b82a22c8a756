"""Processes read at their exec (the kernel's own waking: tests/system)."""

import os
import threading
from pathlib import Path

import pytest

from connbeat.capture.execs import BUDGET_PER_SECOND, ExecReader
from connbeat.capture.formats import EXEC
from connbeat.clock import Clock
from connbeat.errors import CaptureError
from connbeat.linux.procfs import ProcFs
from connbeat.telemetry.metrics import Metric, Metrics
from tests.traces import page, record, short_event
from tests.unit.capture.trace_tree import TraceTree

SECOND = 1_000_000_000


class FakeClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.time_ns = SECOND

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns

    def wait(self, event: threading.Event, seconds: float) -> bool:
        raise NotImplementedError


class House(TraceTree):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "execs")
        self.read: list[tuple[int, int]] = []
        self.metrics = Metrics()
        self.clock = FakeClock()

    def reader(self) -> ExecReader:
        clock: Clock = self.clock
        return ExecReader(
            self.tracefs,
            ProcFs(self.proc.root),
            lambda pid, time_ns: self.read.append((pid, time_ns)),
            clock=clock,
            metrics=self.metrics,
        )

    def executed(self, pid: int, delta: int = 0) -> bytes:
        return short_event(record(self.tracefs.format(EXEC), {"pid": pid, "common_pid": 1}), delta)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_its_reader_is_woken_at_every_exec_and_by_nothing_else(house: House) -> None:
    reader = house.reader()
    assert house.setting("buffer_percent") == "0"
    assert house.setting(f"events/{EXEC}/enable") == "1"
    assert len(list(house.instance.rglob("enable"))) == 1
    reader._close()
    assert house.setting("tracing_on") == "0"


def test_every_exec_is_handed_on_with_its_time(house: House) -> None:
    reader = house.reader()
    house.write(0, page(1000, house.executed(101), house.executed(102, delta=5)))
    house.write(1, page(1002, house.executed(103)))
    reader._read()
    assert house.read == [(101, 1000), (102, 1005), (103, 1002)]
    reader._close()


def test_our_own_exec_is_not_read(house: House) -> None:
    reader = house.reader()
    house.write(0, page(1000, house.executed(os.getpid()), house.executed(101)))
    assert reader._read()
    assert [pid for pid, _ in house.read] == [101]
    assert not reader._read()
    reader._close()


def test_a_page_that_makes_no_sense_costs_itself_alone(house: House) -> None:
    reader = house.reader()
    house.write(0, b"\xff" * 4096, page(1000, house.executed(101)))
    house.write(1, page(1000, short_event(bytes(4)), house.executed(102)))
    reader._read()
    assert [pid for pid, _ in house.read] == [101, 102]
    reader._close()


def test_a_storm_of_execs_is_read_within_the_budget_of_each_second(house: House) -> None:
    reader = house.reader()
    storm = [page(1000, *[house.executed(100 + n) for n in range(80)]) for _ in range(13)]
    house.write(0, *storm)
    reader._read()
    assert len(house.read) == BUDGET_PER_SECOND
    assert house.metrics.get(Metric.EXECS_OVER_BUDGET) == 13 * 80 - BUDGET_PER_SECOND
    house.clock.time_ns += SECOND
    house.write(1, page(1000, house.executed(9)))
    reader._read()
    assert house.read[-1] == (9, 1000)
    reader._close()


def test_an_event_that_cannot_be_enabled_leaves_nothing_on(house: House) -> None:
    (house.instance / "events" / EXEC).rmdir()
    with pytest.raises(CaptureError, match=EXEC):
        house.reader()
    assert house.setting("tracing_on") == "0"


def test_a_reader_that_was_told_to_stop_ends_and_leaves_nothing_on(house: House) -> None:
    reader = house.reader()
    reader.stop()
    reader.run()
    assert house.setting("tracing_on") == "0"
