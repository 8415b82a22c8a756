"""Time, asked in one place, so that everything else can be handed it."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """The three questions about time that the agent asks.

    Nanoseconds are integers: the kernel's own timestamps (tracefs with `trace_clock` mono,
    CLOCK_MONOTONIC) join them without rounding.
    """

    def now_ns(self) -> int:
        """Wall clock, nanoseconds since the epoch, UTC. May step; only documents use it."""
        ...

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC in nanoseconds. Never steps; everything that decides uses it."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set (true) or the seconds have passed (false)."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))


#: A reading between two others that far apart was not interrupted.
_AT_ONCE_NS = 20_000
_TRIES = 5


def read_both(clock: Clock) -> tuple[int, int]:
    """(CLOCK_MONOTONIC, wall clock) of one moment.

    A thread can lose the processor or the interpreter for milliseconds between two readings, and
    every time that is told would be wrong by that; so the quickest of some tries counts.
    """
    readings: list[tuple[int, int, int]] = []
    while len(readings) < _TRIES:
        before_ns, wall_ns, after_ns = clock.monotonic_ns(), clock.now_ns(), clock.monotonic_ns()
        readings.append((after_ns - before_ns, before_ns, wall_ns))
        if after_ns - before_ns < _AT_ONCE_NS:
            break
    _, monotonic_ns, wall_ns = min(readings)
    return monotonic_ns, wall_ns
