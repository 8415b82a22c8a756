"""Nanoseconds to RFC 3339 in UTC."""

import time

_MILLISECONDS = tuple(f"{number:03d}Z" for number in range(1000))


class TimestampFormatter:
    """Formats the second once and reuses it: events come in the order of time. Not thread-safe."""

    def __init__(self, digits: int = 3) -> None:
        """`digits` of the second's fraction: 3, or up to 9."""
        self._digits = digits
        self._second = -1
        self._prefix = ""
        self._last_ns = -1
        self._last = ""

    def format(self, epoch_ns: int) -> str:
        """`2026-11-23T10:00:02.123Z`; cut, not rounded, so that no event lies in the future."""
        if epoch_ns == self._last_ns:  # all that goes on is told of at one moment
            return self._last
        second, rest = divmod(epoch_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        self._last_ns = epoch_ns
        if self._digits == 3:
            self._last = self._prefix + _MILLISECONDS[rest // 1_000_000]
        else:
            self._last = f"{self._prefix}{rest:09d}"[: self._digits - 9 or None] + "Z"
        return self._last
