"""Between those who write to the log and where it goes: nobody waits for a disk or a terminal."""

import copy
import logging
import queue
import threading
from collections.abc import Sequence

from connbeat.telemetry.log_lines import LineFormatter, traceback_of

#: A line is a record of 1.5 KB: 3 MB wait at most where whoever reads has stopped to.
CAPACITY = 2048
_PATIENCE_SECONDS = 2.0


class LogQueue(logging.Handler):
    """Hands lines to `targets` in a thread of its own. What finds no room is counted and told of.

    `emit` never blocks, whatever the targets do; `flush` and `close` wait for at most two seconds.
    """

    def __init__(self, targets: Sequence[logging.Handler], capacity: int = CAPACITY) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(capacity)
        super().__init__()
        self._targets = tuple(targets)
        self._lost = 0
        self._lost_lock = threading.Lock()
        self._is_closed = False
        self._formatter = LineFormatter()
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._enqueue(self.prepare(record))
        except Exception:  # noqa: BLE001  a message that does not fit its arguments: logging's own way
            self.handleError(record)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The text as it is now, without what it was made from: that may change, or be large."""
        text = record.getMessage()
        trace = traceback_of(record, self._formatter)
        record = copy.copy(record)
        record.msg, record.args = text, None
        record.exc_info, record.exc_text = None, trace or None
        return record

    def _enqueue(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            with self._lost_lock:
                self._lost += 1

    def flush(self) -> None:
        """Wait until all that came before is written."""
        lines = self._lines
        with lines.all_tasks_done:
            lines.all_tasks_done.wait_for(lambda: not lines.unfinished_tasks, _PATIENCE_SECONDS)

    def close(self) -> None:
        """Write what waits, then let go of the targets. Closing twice is harmless."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._lines.put(None, timeout=_PATIENCE_SECONDS)
            self._thread.join(_PATIENCE_SECONDS)
        except queue.Full:
            pass  # nobody reads: the thread ends with the process
        if not self._thread.is_alive():  # else it is inside of a target, and has its lock
            for target in self._targets:
                target.close()
        super().close()

    def _write(self) -> None:
        while (record := self._lines.get()) is not None:
            self._tell(record)
            if self._lost:
                self._tell_of_lost(record)
            self._lines.task_done()
        self._lines.task_done()

    def _tell(self, record: logging.LogRecord) -> None:
        for target in self._targets:
            target.handle(record)

    def _tell_of_lost(self, record: logging.LogRecord) -> None:
        with self._lost_lock:
            lost, self._lost = self._lost, 0
        told = copy.copy(record)
        told.name, told.levelno, told.levelname = __name__, logging.WARNING, "WARNING"
        told.msg, told.args = (
            f"Lines of the log found no room and were left out. lines={lost}",
            None,
        )
        told.exc_text = None
        self._tell(told)
