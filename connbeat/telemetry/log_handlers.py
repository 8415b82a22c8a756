"""A file that rotates, and syslog. Both fail without consequences.

What they do not take goes to stderr, with one line in half a minute that says why: a full disk or a
directory that may not be written stops no agent. Loaded on use: it brings pickle, 0.8 MB.
"""

import contextlib
import logging
import logging.handlers
import os
from io import TextIOWrapper
from pathlib import Path

from connbeat.telemetry.log_targets import Fallback, LogFiles, Target

_DIRECTORY_MODE = 0o750
_SYSLOG = "/dev/log"


class LogFile(Target, logging.handlers.RotatingFileHandler):
    """A log file. Opened when the first line comes, so that making one never fails.

    If somebody moves or removes the file, the next line begins a new one.
    """

    def __init__(self, files: LogFiles, fallback: Fallback) -> None:
        super().__init__(
            Path(files.directory, files.name),
            maxBytes=files.rotate_every_bytes,
            backupCount=files.keep_files - 1,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
        self._files = files
        self._fallback = fallback
        self._is_first = files.rotate_on_startup
        self._written_at = 0.0

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802  logging's name
        if self.stream is None or self._was_moved():
            self._let_go()
            self.stream = self._open()
        is_first, self._is_first = self._is_first, False
        is_due = is_first or self._is_new_period(record)
        self._written_at = record.created
        has_lines = os.fstat(self.stream.fileno()).st_size > 0
        return has_lines and (is_due or bool(super().shouldRollover(record)))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """The file is opened anew for the next line: what is wrong may be over by then."""
        self._fallback.take(record, self.baseFilename)
        self._let_go()

    def _open(self) -> TextIOWrapper:
        directory = Path(self.baseFilename).parent
        directory.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        stream = open(  # noqa: SIM115  Path knows no opener; the handler closes it
            self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=self._opener
        )
        self._written_at = os.fstat(stream.fileno()).st_mtime
        return stream

    def _opener(self, path: str, flags: int) -> int:
        return os.open(path, flags, self._files.permissions)

    def _let_go(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # what it could not write, once more
                stream.close()

    def _was_moved(self) -> bool:
        """As logging's WatchedFileHandler has it."""
        try:
            there = os.stat(self.baseFilename)  # noqa: PTH116  for every line
        except FileNotFoundError:
            return True
        return self.stream is None or not os.path.samestat(there, os.fstat(self.stream.fileno()))

    def _is_new_period(self, record: logging.LogRecord) -> bool:
        interval = self._files.interval_seconds
        return interval > 0 and record.created // interval != self._written_at // interval


class Syslog(Target, logging.handlers.SysLogHandler):
    """The machine's syslog, as a daemon."""

    def __init__(self, fallback: Fallback, address: str = _SYSLOG) -> None:
        self._fallback = fallback
        super().__init__(address, logging.handlers.SysLogHandler.LOG_DAEMON)
        self.ident = f"connbeat[{os.getpid()}]: "

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        self._fallback.take(record, str(self.address))
