r"""The agent's own log: how a line looks, and how a repeated line stays rare.

    2026-11-23T10:00:00.123Z INFO connbeat.capture A sentence that never varies. key=value

Times are UTC. What others chose (names of processes, errors of servers) may stand in a line but
cannot break it: control characters are written as `\xNN`. Only a traceback takes several lines.
"""

import logging
import threading
import time
from types import TracebackType

import msgspec

from connbeat.clock import Clock

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_NAME = "connbeat"
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the log on stderr shows.

    `selectors` limit the level debug to rooms (`capture`) or modules (`capture.dump`) of connbeat;
    `*`, or none, is all of them. At any other level they say nothing.
    """

    level: str = "info"
    selectors: tuple[str, ...] = ()


def set_up(settings: LogSettings) -> None:
    """Send every logger's lines to stderr, in place of an earlier `set_up`."""
    handler = logging.StreamHandler()
    handler.set_name(_NAME)
    handler.setFormatter(LineFormatter())
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
