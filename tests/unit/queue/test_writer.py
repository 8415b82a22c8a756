import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from connbeat.errors import Permanent
from connbeat.model.batches import Event, Outcome
from connbeat.queue.chunks import split
from connbeat.queue.drops import (
    DISK_ERROR,
    OUTPUT_REMOVED,
    QUEUE_FULL,
    SPOOL_DAMAGED,
)
from connbeat.queue.place import Position, Row
from connbeat.queue.schema import MIGRATIONS
from connbeat.queue.store import LOG_BYTES, Store
from connbeat.telemetry.metrics import Metric
from tests.deliveries import event, events, files_end_at, ids
from tests.spools import Desk

Opener = Callable[..., Desk]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    desks: list[Desk] = []

    def open_desk(*outputs: str, max_bytes: int = 0) -> Desk:
        for desk in desks:
            desk.close()
        desks.append(Desk(tmp_path, *outputs, max_bytes=max_bytes))
        return desks[-1].open()

    yield open_desk
    for desk in desks:
        desk.close()


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def fill(tmp_path: Path, statement: str) -> None:
    connection = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
    connection.execute(statement)
    connection.close()


# ---------------------------------------------------------------------- places
def test_an_event_goes_to_every_output_and_leaves_when_all_have_settled_it(opened: Opener) -> None:
    desk = opened("a", "b")
    desk.write(*events(3))
    batch = desk.lease("a")
    assert batch is not None
    desk.places["a"].settle(batch, Outcome(delivered=batch.events))
    desk.write()
    assert desk.take("b") == ["e0", "e1", "e2"]
    assert (len(desk.places["a"]), len(desk.places["b"])) == (0, 3)


def test_a_restart_goes_on_where_each_output_stood(opened: Opener) -> None:
    desk = opened("a", "b")
    desk.write(*events(4))
    batch = desk.lease("a", 3)
    assert batch is not None
    one, two, three = batch.events
    desk.places["a"].settle(batch, Outcome(delivered=(one, three), retry=(two,)))
    desk.lease("b", 2)
    desk.write()
    desk = opened("a", "b")
    assert (len(desk.places["a"]), desk.places["a"].size_bytes) == (2, 14)
    assert desk.take("a") == ["e1", "e3"]
    assert desk.take("b") == ["e0", "e1", "e2", "e3"]


def test_what_was_settled_but_not_written_is_sent_again_after_a_crash(
    opened: Opener, tmp_path: Path
) -> None:
    desk = opened()
    desk.write(*events(2))
    batch = desk.lease()
    assert batch is not None
    desk.place.settle(batch, Outcome(delivered=batch.events))
    after = desk.crash(tmp_path / "after").open()
    assert after.take() == ["e0", "e1"]
    after.close()


def test_a_new_output_begins_with_the_next_event(opened: Opener) -> None:
    opened("a").write(*events(2))
    desk = opened("a", "new")
    desk.write(*events(1, first=2))
    assert desk.take("new") == ["e2"]
    assert desk.take("a") == ["e0", "e1", "e2"]


