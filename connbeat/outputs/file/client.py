"""Documents in files.

What is promised: a file holds whole lines only, and an event that was reported delivered stands
there once. A write the disk cut short is cut back to its last whole line; the events behind it
are retried. Were the agent killed in the middle of a write, the half line is cut off at the next
start. There is no fsync, as in libbeat: what is delivered survives the agent, not a power cut.
"""

import errno
import logging
import os
import stat
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

from connbeat.errors import OutputError, Permanent, Transient
from connbeat.model.batches import Batch, Event, Outcome
from connbeat.outputs.file.config import FileConfig
from connbeat.outputs.file.rotation import Rotation, count_fitting, plan_shift
from connbeat.outputs.protocol import Check, OutputContext, Step

_log = logging.getLogger(__name__)

# O_NONBLOCK: opening a FIFO nobody reads then fails instead of waiting for ever.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
# At the start these may pass by themselves; anything else is a mistake of the configuration.
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE}
# Joined at a time: 100 KB stay in the processor's cache. In one piece 2,000 lines took the thread
# of the output 1.7 us each, like this they take 1.5. All are written in one call, for each gives up
# Python's lock: with one a piece the capture thread ran ahead, and 20,000 events waited in memory.
_LINES = 128
_MOST_PARTS = 1024  # that the system takes in one call (IOV_MAX)
# How far back to look for the beginning of a half line; longer than any document.
_TAIL_BYTES = 1 << 20


def build(config: FileConfig, _: OutputContext) -> "FileOutput":
    rotation = Rotation(
        max_bytes=config.rotate_every_kb * 1024,
        number_of_files=config.number_of_files,
        on_startup=config.rotate_on_startup,
    )
    return FileOutput(
        Path(config.path), config.filename, rotation=rotation, permissions=config.permissions
    )


