import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connbeat.errors import Permanent, SpoolDamaged, SpoolUnavailable
from connbeat.queue import database
from connbeat.queue import store as store_module
from connbeat.queue.drops import DISK_ERROR
from connbeat.queue.place import Mark, Position
from connbeat.queue.schema import MIGRATIONS
from connbeat.queue.store import LOG_BYTES, Store, count_waiting
from tests.deliveries import event, events, files_end_at, ids

Opener = Callable[..., Store]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Opener]:
    stores: list[Store] = []

    def open_store(at: Path = path, max_bytes: int = 0) -> Store:
        stores.append(Store(at, max_bytes))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def mark(output: str, seq: int, owed: dict[int, int] | None = None) -> Mark:
    """Of a spool in which every body has 7 bytes."""
    return Mark(output, Position(seq, 7 * seq), owed or {})


def fill(store: Store, count: int, *marks: Mark) -> None:
    with store.change() as change:
        change.save(marks or [mark("a", 0)])
        change.append(events(count))


def read(store: Store, after_seq: int = 0, max_events: int = 1000) -> list[str]:
    return ids(one for _, one in store.read(after_seq, max_events))


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path, isolation_level=None)
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


def test_what_was_written_is_read_in_order(opened: Opener) -> None:
    store = opened()
    fill(store, 5)
    assert read(store) == ["e0", "e1", "e2", "e3", "e4"]
    assert read(store, 2, 2) == ["e2", "e3"]
    assert read(store, 5) == []
    assert store.last == Position(5, 35)


def test_what_was_written_is_there_after_a_restart(opened: Opener) -> None:
    store = opened()
    fill(store, 5, mark("a", 0), mark("b", 0))
    with store.change() as change:
        change.save([mark("a", 3, {1: 7})])
    store.close()
    content = opened().load()
    assert content.last == Position(5, 35)
    assert content.cursors == {"a": Position(3, 21), "b": Position()}
    assert [(seq, one.id) for seq, one in content.owed["a"]] == [(1, "e0")]
    assert (content.waiting("a"), content.waiting("b")) == (3, 5)


def test_numbers_go_on_when_the_spool_was_empty(opened: Opener) -> None:
    store = opened()
    fill(store, 3)
    fill(store, 1, mark("a", 3))
    with store.change() as change:
        change.save([mark("a", 4)])
    store.close()
    store = opened()
    store.load()
    fill(store, 1, mark("a", 4))
    assert [seq for seq, _ in store.read(0, 10)] == [5]


def test_a_transaction_that_fails_is_as_if_it_had_never_been(opened: Opener) -> None:
    store = opened()
    fill(store, 2)
    with pytest.raises(RuntimeError), store.change() as change:  # noqa: PT012  the block is the case
        change.save([mark("a", 2), mark("new", 2)])
        change.append(events(9))
        raise RuntimeError
    assert store.last.seq == 2
    assert read(store) == ["e0", "e1"]
    fill(store, 1)
    assert [seq for seq, _ in store.read(0, 10)] == [1, 2, 3]


def test_the_file_is_for_its_owner_alone(opened: Opener, path: Path) -> None:
    opened()
    for name in ("", "-wal", "-shm"):
        assert stat.S_IMODE(Path(f"{path}{name}").stat().st_mode) == 0o600


def test_it_can_be_read_with_sqlite_while_it_is_written(opened: Opener, path: Path) -> None:
    store = opened()
    fill(store, 2)
    assert rows(path, "SELECT seq, id, body FROM events") == [
        (1, "e0", '{"n":0}'),
        (2, "e1", '{"n":1}'),
    ]
    assert rows(path, "SELECT * FROM waiting") == [("a", 2, 14)]
    fill(store, 1)
    assert count_waiting(path) == {"a": 3}