def test_an_output_that_is_gone_releases_its_events_and_they_are_counted(
    opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    opened("a", "gone").write(*events(2))
    desk = opened("a")
    assert desk.dropped(OUTPUT_REMOVED, "gone") == 2
    assert "output=gone reason=output_removed count=2" in caplog.text
    desk.write()
    desk = opened("a", "gone")
    assert desk.take("gone") == []
    assert desk.take("a") == ["e0", "e1"]


def test_an_output_that_replaces_another_takes_over_its_events(
    opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    desk = opened("quick", "dead")
    desk.write(*events(4))
    batch = desk.lease("dead")
    assert batch is not None
    desk.places["dead"].settle(batch, Outcome(delivered=batch.events[1:3], retry=batch.events[:1]))
    batch = desk.lease("quick")
    assert batch is not None
    desk.places["quick"].settle(batch, Outcome(delivered=batch.events))
    desk.write()
    with caplog.at_level(logging.INFO):
        desk = opened("new")
    assert desk.take() == ["e0", "e3"]
    assert desk.metrics.total(Metric.EVENTS_DROPPED) == 0
    assert "from=dead to=new events=2" in caplog.text


# ---------------------------------------------------------------------- limits
SMALL = LOG_BYTES + 1_000_000


def big(count: int, first: int = 0) -> list[Event]:
    return [event(number, b"x" * 10_000) for number in range(first, first + count)]


def test_at_its_limit_the_oldest_go_counted_for_each_output_that_loses_them(
    opened: Opener, tmp_path: Path
) -> None:
    desk = opened("behind", "ahead", max_bytes=SMALL)
    for first in range(0, 200, 20):
        desk.write(*big(20, first))
        batch = desk.lease("ahead")
        assert batch is not None
        desk.places["ahead"].settle(batch, Outcome(delivered=batch.events))
    left = desk.take("behind")
    dropped = int(desk.dropped(QUEUE_FULL, "behind"))
    assert 100 < dropped < 180
    assert left == ids(big(200 - dropped, dropped))
    assert desk.dropped(QUEUE_FULL, "ahead") == 0
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < SMALL


def test_at_the_limit_what_is_under_lease_is_kept(opened: Opener) -> None:
    desk = opened(max_bytes=SMALL)
    desk.write(*big(20))
    batch = desk.lease(max_events=10)
    assert batch is not None
    for first in range(20, 200, 20):
        desk.write(*big(20, first))
    assert desk.dropped(QUEUE_FULL) > 100
    desk.place.settle(batch, Outcome(retry=batch.events))
    assert desk.take()[:10] == ids(big(10))


def test_at_the_limit_what_waits_to_be_sent_again_is_the_oldest(opened: Opener) -> None:
    desk = opened(max_bytes=SMALL)
    desk.write(*big(20))
    batch = desk.lease()
    assert batch is not None
    desk.place.settle(batch, Outcome(delivered=batch.events[5:], retry=batch.events[:5]))
    for first in range(20, 200, 20):
        desk.write(*big(20, first))
    left = desk.take()
    assert "e0" not in left
    assert len(left) + desk.dropped(QUEUE_FULL) == 200 - 15


def test_where_everything_is_under_lease_the_newest_go(opened: Opener) -> None:
    desk = opened(max_bytes=SMALL)
    desk.write(*big(60))
    assert desk.lease() is not None
    desk.write(*big(60, first=60))
    assert desk.dropped(QUEUE_FULL) == 60
    assert len(desk.place) == 60


def test_an_event_larger_than_the_limit_costs_no_other(opened: Opener) -> None:
    desk = opened(max_bytes=SMALL)
    desk.write(event(0, b"x" * 2_000_000))
    desk.write(event(1))
    assert desk.dropped(QUEUE_FULL) == 1
    assert desk.take() == ["e1"]


def test_what_was_dropped_while_it_was_read_is_not_leased(opened: Opener) -> None:
    desk = opened()
    for number in range(5):
        desk.write(event(number))
    assert desk.state.store is not None
    read = desk.state.store.read

    class Dropping:
        """The writer makes room after every read."""

        def read(self, after_seq: int, max_events: int) -> list[Row]:
            rows = read(after_seq, max_events)
            desk.state.places["out"].skip(Position(3, 21))
            return rows

    desk.state.store = cast("Store", Dropping())
    batch = desk.lease(max_events=2)
    assert batch is not None
    assert ids(batch.events) == ["e3", "e4"]


# ---------------------------------------------------------------------- trouble
def test_what_the_disk_does_not_take_waits_in_memory(
    opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    desk = opened()
    desk.write(*events(2))
    with files_end_at(100_000), caplog.at_level(logging.INFO):
        for number in range(2, 5):
            desk.write(event(number, b"x" * 200_000))
    assert desk.metrics.get(Metric.SPOOL_FAILURES, reason=DISK_ERROR) == 3
    assert desk.state.trouble == DISK_ERROR
    assert len(desk.place) == 5
    assert desk.take() == ["e0", "e1"]
    desk.write()
    assert desk.take() == ["e2", "e3", "e4"]
    assert desk.state.trouble == ""
    assert [text.partition(".")[0] for text in messages(caplog)] == [
        "The spool takes no events; they wait in memory"
    ]


def test_it_is_told_when_the_disk_works_again(
    opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    desk = opened()
    with files_end_at(100_000):
        desk.write(event(1, b"x" * 200_000))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        desk.write()
    assert messages(caplog) == ["The spool takes events again."]


def test_what_is_settled_makes_room_while_nothing_fits(opened: Opener, tmp_path: Path) -> None:
    desk = opened()
    desk.write(*big(40))
    batch = desk.lease()
    assert batch is not None
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    with files_end_at(size):
        desk.write(*big(100, first=40))
        assert desk.state.trouble
        desk.place.settle(batch, Outcome(delivered=batch.events))
        desk.write()
    after = desk.crash(tmp_path / "after").open()
    assert after.take() == [], "what was delivered is known to be"
    after.close()


def test_an_error_of_ours_is_told_and_costs_no_event(
    opened: Opener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = opened()
    with monkeypatch.context() as broken:
        broken.setattr(desk.writer, "_make_room", lambda *_: 1 / 0)
        desk.write(*events(2))
    assert "ZeroDivisionError" in caplog.text
    desk.write()
    assert desk.take() == ["e0", "e1"]


def test_a_start_without_a_disk_waits_for_it(opened: Opener) -> None:
    with files_end_at(2048):
        desk = opened()
        desk.write(*events(2))
        assert len(desk.place) == 2
        assert desk.lease() is None
    desk.write()
    assert desk.take() == ["e0", "e1"]


# ---------------------------------------------------------------------- damage
def test_events_that_are_there_twice_are_damage(opened: Opener, tmp_path: Path) -> None:
    desk = opened()
    for number in range(3):
        desk.write(event(number))
    (chunk,) = split(events(3), 0, 0)
    columns = [getattr(chunk, name) for name in chunk.__struct_fields__]
    connection = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
    connection.execute("DELETE FROM chunks WHERE last_seq = 3")
    connection.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)", columns)
    connection.close()
    reader = threading.Thread(target=desk.lease)
    reader.start()
    with desk.state.changed:
        assert desk.state.changed.wait_for(lambda: desk.state.damage is not None, 10)
    desk.writer.work()
    reader.join(10)
    assert desk.dropped(SPOOL_DAMAGED) == 3


def test_a_damaged_file_is_moved_aside_and_its_loss_is_told(
    opened: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = opened("a", "b")
    desk.write(*events(3))
    batch = desk.lease("a")
    assert batch is not None
    desk.places["a"].settle(batch, Outcome(delivered=batch.events))
    desk.write()
    desk.close()
    fill(tmp_path, "UPDATE chunks SET last_seq = 2")
    desk = opened("a", "b")
    assert "lost=a:0,b:3" in caplog.text
    assert "moved aside" in caplog.text
    assert (desk.dropped(SPOOL_DAMAGED, "a"), desk.dropped(SPOOL_DAMAGED, "b")) == (0, 3)
    assert len(list(tmp_path.glob("spool.damaged-*.db"))) == 1
    desk.write(*events(1, first=3))
    assert desk.take("a") == desk.take("b") == ["e3"]


def test_of_a_file_that_tells_nothing_the_loss_is_unknown(
    opened: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool.db").write_bytes(b"x" * 10_000)
    desk = opened()
    assert "lost=unknown" in caplog.text
    desk.write(*events(1))
    assert desk.take() == ["e0"]


def test_damage_found_on_the_way_costs_only_what_was_on_disk_alone(
    opened: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = opened("a", "b")
    for number in range(5):
        desk.write(event(number))
    again = desk.lease("a", 1)
    held = desk.lease("a", 2)
    assert again is not None
    assert held is not None
    desk.places["a"].settle(again, Outcome(retry=again.events))
    fill(tmp_path, "UPDATE chunks SET crc = crc + 1 WHERE last_seq = 4")
    desk.put(events(1, first=5))

    def read() -> None:
        assert ids((desk.lease("b", 3) or again).events) == ["e0", "e1", "e2"]
        assert desk.lease("b") is None

    reader = threading.Thread(target=read)
    reader.start()
    with desk.state.changed:
        assert desk.state.changed.wait_for(lambda: desk.state.damage is not None, 10)
    desk.writer.work()
    reader.join(10)
    desk.writer.work()
    assert "lost=a:2,b:2" in caplog.text
    assert desk.take("b") == ["e5"]
    assert desk.take("a") == ["e0", "e5"]
    desk.places["a"].settle(held, Outcome(delivered=held.events[:1], retry=held.events[1:]))
    desk.write()
    desk = opened("a", "b")
    assert desk.take("a") == ["e0", "e2", "e5"]
    assert desk.take("b") == ["e0", "e1", "e2", "e5"]


@pytest.mark.parametrize("change", ["last_seq = 1", "last_seq = 2", "last_seq < 9"])
def test_events_that_somebody_removed_are_missed(
    opened: Opener, tmp_path: Path, change: str
) -> None:
    desk = opened()
    for number in range(3):
        desk.write(event(number))
    fill(tmp_path, f"DELETE FROM chunks WHERE {change}")
    reader = threading.Thread(target=desk.lease)
    reader.start()
    with desk.state.changed:
        assert desk.state.changed.wait_for(lambda: desk.state.damage is not None, 10)
    desk.writer.work()
    reader.join(10)
    assert desk.dropped(SPOOL_DAMAGED) == 3


def test_a_spool_that_is_deleted_under_a_running_agent_is_made_again(
    opened: Opener, tmp_path: Path
) -> None:
    desk = opened()
    desk.write(*events(2))
    for path in tmp_path.glob("spool.db*"):
        path.unlink()
    desk.write(*events(1, first=2))
    assert desk.dropped(SPOOL_DAMAGED) == 2
    desk.write()
    desk = opened()
    assert desk.take() == ["e2"]


def test_nothing_is_moved_aside_that_is_not_ours(opened: Opener, tmp_path: Path) -> None:
    opened().close()
    fill(tmp_path, f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(Permanent):
        opened()
    assert not list(tmp_path.glob("spool.damaged-*"))


def test_a_directory_that_vanished_is_waited_for(opened: Opener, tmp_path: Path) -> None:
    desk = opened()
    shutil.rmtree(tmp_path)
    desk.write(*events(1))
    desk.write()
    assert len(desk.place) == 1
    tmp_path.mkdir()
    desk.write()
    assert desk.take() == ["e0"]


# ---------------------------------------------------------------------- metrics
def test_what_is_written_is_counted_with_its_time(opened: Opener) -> None:
    desk = opened()
    desk.write(*events(3))
    desk.write(*events(2))
    assert desk.metrics.get(Metric.SPOOL_EVENTS_WRITTEN) == 5
    assert desk.metrics.get(Metric.SPOOL_COMMITS) == 2
    assert desk.metrics.get(Metric.SPOOL_BYTES) > 0
