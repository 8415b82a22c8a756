import threading
import time
from collections.abc import Sequence

import pytest

from connbeat.clock import SystemClock, read_both


def test_each_answer_is_from_its_own_clock() -> None:
    clock = SystemClock()
    before = time.time_ns(), time.monotonic_ns()
    answers = clock.now_ns(), clock.monotonic_ns()
    after = time.time_ns(), time.monotonic_ns()
    assert all(a <= b <= c for a, b, c in zip(before, answers, after, strict=True))


def test_waiting_ends_with_the_event_and_says_so() -> None:
    event = threading.Event()
    event.set()
    assert SystemClock().wait(event, 3600)


def test_a_wait_of_less_than_nothing_returns_at_once() -> None:
    assert not SystemClock().wait(threading.Event(), -1)


MS = 1_000_000
WALL_AHEAD = 5000 * MS


class InterruptedClock:
    """Loses the processor for so long before each of its readings, one after the other."""

    def __init__(self, pauses_ns: Sequence[int]) -> None:
        self._pauses = list(pauses_ns)
        self._time_ns = 0

    def monotonic_ns(self) -> int:
        self._time_ns += self._pauses.pop(0) if self._pauses else 100
        return self._time_ns

    def now_ns(self) -> int:
        return self.monotonic_ns() + WALL_AHEAD

    def wait(self, event: threading.Event, seconds: float) -> bool:
        raise NotImplementedError


@pytest.mark.parametrize("interrupted", [(0,), (1,), (2,), (1, 4), (2, 3, 7)])
def test_both_clocks_are_of_one_moment_whenever_we_lose_the_processor(
    interrupted: tuple[int, ...],
) -> None:
    pauses = [5 * MS if number in interrupted else 100 for number in range(20)]
    monotonic_ns, wall_ns = read_both(InterruptedClock(pauses))
    assert 0 <= wall_ns - WALL_AHEAD - monotonic_ns < 1000


def test_if_we_always_lose_it_the_shortest_loss_counts_and_the_tries_end() -> None:
    clock = InterruptedClock([9 * MS, 9 * MS, 9 * MS, 9 * MS, 2 * MS, 9 * MS, *[9 * MS] * 100])
    monotonic_ns, wall_ns = read_both(clock)
    assert wall_ns - WALL_AHEAD - monotonic_ns == 2 * MS
    assert clock.monotonic_ns() <= 200 * MS
