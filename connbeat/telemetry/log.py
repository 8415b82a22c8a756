r"""The agent's own log: where it goes, how a line looks, and how a repeated line stays rare.

    2026-11-23T10:00:00.123Z INFO connbeat.capture A sentence that never varies. key=value

Times are UTC. What others chose (names of processes, errors of servers) may stand in a line but
cannot break it: control characters are written as `\xNN`. Only a traceback takes several lines.
"""

import logging
import logging.handlers
import threading
import time
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType

import msgspec

from connbeat.clock import Clock
from connbeat.errors import ConfigError

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_NAME = "connbeat"
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """`logging.files`: rotated by size; `keep_files` counts the one that is written to."""

    path: Path
    rotate_every_bytes: int = 10 * 1024 * 1024
    keep_files: int = 7
    permissions: int = 0o600


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the log shows and where it goes: to the file if there is one, else to stderr.

    `selectors` limit the level debug to rooms (`capture`) or modules (`capture.dump`) of connbeat;
    `*`, or none, is all of them. At any other level they say nothing.
    """

    level: str = "info"
    selectors: tuple[str, ...] = ()
    is_json: bool = False
    file: LogFile | None = None


def set_up(settings: LogSettings) -> None:
    """Send every logger's lines where the settings say, in place of an earlier `set_up`.

    Raises ConfigError if the file cannot be written to.
    """
    handler = _file_handler(settings.file) if settings.file else logging.StreamHandler()
    handler.set_name(_NAME)
    handler.setFormatter(JsonFormatter() if settings.is_json else LineFormatter())
    root = logging.getLogger()
    for old in [one for one in root.handlers if one.get_name() == _NAME]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(f"{_NAME}.")]:
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name, level in levels(settings).items():
        logging.getLogger(name).setLevel(level)


def levels(settings: LogSettings) -> dict[str, str]:
    """The level of each logger that gets one of its own; libraries speak up from WARNING on."""
    level = settings.level.upper()
    selectors = [selector for selector in settings.selectors if selector]
    if level != "DEBUG" or not selectors or "*" in selectors:
        return {_NAME: level}
    return {_NAME: "INFO"} | {f"{_NAME}.{selector}": level for selector in selectors}


class LineFormatter(logging.Formatter):
    """One line for people."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return super().formatMessage(record).translate(_CONTROL)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  logging's name
        lines = super().formatException(ei).split("\n")
        return "\n".join(line.translate(_CONTROL) for line in lines)


class JsonFormatter(LineFormatter):
    """One JSON object a line, in the names of the Elastic Common Schema."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "@timestamp": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03d}Z",
            "log.level": record.levelname.lower(),
            "log.logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class RateLimited:
    """A logger for what may happen a thousand times a second. Thread-safe.

    Each line goes out at once the first time; after that, at most one in `seconds`, with how many
    were held back before it. Lines are the same line if message and `key` are.
    """

    def __init__(self, log: logging.Logger, clock: Clock, seconds: float = 30.0) -> None:
        self._log = log
        self._clock = clock
        self._period_ns = int(seconds * 1e9)
        self._lock = threading.Lock()
        self._lines: dict[tuple[str, str], tuple[int, int]] = {}  # when due, how many held back

    def warning(self, message: str, *args: object, key: str = "") -> None:
        self._write(logging.WARNING, message, args, key)

    def error(self, message: str, *args: object, key: str = "") -> None:
        self._write(logging.ERROR, message, args, key)

    def _write(self, level: int, message: str, args: tuple[object, ...], key: str) -> None:
        now = self._clock.monotonic_ns()
        with self._lock:
            due, held = self._lines.get((message, key), (now, 0))
            is_due = now >= due
            self._lines[message, key] = (now + self._period_ns, 0) if is_due else (due, held + 1)
        if not is_due:
            return
        if held:
            message, args = f"{message} suppressed=%d", (*args, held)
        self._log.log(level, message, *args)


class _RotatingFile(logging.handlers.RotatingFileHandler):
    """The standard one, with the mode of the files it makes."""

    def __init__(self, file: LogFile) -> None:
        self._permissions = file.permissions
        super().__init__(
            file.path,
            maxBytes=file.rotate_every_bytes,
            backupCount=file.keep_files - 1,
            encoding="utf-8",
            errors="backslashreplace",
        )

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).touch(self._permissions)
        return super()._open()


def _file_handler(file: LogFile) -> logging.Handler:
    try:
        file.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        return _RotatingFile(file)
    except OSError as error:
        raise ConfigError(
            (f"logging.files: cannot write to {file.path}: {error.strerror}",)
        ) from error
