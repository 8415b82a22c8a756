"""Signals: what a handler may do, which interrupts the main thread anywhere, its waits included."""

import os
import select
from queue import Empty, SimpleQueue
from typing import NoReturn

_FAREWELL = b"connbeat: second signal, leaving at once\n"


class Wake:
    """Wakes the one thread that waits. `set` is for every thread and for signal handlers.

    Not an Event: its lock is not reentrant, and the waiting thread may hold it when a handler
    interrupts that thread. A SimpleQueue's `put` is reentrant.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._calls.put(None)

    def wait(self, seconds: float) -> bool:
        """True at once for each call of `set`, false after that many seconds without one."""
        try:
            self._calls.get(timeout=max(0.0, seconds))
        except Empty:
            return False
        return True


def leave_at_once() -> NoReturn:
    """End the process with exit code 1; a stderr that takes nothing or is gone delays nothing."""
    try:
        if select.select((), (2,), (), 0)[1]:
            os.write(2, _FAREWELL)
    finally:
        os._exit(1)
