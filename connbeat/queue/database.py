"""Database: connections to the spool's file, and what SQLite's errors mean. I/O.

The only module that knows `sqlite3`. Connections may be used by any thread, by one at a time.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from connbeat.errors import Permanent, SpoolDamaged, SpoolUnavailable
from connbeat.queue.drops import DISK_ERROR, DISK_FULL

Connection = sqlite3.Connection
Cursor = sqlite3.Cursor

PAGE_BYTES = 4096
_BUSY_SECONDS = 1.0

# The last two say that the tables are not the ones we made, or do not hold what we put there.
_DAMAGED = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
}
_FORBIDDEN = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


def make_file(path: Path) -> None:
    """Before the first connection: closing the file ends all locks that this process has on it.

    Whoever may read the file reads command lines, so it is for its owner alone.
    """
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def connect(path: Path) -> Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _to_text
    try:
        for pragma in ("synchronous=FULL", "wal_autocheckpoint=0", "secure_delete=OFF"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _to_text(data: bytes) -> str:
    """Damaged text is told by its checksum, not by an exception of sqlite3 without a code."""
    return data.decode(errors="surrogateescape")


def connect_to_read(path: Path) -> Connection:
    """Raises if there is no such file; changes nothing in it."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)


@contextlib.contextmanager
def translated(*, is_opening: bool = False) -> Iterator[None]:
    """SQLite's errors, and the system's, as ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _DAMAGED:
            raise SpoolDamaged(str(error)) from error
        if is_opening and code in _FORBIDDEN:
            raise Permanent(f"the spool cannot be written: {error}") from error
        reason = DISK_FULL if code == sqlite3.SQLITE_FULL else DISK_ERROR
        raise SpoolUnavailable(str(error), reason) from error
    except OSError as error:
        raise unusable(error) from error


def unusable(error: OSError) -> Permanent | SpoolUnavailable:
    """What the system's refusal means for the spool."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SpoolUnavailable(str(error), DISK_FULL)
    if error.errno in (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
    ):
        return Permanent(f"the spool cannot be written: {error}")
    return SpoolUnavailable(str(error), DISK_ERROR)
