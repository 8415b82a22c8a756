import logging
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connbeat.backoff import Backoff
from connbeat.errors import Permanent
from connbeat.model.batches import Batch, Drop, Event, Outcome
from connbeat.queue import store
from connbeat.queue.disk import DiskPolicy, DiskQueue
from connbeat.queue.drops import CLOSED, DISK_ERROR
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock, event, events, files_end_at, ids
from tests.spools import Desk

QUICK = Backoff(init_seconds=0.001, max_seconds=0.001)


class Run:
    """A queue with its thread, and what it counted."""

    def __init__(self, directory: Path, *outputs: str, stage_events: int = 10_000) -> None:
        self.metrics = Metrics()
        policy = DiskPolicy(commit_seconds=0.001, stage_events=stage_events, backoff=QUICK)
        self.queue = DiskQueue(
            directory, outputs or ("out",), policy, metrics=self.metrics, clock=FakeClock()
        )
        self.queue.start()

    def take(self, output: str = "out") -> list[str]:
        batch = self.queue.place(output).lease(1000, min_events=0)
        return ids(batch.events) if batch else []

    def dropped(self, reason: str) -> float:
        return self.metrics.get(Metric.EVENTS_DROPPED, output="out", reason=reason)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    one = Run(tmp_path)
    yield one
    one.queue.close()


