"""How many events go into one window. Pure.

With `slow_start` a new connection begins with few, and every window that is acknowledged in time
allows more; one that is not, fewer: a server that is slow, or that chokes on one event, is not sent
the same two thousand again and again.
"""

_FIRST = 10
_GROWTH = 1.5


class WindowSize:
    """The size of the next window. One output owns it."""

    def __init__(self, max_events: int, *, slow_start: bool = False) -> None:
        self._max = max_events
        self._is_adaptive = slow_start
        self.events = min(_FIRST, max_events) if slow_start else max_events

    def succeeded(self, count: int) -> None:
        """A window of `count` was acknowledged; a small one says nothing about larger ones."""
        if self._is_adaptive and count >= self.events:
            self.events = min(self._max, int(self.events * _GROWTH) + 1)

    def failed(self) -> None:
        if self._is_adaptive:
            self.events = max(1, self.events // 2)
