r"""How a line of the log looks: for people, for machines, for syslog.

    2026-11-23T10:00:00.123Z INFO connbeat.capture A sentence that never varies. key=value

Times are UTC. What others chose (names of processes, errors of servers) may stand in a line but
cannot break it: control characters are written as `\xNN`. Only a traceback takes several lines.
"""

import logging
import time
from types import TracebackType

import msgspec

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
_LINE = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
#: Of the Elastic Common Schema whose names the lines of newer Beats have.
_ECS_VERSION = "1.6.0"


class LineFormatter(logging.Formatter):
    """One line for people."""

    converter = staticmethod(time.gmtime)

    def __init__(self, text: str = _LINE) -> None:
        super().__init__(text, "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return super().formatMessage(record).translate(_CONTROL)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  logging's name
        lines = super().formatException(ei).split("\n")
        return "\n".join(line.translate(_CONTROL) for line in lines)


class SyslogFormatter(LineFormatter):
    """The same without what syslog knows by itself."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s %(message)s")


class JsonFormatter(LineFormatter):
    """One JSON object, with the keys that the log of newer Beats has."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "@timestamp": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03d}Z",
            "log.level": record.levelname.lower(),
            "log.logger": record.name,
            "message": record.getMessage(),
            "service.name": "connbeat",
            "ecs.version": _ECS_VERSION,
        }
        if trace := traceback_of(record, self):
            entry["error.stack_trace"] = trace
        # What was a file name in another encoding cannot be UTF-8.
        return msgspec.json.encode(
            {key: text.encode(errors="backslashreplace").decode() for key, text in entry.items()}
        ).decode()


def traceback_of(record: logging.LogRecord, formatter: logging.Formatter) -> str:
    """As text, "" if there is none."""
    if record.exc_text is None and record.exc_info and record.exc_info[0] is not None:
        record.exc_text = formatter.formatException(record.exc_info)
    return record.exc_text or ""