def test_what_was_put_before_the_end_is_there_at_the_next_start(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run.queue.put(events(3000))
    with caplog.at_level(logging.INFO):
        run.queue.close()
        again = Run(tmp_path)
    assert "stays for the next start. output=out events=3000 bytes=" in caplog.text
    assert "Events of an earlier run wait in the spool. output=out events=3000" in caplog.text
    batch = again.queue.place("out").lease(5000)
    assert batch is not None
    assert ids(batch.events) == ids(events(3000))
    again.queue.close()


def test_what_is_settled_before_the_end_is_not_sent_again(run: Run, tmp_path: Path) -> None:
    run.queue.put(events(10))
    batch = run.queue.place("out").lease(4)
    assert batch is not None
    run.queue.place("out").settle(batch, Outcome(batch.events[1:], batch.events[:1]))
    assert run.queue.place("out").close("shutdown") == 7
    run.queue.close()
    again = Run(tmp_path)
    assert again.take() == ["e0", *ids(events(6, first=4))]
    again.queue.close()


def test_an_output_that_has_ended_keeps_getting_what_the_others_get(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, "a", "b")
    run.queue.place("a").close("output_gone")
    run.queue.put(events(2))
    assert run.take("b") == ["e0", "e1"]
    run.queue.close()
    again = Run(tmp_path, "a", "b")
    assert again.take("a") == ["e0", "e1"]
    again.queue.close()


def test_nothing_is_put_after_the_end(run: Run) -> None:
    run.queue.close()
    run.queue.put(events(2))
    assert run.dropped(CLOSED) == 2
    assert len(run.queue.place("out")) == 0


@pytest.mark.usefixtures("run")
def test_a_start_that_is_for_the_user_to_mend_raises(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="another agent"):
        Run(tmp_path)


def test_a_disk_that_takes_nothing_delays_nobody(run: Run) -> None:
    with files_end_at(1000):
        run.queue.put(events(5))
        assert run.take() == [], "nothing can be leased that a crash would lose"
        trouble = [run.queue.trouble]
        assert len(run.queue.place("out")) == 5
    run.queue.put(events(1, first=5))
    batch = run.queue.place("out").lease(1000, min_events=6, flush_seconds=20)
    assert batch is not None
    assert ids(batch.events) == ids(events(6))
    run.queue.close()
    assert [*trouble, run.queue.trouble] == [DISK_ERROR, ""]


def test_what_memory_cannot_hold_meanwhile_is_lost_for_that_reason(tmp_path: Path) -> None:
    run = Run(tmp_path, stage_events=100)
    with files_end_at(1000):
        run.queue.put(events(5))
        assert run.take() == []
        for first in range(5, 205, 20):
            run.queue.put(events(20, first))
    dropped = run.dropped(DISK_ERROR)
    assert 100 <= dropped <= 105
    batch = run.queue.place("out").lease(1000, min_events=100, flush_seconds=20)
    assert batch is not None
    assert ids(batch.events) == ids(events(100, first=105))
    run.queue.close()


def test_what_cannot_be_written_at_the_end_is_lost_and_counted(run: Run) -> None:
    with files_end_at(1000):
        run.queue.put(events(5))
        run.queue.close()
    assert run.dropped(DISK_ERROR) == 5


def consume(run: Run, output: str, delivered: list[str]) -> None:
    """Until 4,000 are delivered; of every other batch the second half is sent again."""
    place, refuse = run.queue.place(output), True
    while len(delivered) < 4000 and (batch := place.lease(64)) is not None:
        cut = len(batch.events) // 2 if refuse else len(batch.events)
        refuse = not refuse
        place.settle(batch, Outcome(batch.events[:cut], batch.events[cut:]))
        delivered.extend(ids(batch.events[:cut]))


def test_a_spool_that_is_gone_at_the_end_is_made_again_for_what_is_left(
    run: Run, tmp_path: Path
) -> None:
    run.queue.put(events(2))
    assert run.take() == ["e0", "e1"]
    for path in tmp_path.glob("spool.db*"):
        path.unlink()
    run.queue.put(events(2, first=2))
    run.queue.close()
    again = Run(tmp_path)
    assert again.take() == ["e0", "e1", "e2", "e3"], "what was under lease, too"
    again.queue.close()


def test_many_threads_lose_and_double_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, "a", "b")
    delivered: dict[str, list[str]] = {"a": [], "b": []}

    def produce(first: int) -> None:
        for number in range(first, first + 1000, 10):
            run.queue.put(events(10, first=number))

    threads = [threading.Thread(target=produce, args=(first,)) for first in range(0, 4000, 1000)]
    threads += [
        threading.Thread(target=consume, args=(run, output, its))
        for output, its in delivered.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for output, its in delivered.items():
        assert sorted(its) == sorted(ids(events(4000)))
        assert len(run.queue.place(output)) == run.queue.place(output).size_bytes == 0
    run.queue.close()


# ---------------------------------------------------------------------- damage
@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spool of 60 events in a database of several pages, a third of them only in its log."""
    desk = Desk(tmp_path_factory.mktemp("healthy")).open()
    for number in range(60):
        desk.write(event(number, b'{"n":%d,"x":"%s"}' % (number, b"x" * 700)))
        if number == 40:
            assert desk.writer._store is not None
            desk.writer._store.empty_log()
    batch = desk.lease(max_events=10)
    assert batch is not None
    desk.place.settle(batch, Outcome(delivered=batch.events[1:], retry=batch.events[:1]))
    desk.write()
    copy = desk.directory.parent / "copy"
    desk.crash(copy)
    desk.close()
    return copy


def drain(run: Run) -> list[Event]:
    """Everything that can still be had. A spool that proves damaged gives nothing for a moment."""
    place, got = run.queue.place("out"), list[Event]()
    while len(place):
        if (batch := place.lease(25, min_events=0)) is not None:
            place.settle(batch, Outcome(delivered=batch.events))
            got += batch.events
    return got


def survives(healthy: Path, damage: dict[str, bytes]) -> None:
    """Open the spool with these files in place of its own; whatever it gives was put there."""
    written = {f"e{n}": b'{"n":%d,"x":"%s"}' % (n, b"x" * 700) for n in range(60)}
    expected = ["e0", *(f"e{n}" for n in range(10, 60))]
    with tempfile.TemporaryDirectory() as directory:
        for path in healthy.iterdir():
            shutil.copyfile(path, Path(directory, path.name))
        for name, data in damage.items():
            Path(directory, name).write_bytes(data)
        run = Run(Path(directory))
        got: list[Event] = []
        for first in (1000, 2000, 3000):
            run.queue.put(events(2, first))
            got += drain(run)
        run.queue.close()
        old = [one for one in got if one.id in written]
        assert ids(got)[-2:] == ["e3000", "e3001"], "work goes on"
        assert len(set(ids(got))) == len(got), "no event twice"
        assert all(one.body == written[one.id] for one in old), "none invented"
        if ids(old) != expected:
            is_told = bool(list(Path(directory).glob("spool.damaged-*")))
            assert is_told or "spool.db-wal" in damage, "nothing of the file is lost silently"


SPOOLS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@SPOOLS
@given(st.sampled_from(["spool.db", "spool.db-wal"]), st.floats(0, 1))
def test_a_file_that_ends_at_any_byte_is_recovered_or_moved_aside(
    healthy: Path, name: str, share: float
) -> None:
    data = (healthy / name).read_bytes()
    survives(healthy, {name: data[: int(share * len(data))]})


@SPOOLS
@given(st.sampled_from(["spool.db", "spool.db-wal"]), st.floats(0, 1), st.binary(min_size=1))
def test_bytes_that_are_wrong_anywhere_are_recovered_from_or_moved_aside(
    healthy: Path, name: str, share: float, wrong: bytes
) -> None:
    data = (healthy / name).read_bytes()
    at = int(share * (len(data) - 1))
    survives(healthy, {name: (data[:at] + wrong + data[at + len(wrong) :])[: len(data)]})


@pytest.mark.parametrize("name", ["spool.db", "spool.db-wal"])
def test_a_file_that_is_missing_is_recovered_from_or_moved_aside(healthy: Path, name: str) -> None:
    survives(healthy, {name: b""})


# ---------------------------------------------------------------------- crashes
class SpoolAgainstModel(RuleBasedStateMachine):
    """A spool of two outputs against sets of numbers, with a crash after and within any commit."""

    OUTPUTS = ("a", "b")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        # So that logs are emptied, and begin again, within a few steps.
        self.patch.setattr(store, "_CHECKPOINT_BYTES", 200_000)
        self.runs = 0
        self.desk = Desk(Path(self.folder.name, "0"), *self.OUTPUTS).open()
        self.put = 0
        self.staged: list[str] = []
        self.unsettled: dict[str, set[str]] = {output: set() for output in self.OUTPUTS}
        self.on_disk = {output: set[str]() for output in self.OUTPUTS}
        self.leases: list[tuple[str, Batch]] = []

    def teardown(self) -> None:
        self.desk.close()
        self.patch.undo()
        self.folder.cleanup()

    @rule(sizes=st.lists(st.integers(0, 3000), max_size=8))
    def put_events(self, sizes: list[int]) -> None:
        put = [event(self.put + n, b'"%s"' % (b"x" * size)) for n, size in enumerate(sizes)]
        self.desk.put(put)
        self.staged += ids(put)
        self.put += len(put)

    @rule()
    def write(self) -> None:
        self.desk.writer.work()
        self.have_written()

    def have_written(self) -> None:
        for output in self.OUTPUTS:
            self.unsettled[output] |= set(self.staged)
            self.on_disk[output] = set(self.unsettled[output])
        self.staged.clear()

    @rule(output=st.sampled_from(OUTPUTS), count=st.integers(1, 6))
    def lease(self, output: str, count: int) -> None:
        batch = self.desk.lease(output, count)
        taken = ids(batch.events) if batch else []
        held = {one.id for its, held in self.leases if its == output for one in held.events}
        free = self.unsettled[output] - held
        assert len(taken) == len(set(taken)) == min(count, len(free))
        assert set(taken) <= free
        if batch:
            self.leases.append((output, batch))

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        output, batch = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        fates = [data.draw(st.sampled_from("ddra")) for _ in batch.events]
        by_fate = {
            fate: tuple(one for one, its in zip(batch.events, fates, strict=True) if its == fate)
            for fate in "dra"
        }
        drops = tuple(Drop(one, "refused") for one in by_fate["a"])
        outcome = Outcome(by_fate["d"], by_fate["r"], drops)
        assert self.desk.places[output].settle(batch, outcome)
        self.unsettled[output] -= {*ids(by_fate["d"]), *ids(by_fate["a"])}

    @rule()
    def crash(self) -> None:
        self.go_on_with(self.desk.crash(self.next_folder(), *self.OUTPUTS))
        self.unsettled = {output: set(left) for output, left in self.on_disk.items()}
        self.staged.clear()

    @rule(share=st.floats(0, 1))
    def crash_within_a_commit(self, share: float) -> None:
        """The log holds what the commit wrote up to some byte, the rest is as it was."""
        before = self.desk.crash(self.next_folder(), *self.OUTPUTS)
        old = self.log(before).read_bytes()
        self.desk.writer.work()
        new = self.log(self.desk).read_bytes()
        changed = [n for n in range(len(new)) if n >= len(old) or new[n] != old[n]]
        end = changed[int(share * (len(changed) - 1))] if changed else 0
        self.log(before).write_bytes(new[:end] + old[end:])
        self.go_on_with(before)
        is_written = self.desk.state.last.seq == self.put
        if is_written and self.staged:
            self.have_written()
        self.staged.clear()
        for output in self.OUTPUTS:
            self.unsettled[output] = self.after_torn_commit(output)
            self.on_disk[output] = set(self.unsettled[output])

    def after_torn_commit(self, output: str) -> set[str]:
        """All that the commit did, or nothing of it."""
        left = len(self.desk.places[output])
        choices = [self.on_disk[output], self.unsettled[output]]
        return set(next(choice for choice in choices if len(choice) == left))

    @rule()
    def restart(self) -> None:
        self.write()
        self.desk.close()
        self.go_on_with(Desk(self.desk.directory, *self.OUTPUTS))

    def next_folder(self) -> Path:
        self.runs += 1
        return Path(self.folder.name, str(self.runs))

    @staticmethod
    def log(desk: Desk) -> Path:
        return desk.directory / "spool.db-wal"

    def go_on_with(self, desk: Desk) -> None:
        self.desk.close()
        self.desk = desk.open()
        self.leases.clear()
        assert not list(desk.directory.glob("spool.damaged-*"))
        self.put = max(self.put, desk.state.last.seq)

    @invariant()
    def it_is_counted(self) -> None:
        for output in self.OUTPUTS:
            expected = len(self.unsettled[output]) + len(self.staged)
            assert len(self.desk.places[output]) == expected

    @invariant()
    def the_disk_has_what_somebody_waits_for(self) -> None:
        connection = sqlite3.connect(self.desk.directory / "spool.db")
        found = {name for (name,) in connection.execute("SELECT id FROM events")}
        connection.close()
        assert set().union(*self.on_disk.values()) <= found


TestSpoolAgainstModel = SpoolAgainstModel.TestCase
TestSpoolAgainstModel.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
