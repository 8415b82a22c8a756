import logging
import threading

import pytest

from connbeat.telemetry import log_queue
from connbeat.telemetry.log_queue import LogQueue


class Target(logging.Handler):
    """Keeps messages, and takes none while `gate` is shut."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.lines: list[str] = []
        self.threads: set[str] = set()
        self.is_closed = False

    def emit(self, record: logging.LogRecord) -> None:
        self.entered.set()
        self.gate.wait(30)
        self.lines.append(record.getMessage() + (record.exc_text or ""))
        self.threads.add(threading.current_thread().name)

    def close(self) -> None:
        self.is_closed = True
        super().close()


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("connbeat.test", logging.INFO, __file__, 1, message, args, None)


def test_lines_are_written_in_their_order_by_another_thread() -> None:
    target = Target()
    lines = LogQueue([target])
    for number in range(100):
        lines.handle(record("n=%d", number))
    lines.close()
    assert target.lines == [f"n={number}" for number in range(100)]
    assert target.threads == {"log"}
    assert target.is_closed


def test_flush_waits_for_what_came_before() -> None:
    target = Target()
    lines = LogQueue([target])
    lines.handle(record("one"))
    lines.flush()
    assert target.lines == ["one"]
    lines.close()
    lines.close()


def test_a_target_that_hangs_holds_nobody_up_and_the_loss_is_told() -> None:
    target = Target()
    target.gate.clear()
    lines = LogQueue([target], capacity=2)
    lines.handle(record("first"))
    assert target.entered.wait(30)
    for number in range(12):
        lines.handle(record("n=%d", number))
    target.gate.set()
    lines.close()
    assert target.lines == [
        "first",
        "Lines of the log found no room and were left out. lines=10",
        "n=0",
        "n=1",
    ]


@pytest.mark.parametrize("fills", [True, False])
def test_the_end_does_not_wait_for_a_target_that_hangs(
    monkeypatch: pytest.MonkeyPatch, fills: bool
) -> None:
    monkeypatch.setattr(log_queue, "_PATIENCE_SECONDS", 0.01)
    target = Target()
    target.gate.clear()
    lines = LogQueue([target], capacity=1)
    lines.handle(record("first"))
    assert target.entered.wait(30)
    if fills:
        lines.handle(record("second"))
    lines.flush()
    lines.close()
    assert not target.is_closed, "it is in use"
    target.gate.set()
    lines._thread.join(30 if not fills else 0)


def test_a_line_keeps_what_it_was_when_it_was_written() -> None:
    target = Target()
    target.gate.clear()
    lines = LogQueue([target])
    values = ["a"]
    lines.handle(record("values=%s", values))
    values.append("b")
    target.gate.set()
    lines.close()
    assert target.lines == ["values=['a']"]


def test_a_traceback_is_text_before_it_waits() -> None:
    made = record("It failed.")
    with pytest.raises(ValueError, match="why") as caught:
        raise ValueError("why")
    made.exc_info = (caught.type, caught.value, caught.tb)
    target = Target()
    lines = LogQueue([target])
    assert lines.prepare(made).exc_info is None
    lines.handle(made)
    lines.close()
    (line,) = target.lines
    assert line.startswith("It failed.Traceback")
    assert line.endswith("ValueError: why")
