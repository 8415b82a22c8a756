"""The agent's own log: where it goes, what of it, and how a repeated line stays rare.

`log_lines` says how a line looks, `log_queue` keeps writers from waiting, `log_targets` and
`log_handlers` have what may fail.
"""

import logging
import threading

import msgspec

from connbeat.clock import Clock
from connbeat.telemetry.log_lines import JsonFormatter, LineFormatter, SyslogFormatter
from connbeat.telemetry.log_queue import LogQueue
from connbeat.telemetry.log_targets import Fallback, LogFiles, Stderr

_NAME = "connbeat"

_log = logging.getLogger(__name__)


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the log shows and where.

    `selectors` limit the level debug to rooms (`capture`) or modules (`capture.dump`) of connbeat;
    `*`, or none, is all of them. At any other level they say nothing.
    """

    level: str = "info"
    selectors: tuple[str, ...] = ()
    to_stderr: bool = True
    to_syslog: bool = False
    files: LogFiles | None = None
    is_json: bool = False


def set_up(settings: LogSettings) -> None:
    """Send every logger's lines where `settings` want them, in place of an earlier `set_up`.

    From here on nobody who writes to the log waits; what waits itself is written at exit.
    """
    before = _ours()
    queue = LogQueue(_targets(settings))
    queue.set_name(_NAME)
    logging.getLogger().addHandler(queue)
    _remove(before)
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(f"{_NAME}.")]:
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name, level in levels(settings).items():
        logging.getLogger(name).setLevel(level)


def tell_of_broken_threads() -> None:
    """From here on a thread that an exception ends says so in the log, not on stderr alone."""
    threading.excepthook = _tell_of_thread


def _tell_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or ended.exc_type is SystemExit:
        return
    name = "unknown" if ended.thread is None else ended.thread.name
    error = (ended.exc_type, ended.exc_value, ended.exc_traceback)
    _log.error("A thread has broken and is gone. thread=%s", name, exc_info=error)


def take_down() -> None:
    """Write what waits, and send nothing anywhere any more."""
    _remove(_ours())


def _ours() -> list[logging.Handler]:
    return [one for one in logging.getLogger().handlers if one.get_name() == _NAME]


def _remove(handlers: list[logging.Handler]) -> None:
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _targets(settings: LogSettings) -> list[logging.Handler]:
    line = JsonFormatter() if settings.is_json else LineFormatter()
    stderr = Stderr()
    stderr.setFormatter(line)
    fallback = Fallback(stderr, has_all=settings.to_stderr)
    targets: list[logging.Handler] = [stderr] if settings.to_stderr else []
    if settings.files is not None:
        from connbeat.telemetry.log_handlers import LogFile  # noqa: PLC0415  loaded on use

        targets.append(LogFile(settings.files, fallback))
        targets[-1].setFormatter(line)
    if settings.to_syslog:
        from connbeat.telemetry.log_handlers import Syslog  # noqa: PLC0415  loaded on use

        targets.append(Syslog(fallback))
        targets[-1].setFormatter(line if settings.is_json else SyslogFormatter())
    return targets


def levels(settings: LogSettings) -> dict[str, str]:
    """The level of each logger that gets one of its own; libraries speak up from WARNING on."""
    level = settings.level.upper()
    selectors = [selector for selector in settings.selectors if selector]
    if level != "DEBUG" or not selectors or "*" in selectors:
        return {_NAME: level}
    return {_NAME: "INFO"} | {f"{_NAME}.{selector}": level for selector in selectors}


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
