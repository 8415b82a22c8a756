"""Where the log can go, as far as every agent needs it: stderr, and what falls back on it.

One thread uses a target, that of the queue, and it may hang in one for ever, in a write to a pipe
that nobody reads: nothing may wait for it then, so targets have no locks.
"""

import contextlib
import logging
import os
import sys

import msgspec

_PERIOD_SECONDS = 30.0
_STDERR = 2


class LogFiles(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is the newest file, `name.1` the one before; `keep_files` counts both.

    `interval_seconds` 0 is no rotation by time; a day begins at midnight, UTC.
    """

    directory: str
    name: str = "connbeat"
    rotate_every_bytes: int = 10 * 1024 * 1024
    keep_files: int = 7
    permissions: int = 0o600
    interval_seconds: float = 0.0
    rotate_on_startup: bool = True


class _NoLock:
    """Instead of the lock that logging gives every handler, and asks for when the process ends."""

    def acquire(self) -> None: ...

    def release(self) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class Target(logging.Handler):
    """For one thread."""

    def createLock(self) -> None:  # noqa: N802  logging's name
        self.lock = _NoLock()  # type: ignore[assignment]  # all that logging does with it


class Stderr(Target):
    """Standard error, without Python's buffer, whose lock the end of the process waits for, too."""

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        with contextlib.suppress(OSError):  # nobody is left to tell
            while line:
                line = line[os.write(_STDERR, line) :]


class Fallback:
    """stderr, for what another target does not take. `has_all`: it gets all lines anyway."""

    def __init__(self, stderr: logging.Handler, *, has_all: bool) -> None:
        self._stderr = stderr
        self._has_all = has_all
        self._due = 0.0

    def take(self, record: logging.LogRecord, target: str) -> None:
        """Inside of an `except`: the line, and now and then why it is here."""
        if record.created >= self._due:
            self._due = record.created + _PERIOD_SECONDS
            text = "The log cannot be written there; its lines go to stderr. target=%s error=%s"
            values = (target, sys.exc_info()[1])
            why = logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, values, None)
            self._stderr.handle(why)
        if not self._has_all:
            self._stderr.handle(record)
