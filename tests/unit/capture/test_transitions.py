"""The trace's pages, read, sorted and folded (from plain files; the kernel's: tests/system)."""

import shutil
from pathlib import Path

import pytest

from connbeat.capture import transitions
from connbeat.capture.formats import (
    DESTROY,
    ERROR,
    ERROR_FILTER,
    EXEC,
    EXIT,
    FORK,
    ICMP,
    ICMP_FILTER,
    STATE,
    STATE_FILTER,
)
from connbeat.capture.transitions import TransitionSource, buffer_kb_for
from connbeat.errors import CaptureError
from connbeat.linux.procfs import ProcFs
from connbeat.model.connections import Direction
from tests.traces import FORMAT_TEXTS, page, record, short_event
from tests.unit.capture.test_traces import FakeSink
from tests.unit.capture.trace_tree import TraceTree

MS = 1_000_000


class House(TraceTree):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "transitions")
        self.sink = FakeSink()

    def source(self) -> TransitionSource:
        return TransitionSource(self.tracefs, ProcFs(self.proc.root), self.sink)

    def destroyed(self, cookie: int, skaddr: int = 1) -> bytes:
        return short_event(
            record(
                self.tracefs.format(DESTROY),
                {"common_pid": 1, "skaddr": skaddr, "sock_cookie": cookie},
            )
        )

    def connects(self, skaddr: int = 1) -> bytes:
        return short_event(
            record(
                self.tracefs.format(STATE),
                {"common_pid": 500, "skaddr": skaddr, "oldstate": 7, "newstate": 2, "sport": 0,
                 "dport": 80, "family": 2, "saddr": bytes(4), "daddr": bytes(4)},
            )
        )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_all_events_are_enabled_with_their_filters_and_then_recorded(house: House) -> None:
    source = house.source()
    for event, condition in {
        STATE: STATE_FILTER, ERROR: ERROR_FILTER, DESTROY: "", FORK: "", EXEC: "", EXIT: "",
    }.items():  # fmt: skip
        assert house.setting(f"events/{event}/enable") == "1"
        assert house.setting(f"events/{event}/filter") == condition
    assert house.setting("tracing_on") == "1"
    assert int(house.setting("buffer_size_kb")) >= 1024
    source.close()
    assert house.setting("tracing_on") == "0"
    assert house.setting(f"events/{STATE}/enable") == "0"


def test_a_kernel_that_reports_no_errors_is_traced_without_them(house: House) -> None:
    shutil.rmtree(house.tracefs.root / "events" / ERROR)
    house.source().close()
    assert house.setting(f"events/{ERROR}/enable") == ""


def test_icmp_messages_are_recorded_where_the_kernel_tells_of_them(house: House) -> None:
    folder = house.tracefs.root / "events" / ICMP
    folder.mkdir(parents=True)
    (folder / "format").write_text(FORMAT_TEXTS["icmp"])
    (house.instance / "events" / ICMP).mkdir(parents=True)
    house.source().close()
    assert house.setting(f"events/{ICMP}/filter") == ICMP_FILTER


def test_an_event_that_cannot_be_enabled_leaves_nothing_on(house: House) -> None:
    shutil.rmtree(house.instance / "events" / EXIT)
    with pytest.raises(CaptureError, match=EXIT):
        house.source()
    assert house.setting("tracing_on") == "0"
    assert house.setting(f"events/{STATE}/enable") == "0"


def test_records_of_all_processors_are_folded_in_the_order_of_their_times(house: House) -> None:
    """The connect and the end on one, what used the address again in between on another."""
    source = house.source()
    house.write(0, page(1 * MS, house.connects()), page(4 * MS, house.destroyed(5)))
    house.write(1, page(2 * MS, house.destroyed(6)), page(3 * MS, house.connects()))
    assert not source.fold(10 * MS)
    traces = source.folder.by_cookie
    assert {cookie: trace.opened_ns for cookie, trace in traces.items()} == {6: MS, 5: 3 * MS}
    source.close()


def test_what_is_younger_than_the_moment_waits_for_the_next_turn(house: House) -> None:
    source = house.source()
    house.write(0, page(1 * MS, house.connects()), page(3 * MS, house.destroyed(5)))
    source.fold(2 * MS)
    assert source.folder.by_cookie == {}
    house.write(1, page(2 * MS + 1, house.destroyed(6)))
    source.fold(3 * MS)
    assert list(source.folder.by_cookie) == [6, 5]
    assert source.folder.by_cookie[6].direction is Direction.OUTBOUND
    source.close()


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_many_pages_are_folded_part_by_part_in_the_order_of_their_times(
    house: House, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """A page of one processor reaches into the time of several of the other."""
    monkeypatch.setattr(transitions, "_PAGES_AT_ONCE", at_once)
    source = house.source()
    house.write(0, page(1 * MS, house.connects(), delayed(house.destroyed(5), 5 * MS)))
    house.write(1, *(page(n * MS, house.destroyed(n)) for n in (2, 4)), page(3 * MS))
    house.write(1, page(5 * MS, house.connects()), page(8 * MS, house.destroyed(8)))
    house.write(1, page(9 * MS, house.destroyed(9)))
    assert not source.fold(8 * MS)
    traces = source.folder.by_cookie
    assert {cookie: trace.opened_ns for cookie, trace in traces.items()} == {
        2: MS, 4: 0, 5: 5 * MS, 8: 0
    }  # fmt: skip
    assert list(traces) == [2, 4, 5, 8]
    source.fold(9 * MS)
    assert 9 in traces
    source.close()


def delayed(event: bytes, delta: int) -> bytes:
    """The same event, so long after the one before."""
    first = int.from_bytes(event[:4], "little")
    return (first | delta << 5).to_bytes(4, "little") + event[4:]


def test_a_loss_is_counted_and_told_and_parts_what_was_from_what_comes(house: House) -> None:
    source = house.source()
    house.write(0, page(1 * MS, house.connects()), page(3 * MS, house.destroyed(5), missed=40))
    assert source.fold(10 * MS)
    assert (source.lost_pages, source.lost_records) == (1, 40)
    assert source.folder.by_cookie[5].direction is Direction.UNKNOWN
    assert not source.fold(10 * MS)
    source.close()


def test_a_page_that_makes_no_sense_is_counted_and_costs_no_other(house: House) -> None:
    source = house.source()
    house.write(0, page(1 * MS, house.connects()), b"\xff" * 4096, page(3 * MS, house.destroyed(5)))
    assert source.fold(10 * MS), "nobody knows what was in it"
    assert (source.bad_pages, source.lost_pages) == (1, 0)
    assert source.folder.by_cookie[5].direction is Direction.UNKNOWN
    source.close()


def test_an_instance_that_was_switched_off_or_taken_away_is_our_error(house: House) -> None:
    source = house.source()
    assert not source.fold(10 * MS), "a quiet machine is no failure"
    house.switch_off()
    house.write(0, page(1 * MS, house.destroyed(5)))
    assert not source.fold(2000 * MS), "what was recorded is read"
    with pytest.raises(CaptureError, match="switched off"):
        source.fold(2000 * MS)
    source.close()


@pytest.mark.parametrize(
    ("processors", "kb"), [(1, 8192), (8, 8192), (16, 4096), (64, 1024), (256, 1024)]
)
def test_the_buffers_of_a_large_machine_are_smaller(processors: int, kb: int) -> None:
    assert buffer_kb_for(processors) == kb
