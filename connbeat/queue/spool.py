"""Spool: the directory of a queue on disk, of one agent at a time. Deletes nothing. I/O."""

import contextlib
import itertools
import os
import time
from pathlib import Path

from connbeat.clock import Clock
from connbeat.errors import Permanent, SpoolDamaged
from connbeat.queue.database import unusable
from connbeat.queue.store import Content, Store, count_waiting

FILE_NAME = "spool.db"
_LOCK_NAME = "spool.lock"
_PARTS = ("", "-wal")  # the third, `-shm`, is made anew from these two


class Spool:
    """Opens the store, and moves aside what is damaged. One thread at a time."""

    def __init__(self, directory: Path, max_bytes: int, clock: Clock) -> None:
        self._directory = directory
        self._path = directory / FILE_NAME
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock_fd = -1

    @property
    def directory(self) -> Path:
        return self._directory

    def open(self) -> tuple[Store, Content]:
        """The store, and where it stands.

        Raises `Permanent` if that can never work, with a message for the user; SpoolUnavailable if
        it may later; SpoolDamaged if the file has to be moved aside.
        """
        self._lock()
        for part in _PARTS[1:]:
            if self._size(part) and not self._size(""):
                # SQLite would think the log a left-over, and delete it.
                raise SpoolDamaged(f"{self._path}: is empty or missing, but has a log")
        store = Store(self._path, self._max_bytes)
        try:
            return store, store.load()
        except BaseException:
            store.close()
            raise

    def count_waiting(self) -> dict[str, int]:
        """Events each output has yet to take, as far as a damaged file tells."""
        return count_waiting(self._path)

    def move_aside(self) -> Path | None:
        """Rename the files, so that a new spool can be made; their new name, None if gone."""
        moved = None
        aside = self._new_name()
        try:
            self._path.with_name(f"{FILE_NAME}-shm").unlink(missing_ok=True)
            for part in _PARTS:
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self._path}{part}").rename(f"{aside}{part}")
                    moved = aside
        except OSError as error:
            raise unusable(error) from error
        return moved

    def close(self) -> None:
        """Let another agent have it."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _new_name(self) -> Path:
        now = time.gmtime(self._clock.now_ns() // 1_000_000_000)
        stem = self._directory / f"spool.damaged-{time.strftime('%Y%m%dT%H%M%SZ', now)}"
        ends = (f"-{number}" if number else "" for number in itertools.count())
        return next(name for end in ends if not (name := Path(f"{stem}{end}.db")).exists())

    def _lock(self) -> None:
        import fcntl  # noqa: PLC0415  so that this room can be imported on any system

        if self._lock_fd >= 0:
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._directory / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unusable(error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(fd, 20).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise Permanent(
                f"{self._directory}: the spool is in use by another agent (pid {holder});"
                " give each its own path.data or queue.disk.path"
            ) from error
        self._lock_fd = fd
        with contextlib.suppress(OSError):  # the lock counts, not what stands in its file
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)

    def _size(self, part: str) -> int:
        try:
            return Path(f"{self._path}{part}").stat().st_size
        except OSError:
            return 0
