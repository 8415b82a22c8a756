import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connbeat.queue.place import Mark, Position
from connbeat.queue.store import LOG_BYTES, Store
from tests.deliveries import event, events, ids

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


def read(store: Store) -> list[str]:
    return ids(one for _, one in store.read(0, 1000))


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path, isolation_level=None)
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


def test_an_event_leaves_when_nobody_waits_for_it(opened: Opener, path: Path) -> None:
    store = opened()
    with store.change() as change:
        change.save([mark("a", 0), mark("b", 0)])
        for first in range(4):
            change.append([event(first)])
    with store.change() as change:
        change.save([mark("a", 4), mark("b", 3, {2: 7})])
    assert read(store) == ["e1", "e3"]
    with store.change() as change:
        change.save([mark("b", 4)])
    assert read(store) == []
    assert rows(path, "SELECT * FROM owed") == []


def test_an_output_that_is_removed_holds_up_nothing(opened: Opener) -> None:
    store = opened()
    with store.change() as change:
        change.save([mark("a", 3), mark("b", 1, {1: 7})])
        change.append(events(3))
    with store.change() as change:
        change.remove("b")
        change.save([mark("a", 3)])
    assert read(store) == []
    assert opened().load().cursors.keys() == {"a"}


def test_the_limit_counts_what_the_log_may_take(opened: Opener) -> None:
    store = opened(max_bytes=LOG_BYTES + 1_000_000)
    with store.change() as change:
        assert change.has_room(800_000)
        change.append([event(0, b"x" * 600_000)])
        assert not change.has_room(800_000)
    with opened(store._path.with_name("other.db")).change() as change:
        assert change.has_room(1 << 60), "no limit"


def test_the_oldest_row_behind_an_event_is_found(opened: Opener) -> None:
    store = opened()
    with store.change() as change:
        change.save([mark("a", 0)])
        change.append(events(2))
        change.append(events(1))
        assert change.oldest(0) == Position(2, 14)
        assert change.oldest(2) == Position(3, 21)
        assert change.oldest(3) is None


def test_only_what_differs_is_written_of_a_place(opened: Opener, path: Path) -> None:
    store = opened()
    with store.change() as change:
        change.append(events(4))
        change.save([mark("a", 4, {1: 7, 2: 7})])
    with store.change() as change:
        change.save([mark("a", 4, {2: 7, 3: 7})])
    assert rows(path, "SELECT seq FROM owed ORDER BY seq") == [(2,), (3,)]
    assert rows(path, "SELECT * FROM places") == [("a", 4, 28)]


def test_a_new_spool_goes_on_where_another_ended(opened: Opener) -> None:
    store = opened()
    with store.change() as change:
        change.seed(Position(9, 63), [(3, event(3)), (7, event(7))])
        change.save([mark("a", 9, {3: 7, 7: 7}), mark("b", 9)])
    with store.change() as change:
        change.append(events(1, first=9))
    assert [seq for seq, _ in store.read(0, 10)] == [3, 7, 10]
    store.close()
    content = opened().load()
    assert content.last == Position(10, 70)
    assert [seq for seq, _ in content.owed["a"]] == [3, 7]
