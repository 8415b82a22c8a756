import logging
import subprocess
import sys
import threading

import pytest

from connbeat.telemetry.log_targets import Fallback, Stderr


class Kept(logging.Handler):
    """stderr, as a list."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def record(message: str, at: float = 0.0) -> logging.LogRecord:
    made = logging.LogRecord("connbeat.test", logging.INFO, __file__, 1, message, (), None)
    made.created = at
    return made


def test_stderr_is_written_without_a_buffer(capfd: pytest.CaptureFixture[str]) -> None:
    target = Stderr()
    target.handle(record("one \udcff"))
    assert capfd.readouterr().err == "one \\udcff\n"


def test_nothing_waits_for_a_thread_that_hangs_in_stderr() -> None:
    target = Stderr()
    target.acquire()
    thread = threading.Thread(target=logging.shutdown, args=([lambda: target],))
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    target.release()


def refused(fallback: Fallback, line: logging.LogRecord) -> None:
    try:
        raise OSError("no")  # noqa: TRY301  as a write to a file would
    except OSError:
        fallback.take(line, "/x")


def test_lines_go_to_stderr_and_the_reason_at_most_twice_a_minute() -> None:
    stderr = Kept()
    fallback = Fallback(stderr, has_all=False)
    for seconds in (0, 29, 30):
        refused(fallback, record(f"line {seconds}", seconds))
    why = "The log cannot be written there; its lines go to stderr. target=/x error=no"
    assert stderr.lines == [why, "line 0", "line 29", why, "line 30"]


def test_where_stderr_has_all_lines_anyway_it_gets_only_the_reason() -> None:
    stderr = Kept()
    refused(Fallback(stderr, has_all=True), record("one"))
    assert len(stderr.lines) == 1


def test_a_log_on_stderr_loads_nothing_that_is_heavy() -> None:
    code = (
        "import sys; from connbeat.telemetry.log import LogSettings, set_up; set_up(LogSettings());"
        "sys.exit(', '.join({'pickle', 'logging.handlers', 'hashlib'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
