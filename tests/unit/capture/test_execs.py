"""What the exec reader told, and what becomes of one that ends; its process is a fake here."""

import logging
from collections.abc import Iterator
from typing import cast

import pytest

from connbeat.capture.exec_child import ExecChild
from connbeat.capture.exec_record import NAMES, Files, pack_record
from connbeat.capture.execs import ExecSource
from connbeat.errors import CaptureError
from connbeat.telemetry.metrics import Metric, Metrics
from tests.unit.capture.test_traces import FakeSink

SECOND = 1_000_000_000
FILES: Files = {**dict.fromkeys(NAMES, 2), "cmdline": b"wget\0"}


class FakeChild:
    """Tells what is put into it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.queued: list[bytes] = []
        self.has_ended = False
        self.records = True
        self.is_closed = False

    def receive(self) -> Iterator[bytes]:
        while self.queued:
            yield self.queued.pop(0)
        if self.has_ended:
            raise CaptureError("the exec reader's process has ended")

    def is_recording(self) -> bool:
        return self.records

    def close(self) -> None:
        self.is_closed = True


class House:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.sink = FakeSink()
        self.children: list[FakeChild] = []
        self.can_start = True
        self.tries = 0
        self.execs = ExecSource(self._start, self.metrics)

    @property
    def child(self) -> FakeChild:
        return self.children[-1]

    def drain(self, now_ns: int = 0) -> None:
        self.execs.drain(self.sink, now_ns)

    def lost(self, cause: str) -> float:
        return self.metrics.get(Metric.EXECS_LOST, cause=cause)

    def starts_until(self, seconds: int) -> list[int]:
        """When it was tried, of one try a second."""
        moments = []
        for second in range(seconds):
            before = self.tries
            self.execs.open(second * SECOND)
            if self.tries > before:
                moments.append(second)
                if self.children:
                    self.child.has_ended = True
            self.drain(second * SECOND)
        return moments

    def _start(self) -> ExecChild:
        self.tries += 1
        if not self.can_start:
            raise CaptureError("no tracefs here")
        self.children.append(FakeChild(100 + self.tries))
        return cast("ExecChild", self.child)


@pytest.fixture
def house() -> House:
    return House()


def test_before_it_is_opened_there_is_nothing(house: House) -> None:
    house.drain()
    house.execs.close()
    assert house.execs.pid == 0
    assert house.tries == 0


def test_what_it_told_is_handed_on_in_its_order(house: House) -> None:
    house.execs.open(0)
    assert house.execs.pid == 101
    house.child.queued = [
        pack_record(7, 1000, [0, 0, 0], FILES),
        pack_record(8, 1001, [0, 0, 0], FILES),
    ]
    house.drain()
    assert house.sink.told == [("read", 7, 1000, FILES), ("read", 8, 1001, FILES)]


def test_one_that_runs_is_not_started_again(house: House) -> None:
    for second in range(100):
        house.execs.open(second * SECOND)
        house.drain(second * SECOND)
    assert house.tries == 1


def test_losses_are_counted_once_by_their_cause(house: House) -> None:
    house.execs.open(0)
    for losses in ([1, 2, 3], [1, 2, 3], [1, 5, 3]):
        house.child.queued.append(pack_record(7, 0, losses, FILES))
    house.drain()
    house.child.queued.append(pack_record(0, 0, [1, 5, 4], {}))
    house.drain()
    assert [house.lost(cause) for cause in ("overrun", "budget", "untaken")] == [1, 5, 4]
    assert [told[1] for told in house.sink.told] == [7, 7, 7], "0 is nobody"


def test_another_process_counts_from_nothing(house: House) -> None:
    house.execs.open(0)
    house.child.queued.append(pack_record(7, 0, [0, 3, 0], FILES))
    house.child.has_ended = True
    house.drain()
    house.execs.open(SECOND)
    house.child.queued.append(pack_record(7, 0, [0, 2, 0], FILES))
    house.drain(SECOND)
    assert house.lost("budget") == 5


def test_one_that_ended_is_told_counted_and_started_again(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.execs.open(0)
    first = house.child
    first.queued.append(pack_record(7, 1000, [0, 0, 0], FILES))
    first.has_ended = True
    with caplog.at_level(logging.WARNING):
        house.drain()
    assert [told[1] for told in house.sink.told] == [7], "its last word counts"
    assert "error=the exec reader's process has ended" in caplog.text
    assert house.metrics.get(Metric.SOURCES_LOST, source="execs") == 1
    assert first.is_closed
    assert house.execs.pid == 0
    house.execs.open(SECOND - 1)
    assert house.tries == 1
    house.execs.open(SECOND)
    assert house.execs.pid == 102
    house.drain(SECOND)
    assert not house.child.is_closed


def test_one_whose_instance_was_switched_off_is_replaced(house: House) -> None:
    house.execs.open(0)
    house.child.records = False
    house.drain()
    assert house.child.is_closed
    assert house.metrics.get(Metric.SOURCES_LOST, source="execs") == 1


def test_one_that_talks_nonsense_is_replaced(house: House) -> None:
    house.execs.open(0)
    house.child.queued.append(b"garbage")
    house.drain()
    assert house.child.is_closed
    assert house.sink.told == []


def test_one_that_ends_again_and_again_is_started_ever_later(house: House) -> None:
    assert house.starts_until(100) == [0, 1, 3, 7, 15, 31, 61, 91]


def test_where_it_cannot_be_started_it_is_tried_ever_later_and_quietly(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.can_start = False
    with caplog.at_level(logging.INFO):
        assert house.starts_until(100) == [0, 1, 3, 7, 15, 31, 61, 91]
    assert caplog.text == ""
    assert house.metrics.total(Metric.SOURCES_LOST) == 0


def test_one_that_ran_for_long_is_started_again_soon(house: House) -> None:
    assert house.starts_until(16)[-1] == 15
    house.execs.open(100 * SECOND)
    house.drain(129 * SECOND)
    house.child.has_ended = True
    house.drain(130 * SECOND)
    house.execs.open(131 * SECOND)
    assert house.execs.pid


def test_closing_ends_it(house: House) -> None:
    house.execs.open(0)
    house.execs.close()
    assert house.child.is_closed
    house.execs.close()
