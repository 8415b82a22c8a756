"""How long to wait for a cluster, and in which pieces. Pure."""

from collections.abc import Iterator


def turns(seconds: float, first_seconds: float = 0.5) -> Iterator[float]:
    """Pieces of the time, each twice as long as the last.

    Between two pieces one can hear what went wrong meanwhile; and a cluster that is slow to answer
    gets a piece that is long enough.
    """
    piece = first_seconds
    while seconds > 0:
        yield min(piece, seconds)
        seconds -= piece
        piece *= 2


class Patience:
    """Whether nothing has moved for too long."""

    def __init__(self, seconds: float, now_ns: int) -> None:
        self._limit_ns = int(seconds * 1e9)
        self._moved_ns = now_ns
        self._left = -1

    def is_over(self, left: int, now_ns: int) -> bool:
        """`left` is what is being waited for: a change is progress."""
        if left != self._left:
            self._left = left
            self._moved_ns = now_ns
        return now_ns - self._moved_ns >= self._limit_ns
