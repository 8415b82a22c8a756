"""Nanoseconds to RFC 3339 in UTC."""

import time
from collections.abc import Callable

#: Texts kept for the next moment that has them, before all are let go of.
_MAX_TEXTS = 1024


class TimestampFormatter:
    """Formats a moment once and reuses it, as well as its second: much happens together.

    At 4,000 short connections/s a millisecond has eight ends, and 0.14 us do instead of 0.35. Not
    thread-safe.
    """

    def __init__(self, digits: int = 3) -> None:
        """`digits` of the second's fraction: 3, or up to 9."""
        self._unit_ns = 10 ** (9 - digits)
        self._units = 10**digits
        self._digits = digits
        self._seconds = _Texts(_second)
        self._texts = _Texts(self._text)

    def format(self, epoch_ns: int) -> str:
        """`2026-11-23T10:00:02.123Z`; cut, not rounded, so that no event lies in the future."""
        return self._texts[epoch_ns // self._unit_ns]

    def _text(self, moment: int) -> str:
        second, rest = divmod(moment, self._units)
        return f"{self._seconds[second]}{rest:0{self._digits}d}Z"


class _Texts(dict[int, str]):
    """Made where they are missing. `functools.lru_cache` takes a third longer to find one."""

    def __init__(self, make: Callable[[int], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: int) -> str:
        if len(self) >= _MAX_TEXTS:
            self.clear()
        text = self[key] = self._make(key)
        return text


def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
