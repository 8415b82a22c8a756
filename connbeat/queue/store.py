"""Store: the spool as a database that is opened, read and kept in shape. I/O.

SQLite with a write-ahead log and `synchronous=FULL`: the log is synced at each commit, so what a
committed transaction wrote survives a power cut, and what it did not is as if it had never been.
(`NORMAL` would sync only at checkpoints, and each of those writes the pages a second time and syncs
two files: one commit for many events is cheaper than a checkpoint for each.)

One connection writes, and belongs to one thread at a time; another reads, for whoever asks.
Checkpoints are made here, not by SQLite, because it would not say that one failed. The log is not
cut after them: on a full disk there is so still room in it for what makes room elsewhere.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from connbeat.errors import Permanent, QueueError, SpoolDamaged, SpoolUnavailable
from connbeat.model.batches import Event
from connbeat.queue.change import Change
from connbeat.queue.chunks import Chunk, decode
from connbeat.queue.database import (
    PAGE_BYTES,
    Cursor,
    connect,
    connect_to_read,
    make_file,
    translated,
)
from connbeat.queue.place import Mark, Position, Row
from connbeat.queue.schema import APPLICATION_ID, MIGRATIONS

#: What the log may take beside the pages: one transaction above the size at which it is emptied.
LOG_BYTES = 4 * 1024 * 1024
_CHECKPOINT_BYTES = 2 * 1024 * 1024
# What a transaction writes to the log beside the events: the pages above and around them.
_CHANGE_BYTES = 12 * PAGE_BYTES
# Above this, reading the whole file would make a start slow; damage is then found when it is met.
_CHECKED_BYTES = 64 * 1024 * 1024
# Free pages are given back once they are the greater part, so many at a time.
_FREE_PAGES = 4096
_VACUUM_PAGES = 256

_COLUMNS = "last_seq, first_seq, last_bytes, crc, ids, timestamps, bodies"


class Content(msgspec.Struct, frozen=True):
    """Where the spool stands: its last event, and each output's place with the owed events."""

    last: Position
    cursors: dict[str, Position]
    owed: dict[str, list[Row]]

    def waiting(self, output: str) -> int:
        """Events the output has yet to take."""
        return self.last.seq - self.cursors[output].seq + len(self.owed[output])