class FileOutput:
    """An `Output`. Others may read, move, delete or empty the file; only we may add to it."""

    name = "file"

    def __init__(
        self,
        directory: Path,
        filename: str,
        *,
        rotation: Rotation | None = None,
        permissions: int = 0o600,
    ) -> None:
        if not filename.strip(".") or Path(filename).name != filename:
            raise ValueError("filename must be a name without a directory")
        self._directory = directory
        self._path = directory / filename
        self._rotation = rotation or Rotation()
        self._permissions = permissions
        self._fd = -1
        self._is_rotation_due = self._rotation.on_startup
        self._is_checked = False  # what the file held when we opened it ends with a whole line
        self._cut_to: int | None = None  # where the last whole line ends, while half of one follows

    def open(self) -> None:
        try:
            self._open()
        except OSError as error:
            kind = Transient if error.errno in _PASSING else Permanent
            raise kind(self._describe(error)) from error

    def send(self, batch: Batch) -> Outcome:
        done, error = self._write(batch.events)
        if error is not None and not done:
            raise Transient(self._describe(error)) from error
        return Outcome(delivered=batch.events[:done], retry=batch.events[done:])

    def reopen(self) -> None:
        self.close()
        try:
            self._open()
        except OSError as error:
            raise Transient(self._describe(error)) from error

    def close(self) -> None:
        if self._fd < 0:
            return
        with suppress(OSError):
            self._cut()
        self._cut_to = None
        try:
            os.close(self._fd)
        except OSError as error:  # NFS says only now that it could not keep what it took
            _log.error(
                "The file could not be closed; its last events may be lost. path=%s error=%s",
                self._path,
                error,
            )
        self._fd = -1

    def checks(self) -> Iterator[Check]:
        paths = (self._path, self._directory, *self._directory.parents)
        absent = [path for path in paths if not path.exists()]
        try:
            self.open()
        except OutputError as error:
            yield Check(step=Step.WRITE, target=str(self._path), error=str(error))
            return
        self.close()
        with suppress(OSError):  # nobody expects a test to leave anything behind
            for path in absent:
                path.rmdir() if path.is_dir() else path.unlink()
        yield Check(step=Step.WRITE, target=str(self._path))

    def _describe(self, error: OSError) -> str:
        return f"cannot write to {self._path}: {error.strerror or error}"

    def _write(self, events: tuple[Event, ...]) -> tuple[int, OSError | None]:
        """How many events stand in files as whole lines, and what stopped the rest."""
        ends = list(accumulate([len(event.body) + 1 for event in events]))
        done = 0
        error = None
        try:
            while done < len(events) and error is None:
                size = self._prepare()
                count = count_fitting(ends, done, size, self._rotation.max_bytes)
                if count:
                    written, error = self._append(events[done : done + count], size)
                    done += written
                else:
                    self._rotate()
        except OSError as other:
            error = other
        return done, error

    def _append(self, events: Sequence[Event], size: int) -> tuple[int, OSError | None]:
        """Write whole lines behind `size` bytes: how many, and what stopped the rest."""
        bodies = [event.body for event in events]
        written, error = self._write_all(
            [
                b"\n".join([*bodies[start : start + _LINES], b""])
                for start in range(0, len(bodies), _LINES)
            ]
        )
        if error is None:
            return len(events), None
        ends = [0, *accumulate(len(body) + 1 for body in bodies)]
        whole = bisect_right(ends, written) - 1
        self._cut_to = size + ends[whole]
        with suppress(OSError):  # then before the next write
            self._cut()
        return whole, error

    def _write_all(self, parts: Sequence[bytes]) -> tuple[int, OSError | None]:
        """How many bytes of the parts were written, and what stopped the rest."""
        written = 0
        try:
            written = os.writev(self._fd, parts[:_MOST_PARTS])
            if written < sum(map(len, parts)):
                rest = memoryview(b"".join(parts))
                while written < len(rest):
                    written += os.write(self._fd, rest[written:])
        except OSError as error:
            return written, error
        return written, None

    def _cut(self) -> None:
        """Take off the half line behind the last whole one, if there is any."""
        if self._cut_to is None:
            return
        # Emptied by somebody meanwhile (logrotate's copytruncate), it must not grow back.
        if os.fstat(self._fd).st_size > self._cut_to:
            os.ftruncate(self._fd, self._cut_to)
        self._cut_to = None

    def _prepare(self) -> int:
        """The size of a file that is open, ours to add to, and ends with a whole line."""
        if self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
            self.close()  # deleted under us: what we write there nobody can read
        self._open()
        self._cut()
        if not self._is_checked:
            is_ours = self._mend()
            if os.fstat(self._fd).st_size and (self._is_rotation_due or not is_ours):
                self._rotate()
            self._is_rotation_due = False
            self._is_checked = True
        return os.fstat(self._fd).st_size

    def _mend(self) -> bool:
        """Cut off half a line at the end. False if the file ends as ours never do."""
        size = os.fstat(self._fd).st_size
        start = max(0, size - _TAIL_BYTES)
        tail = os.pread(self._fd, _TAIL_BYTES, start)
        if not tail or tail.endswith(b"\n"):
            return True
        cut = tail.rfind(b"\n") + 1
        if not tail.startswith(b"{", cut):
            return False
        os.ftruncate(self._fd, start + cut)
        _log.warning(
            "Half a line at the end of the file was cut off. path=%s bytes=%d",
            self._path,
            len(tail) - cut,
        )
        return True

    def _rotate(self) -> None:
        names = os.listdir(self._directory)  # noqa: PTH208  names, not paths
        shift = plan_shift(names, self._path.name, self._rotation.number_of_files)
        for name in shift.removals:
            (self._directory / name).unlink(missing_ok=True)
        for old, new in shift.renames:
            with suppress(FileNotFoundError):  # moved away by somebody else: room all the same
                (self._directory / old).replace(self._directory / new)
        self.close()
        self._open()

    def _open(self) -> None:
        if self._fd >= 0:
            return
        try:
            fd = self._create()
        except FileNotFoundError:
            self._make_directory()
            fd = self._create()
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "it is not a regular file")
        self._fd = fd
        self._is_checked = False

    def _create(self) -> int:
        try:
            fd = os.open(self._path, _FLAGS | os.O_CREAT | os.O_EXCL, self._permissions)
        except FileExistsError:
            return os.open(self._path, _FLAGS)
        os.fchmod(fd, self._permissions)  # as configured, whatever the umask is
        return fd

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
