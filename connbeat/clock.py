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
