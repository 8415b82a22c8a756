import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.errors import Permanent, SpoolDamaged, SpoolUnavailable
from connbeat.queue.drops import DISK_ERROR
from connbeat.queue.spool import Spool
from tests.deliveries import FakeClock, events, files_end_at


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    one = Spool(tmp_path / "data" / "spool", 0, FakeClock())
    yield one
    one.close()


def names(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.directory.iterdir())


def test_it_makes_its_directory_for_its_owner_alone(spool: Spool) -> None:
    store, content = spool.open()
    store.close()
    assert content.last.seq == 0
    assert spool.directory.stat().st_mode & 0o777 == 0o700


def test_a_second_agent_is_refused_and_told_who_has_it(spool: Spool) -> None:
    store, _ = spool.open()
    other = Spool(spool.directory, 0, FakeClock())
    with pytest.raises(Permanent, match=rf"another agent \(pid {os.getpid()}\)"):
        other.open()
    store.close()
    spool.close()
    store, _ = other.open()
    store.close()
    other.close()


def test_the_lock_ends_with_the_process(spool: Spool) -> None:
    program = (
        "import os, sys; from pathlib import Path; from connbeat.queue.spool import Spool;"
        "from connbeat.clock import SystemClock;"
        "Spool(Path(sys.argv[1]), 0, SystemClock()).open(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, str(spool.directory)], check=True)
    store, _ = spool.open()
    store.close()


def test_a_directory_that_cannot_be_made_is_for_the_user_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", tmp_path / "file" / "spool"):
        with pytest.raises(Permanent, match="cannot be written"):
            Spool(directory, 0, FakeClock()).open()


def test_a_log_without_its_database_is_damage(spool: Spool) -> None:
    store, _ = spool.open()
    with store.change() as change:
        change.append(events(2))
    log = (spool.directory / "spool.db-wal").read_bytes()
    store.close()
    for data in (None, b""):
        (spool.directory / "spool.db-wal").write_bytes(log)
        (spool.directory / "spool.db").unlink()
        if data is not None:
            (spool.directory / "spool.db").write_bytes(data)
        with pytest.raises(SpoolDamaged, match="empty or missing"):
            spool.open()
        assert spool.move_aside() is not None
        store, _ = spool.open()
        store.close()


def test_moving_aside_keeps_both_files_and_overwrites_none(spool: Spool) -> None:
    for _ in range(2):
        store, _ = spool.open()
        store.close()
        (spool.directory / "spool.db-wal").write_bytes(b"x")
        assert spool.move_aside()
    assert spool.move_aside() is None, "nothing is there"
    assert names(spool) == [
        "spool.damaged-19700101T000001Z-1.db",
        "spool.damaged-19700101T000001Z-1.db-wal",
        "spool.damaged-19700101T000001Z.db",
        "spool.damaged-19700101T000001Z.db-wal",
        "spool.lock",
    ]


def test_no_room_for_the_database_is_waited_for(spool: Spool) -> None:
    with files_end_at(2048), pytest.raises(SpoolUnavailable) as caught:
        spool.open()
    assert caught.value.reason == DISK_ERROR, "the limit of a test is not ENOSPC"
    store, content = spool.open()
    store.close()
    assert content.last.seq == 0