class Store:
    """An open database. Raises SpoolDamaged, SpoolUnavailable, and, on opening, Permanent."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Open it, or make a new one where there is none. `max_bytes` 0: as large as the disk."""
        self._path = path
        self._max_pages = max(1, max_bytes - LOG_BYTES) // PAGE_BYTES if max_bytes else 0
        self._marks: dict[str, Mark] = {}
        self._last = Position()
        self._logged_bytes = 0  # since the log was emptied, about: its file does not shrink
        self._lock = threading.Lock()  # guards the reader
        with contextlib.ExitStack() as closing, translated(is_opening=True):
            make_file(path)
            self._writer = closing.enter_context(contextlib.closing(connect(path)))
            self._reader = closing.enter_context(contextlib.closing(connect(path)))
            self._prepare()
            self._inode = path.stat().st_ino
            self._closing = closing.pop_all()

    # ------------------------------------------------------------------ opening
    def _prepare(self) -> None:
        version = self._version()
        self._writer.execute(f"PRAGMA page_size={PAGE_BYTES}")
        self._writer.execute("PRAGMA auto_vacuum=INCREMENTAL")
        (mode,) = self._writer.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise Permanent(f"{self._path}: this file system cannot hold a spool")
        if version < len(MIGRATIONS):
            steps = "".join(MIGRATIONS[version:])
            self._writer.executescript(
                f"BEGIN IMMEDIATE; {steps}"
                f"PRAGMA application_id={APPLICATION_ID};"
                f"PRAGMA user_version={len(MIGRATIONS)}; COMMIT"
            )
        else:
            self._writer.execute("BEGIN IMMEDIATE")  # may it be written at all?
            self._writer.execute("ROLLBACK")
            self._check()

    def _version(self) -> int:
        (application,) = self._writer.execute("PRAGMA application_id").fetchone()
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        (tables,) = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and (application or version or tables):
            raise Permanent(f"{self._path}: is a database, but no spool of connbeat")
        if version > len(MIGRATIONS):
            raise Permanent(
                f"{self._path}: was written by a newer connbeat (version {version} of the spool,"
                f" this one knows {len(MIGRATIONS)}); use that one, or another queue.disk.path"
            )
        return int(version)

    def _check(self) -> None:
        """Is it whole? Pages that are missing, and, of a small file, anything else."""
        with contextlib.suppress(SpoolUnavailable), translated():
            is_busy, *_ = self._one("PRAGMA wal_checkpoint(TRUNCATE)")
            size = self._path.stat().st_size
            if not is_busy and size < self._pages("page_count") * PAGE_BYTES:
                raise SpoolDamaged(f"{self._path}: its end is missing")
            if size <= _CHECKED_BYTES:
                (finding,) = self._writer.execute("PRAGMA quick_check(1)").fetchone()
                if finding != "ok":
                    raise SpoolDamaged(f"{self._path}: {finding}")

    def load(self) -> Content:
        """Where it stands; afterwards only `Change`s alter it."""
        try:
            return self._load()
        except (TypeError, KeyError) as error:
            raise SpoolDamaged(f"{self._path}: makes no sense: {error!r}") from error

    def _load(self) -> Content:
        with translated(is_opening=True):
            self._last = Position(*self._one("SELECT last_seq, last_bytes FROM spool"))
            cursors = {
                output: Position(seq, size)
                for output, seq, size in self._writer.execute(
                    "SELECT output, cursor, cursor_bytes FROM places"
                )
            }
            owed: dict[str, dict[int, int]] = {output: {} for output in cursors}
            for seq, output, size in self._writer.execute(
                "SELECT seq, output, size_bytes FROM owed ORDER BY seq"
            ):
                owed[output][seq] = size
            self._check_ends(min((one.seq for one in cursors.values()), default=0))
            rows = {output: self._owed(sizes) for output, sizes in owed.items()}
        self._marks = {
            output: Mark(output, cursor, owed[output]) for output, cursor in cursors.items()
        }
        return Content(self._last, cursors, rows)

    def _check_ends(self, cursor: int) -> None:
        """The first and the last event behind the cursor are there; who reads sees the others.

        To look at every row of 10 GB takes a cold disk ten seconds.
        """
        chunks = "SELECT first_seq, last_seq FROM chunks WHERE last_seq > ? ORDER BY last_seq"
        first = self._writer.execute(f"{chunks} LIMIT 1", (cursor,)).fetchone()
        last = self._writer.execute(f"{chunks} DESC LIMIT 1", (cursor,)).fetchone()
        end = last[1] if last else cursor
        if end != self._last.seq or (first and first[0] > cursor + 1):
            raise SpoolDamaged(f"{self._path}: events are missing")

    def _owed(self, sizes: dict[int, int]) -> list[Row]:
        rows: dict[int, Event] = {}
        for seq in sizes:
            if seq not in rows:
                found = self._chunks("last_seq >= ? ORDER BY last_seq LIMIT 1", seq)
                for chunk in found.fetchall():
                    rows.update(_rows(Chunk(*chunk)))
        missing = sizes.keys() - rows.keys()
        if missing:
            raise SpoolDamaged(f"{self._path}: {len(missing)} events are missing")
        return [(seq, rows[seq]) for seq in sizes]

    # ------------------------------------------------------------------ use
    @property
    def last(self) -> Position:
        """The last event that was ever written."""
        return self._last

    def read(self, after_seq: int, max_events: int) -> list[Row]:
        """Events behind that one, in their order. Any thread; the database may be busy a moment."""
        rows: list[Row] = []
        with self._lock, translated():
            chunks = self._chunks("last_seq > ? ORDER BY last_seq", after_seq)
            with contextlib.closing(chunks):
                while len(rows) < max_events and (chunk := chunks.fetchone()):
                    rows += [row for row in _rows(Chunk(*chunk)) if row[0] > after_seq]
        return rows[:max_events]

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """A transaction. What it did is synced when the block is left, or else undone."""
        with translated():
            self._check_inode()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                change = Change(self._writer, self._last, self._marks, self._max_pages)
                yield change
                self._writer.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(QueueError), translated():
                    self._writer.execute("ROLLBACK")
                raise
            self._last, self._marks = change.last, change.marks
            self._logged_bytes += change.written_bytes + _CHANGE_BYTES

    def tidy(self) -> bool:
        """Empty a log that has grown, give free pages back; whether there are more to give."""
        if self._logged_bytes > _CHECKPOINT_BYTES:
            self.empty_log()
        with translated():
            if not self._is_mostly_free():
                return False
            # It gives a row without columns for each page, of which `execute` takes but the first.
            self._writer.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
            self._logged_bytes += 2 * _VACUUM_PAGES * PAGE_BYTES
            return self._is_mostly_free()

    def empty_log(self) -> None:
        """Bring everything into the file; the log then begins again without growing."""
        # Longer than it should be if somebody read from it for a while: then it is cut.
        mode = "TRUNCATE" if self._log_bytes() > LOG_BYTES else "RESTART"
        with translated():
            is_busy, *_ = self._one(f"PRAGMA wal_checkpoint({mode})")
            if not is_busy:
                self._logged_bytes = 0

    def size_bytes(self) -> int:
        """What it takes on disk, with its log."""
        with translated():
            return self._pages("page_count") * PAGE_BYTES + self._log_bytes()

    def close(self) -> None:
        """Empty the log and let go. Never raises; closing twice is harmless."""
        with self._lock, contextlib.suppress(QueueError), translated():
            self._closing.close()

    # ------------------------------------------------------------------ inside
    def _one(self, statement: str, *values: int) -> tuple[int, ...]:
        row: tuple[int, ...] | None = self._writer.execute(statement, values).fetchone()
        if row is None:
            raise SpoolDamaged(f"{self._path}: has an empty table")
        return row

    def _chunks(self, where: str, seq: int) -> Cursor:
        statement = f"SELECT {_COLUMNS} FROM chunks WHERE {where}"  # noqa: S608  constants
        return self._reader.execute(statement, (seq,))

    def _pages(self, pragma: str) -> int:
        return int(self._writer.execute(f"PRAGMA {pragma}").fetchone()[0])

    def _is_mostly_free(self) -> bool:
        free = self._pages("freelist_count")
        return free > _FREE_PAGES and 2 * free > self._pages("page_count")

    def _log_bytes(self) -> int:
        try:
            return self._path.with_name(f"{self._path.name}-wal").stat().st_size
        except OSError:
            return 0

    def _check_inode(self) -> None:
        try:
            is_there = self._path.stat().st_ino == self._inode
        except OSError:
            is_there = False
        if not is_there:
            raise SpoolDamaged(f"{self._path}: was removed or replaced")


def count_waiting(path: Path) -> dict[str, int]:
    """Events each output has yet to take, of a file that may be damaged; nothing if it tells none.

    For what the log says about a loss. The file is only read.
    """
    with (
        contextlib.suppress(QueueError, TypeError, ValueError),
        translated(),
        contextlib.closing(connect_to_read(path)) as connection,
    ):
        rows = connection.execute("SELECT output, events FROM waiting").fetchall()
        return {str(output): max(0, int(events)) for output, events in rows}
    return {}


def _rows(chunk: Chunk) -> Iterator[Row]:
    try:
        return zip(range(chunk.first_seq, chunk.last_seq + 1), decode(chunk), strict=True)
    except (TypeError, ValueError) as error:
        raise SpoolDamaged(str(error)) from error