def test_a_newer_version_is_refused_and_left_alone(opened: Opener, path: Path) -> None:
    store = opened()
    fill(store, 2)
    store.close()
    rows(path, f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(Permanent, match="newer connbeat"):
        opened()
    assert len(rows(path, "SELECT * FROM events")) == 2


def test_an_older_version_is_brought_up_to_date(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    fill(store, 2)
    store.close()
    steps = (*MIGRATIONS, "ALTER TABLE chunks ADD COLUMN extra;")
    monkeypatch.setattr(store_module, "MIGRATIONS", steps)
    store = opened()
    assert store.load().last.seq == 2
    assert rows(path, "PRAGMA user_version") == [(2,)]
    assert rows(path, "SELECT count(extra) FROM chunks") == [(0,)]


def test_another_programs_database_is_refused_and_left_alone(opened: Opener, path: Path) -> None:
    rows(path, "CREATE TABLE t (x)")
    with pytest.raises(Permanent, match="no spool of connbeat"):
        opened()
    assert rows(path, "SELECT name FROM sqlite_master") == [("t",)]


def test_a_file_that_is_no_database_is_damaged(opened: Opener, path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(SpoolDamaged):
        opened()


def test_an_empty_file_is_a_new_spool(opened: Opener, path: Path) -> None:
    path.touch()
    assert opened().load().last.seq == 0


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM chunks WHERE last_seq < 3",
        "DELETE FROM chunks WHERE last_seq = 3",
        "DELETE FROM chunks",
        "UPDATE chunks SET first_seq = 3 WHERE last_seq = 2",
        "UPDATE chunks SET first_seq = 'x' WHERE last_seq = 2",
        "UPDATE places SET cursor = 9",
        "UPDATE places SET cursor = 'x'",
        "UPDATE owed SET output = 'nobody'",
        "INSERT INTO owed VALUES (99, 'a', 7)",
        "UPDATE spool SET last_seq = 9",
        "DELETE FROM spool",
        "UPDATE chunks SET bodies = 'x' WHERE last_seq = 1",
        "UPDATE chunks SET ids = CAST(x'ff' AS TEXT) WHERE last_seq = 1",
        "DROP TABLE chunks",
    ],
)
def test_tables_that_contradict_each_other_are_damaged(
    opened: Opener, path: Path, damage: str
) -> None:
    store = opened()
    with store.change() as change:
        for number in range(3):
            change.append([event(number)])
        change.save([mark("a", 1, {1: 7})])
    store.close()
    rows(path, damage)
    with pytest.raises(SpoolDamaged):
        opened().load()


def test_a_damaged_row_is_found_when_it_is_read(opened: Opener, path: Path) -> None:
    store = opened()
    fill(store, 3)
    rows(path, "UPDATE chunks SET bodies = CAST(replace(CAST(bodies AS TEXT), '1', '2') AS BLOB)")
    with pytest.raises(SpoolDamaged, match="checksum"):
        read(store)


def test_a_spool_that_was_removed_is_damaged(opened: Opener, path: Path) -> None:
    store = opened()
    fill(store, 1)
    path.unlink()
    with pytest.raises(SpoolDamaged, match="removed"):
        fill(store, 1)


def test_somebody_elses_transaction_is_waited_for_then_it_is_unavailable(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.01)
    store = opened()
    fill(store, 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SpoolUnavailable) as caught:
        fill(store, 1)
    assert caught.value.reason == DISK_ERROR
    other.execute("ROLLBACK")
    other.close()
    fill(store, 1)
    assert store.last.seq == 2


def test_what_does_not_fit_on_the_disk_is_undone(opened: Opener) -> None:
    store = opened()
    fill(store, 1)
    with files_end_at(store.size_bytes() + 20_000), pytest.raises(SpoolUnavailable):  # noqa: SIM117
        with store.change() as change:
            change.append([event(1, b"x" * 200_000)])
    assert (read(store), store.last.seq) == (["e0"], 1)
    fill(store, 1)
    assert read(store) == ["e0", "e0"]


def test_what_has_left_makes_room_and_the_file_is_not_kept_at_its_largest(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_FREE_PAGES", 256)
    store = opened()
    body = b"x" * 60_000
    for first in range(0, 100, 10):
        with store.change() as change:
            change.save([Mark("a", Position(), {})])
            change.append([event(number, body) for number in range(first, first + 10)])
        store.tidy()
    store.empty_log()
    full = path.stat().st_size
    assert full > 100 * len(body)
    with store.change() as change:
        change.save([Mark("a", store.last, {})])
    turns = 0
    while store.tidy():
        turns += 1
    assert 1 < turns < 10, "so many pages are not given back in one go"
    store.close()
    assert path.stat().st_size < full / 4


def test_the_log_is_emptied_before_it_is_large(opened: Opener, path: Path) -> None:
    store = opened()
    for number in range(40):
        with store.change() as change:
            change.append([event(number, b"x" * 200_000)])
        store.tidy()
    assert Path(f"{path}-wal").stat().st_size < LOG_BYTES


def test_closing_twice_is_harmless(opened: Opener) -> None:
    store = opened()
    store.close()
    store.close()
    with pytest.raises(SpoolDamaged):
        store.read(0, 1)


def test_nothing_is_known_of_a_file_that_tells_nothing(path: Path) -> None:
    assert count_waiting(path) == {}
    assert not path.exists()
    path.write_bytes(b"x" * 5000)
    assert count_waiting(path) == {}
