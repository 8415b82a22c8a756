import errno
import sqlite3
from pathlib import Path

import pytest

from connbeat.errors import Permanent, SpoolDamaged, SpoolUnavailable
from connbeat.queue.database import connect, connect_to_read, make_file, translated, unusable
from connbeat.queue.drops import DISK_ERROR, DISK_FULL


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CORRUPT_INDEX,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        sqlite3.SQLITE_ERROR,
    ],
)
def test_what_makes_no_sense_is_damage(code: int) -> None:
    with pytest.raises(SpoolDamaged, match="what SQLite says"), translated():
        raise sqlite_error(code)


def test_an_error_without_a_code_is_damage() -> None:
    with pytest.raises(SpoolDamaged), translated():
        raise sqlite3.ProgrammingError


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (sqlite3.SQLITE_FULL, DISK_FULL),
        (sqlite3.SQLITE_BUSY, DISK_ERROR),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, DISK_ERROR),
        (sqlite3.SQLITE_IOERR_WRITE, DISK_ERROR),
        (sqlite3.SQLITE_READONLY, DISK_ERROR),
    ],
)
def test_what_may_pass_is_waited_for(code: int, reason: str) -> None:
    with pytest.raises(SpoolUnavailable) as caught, translated():
        raise sqlite_error(code)
    assert caught.value.reason == reason


@pytest.mark.parametrize("code", [sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN])
def test_at_the_start_what_is_forbidden_is_for_the_user_to_mend(code: int) -> None:
    with pytest.raises(Permanent, match="cannot be written"), translated(is_opening=True):
        raise sqlite_error(code)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, SpoolUnavailable),
        (errno.EDQUOT, SpoolUnavailable),
        (errno.EIO, SpoolUnavailable),
        (errno.EACCES, Permanent),
        (errno.EROFS, Permanent),
        (errno.ENOTDIR, Permanent),
    ],
)
def test_the_systems_refusals_mean_the_same(code: int, kind: type[Exception]) -> None:
    assert type(unusable(OSError(code, "no"))) is kind
    with pytest.raises(kind), translated():
        raise OSError(code, "no")


def test_a_new_file_is_for_its_owner_alone_and_an_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    make_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("x")
    make_file(path)
    assert path.read_text() == "x"


def test_every_commit_is_synced(tmp_path: Path) -> None:
    connection = connect(tmp_path / "file")
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    connection.close()


def test_text_that_is_no_text_is_read_all_the_same(tmp_path: Path) -> None:
    connection = connect(tmp_path / "file")
    assert connection.execute("SELECT CAST(x'41ff' AS TEXT)").fetchone() == ("A\udcff",)
    connection.close()


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connect_to_read(tmp_path / "a?b#c")
    assert not list(tmp_path.iterdir())
