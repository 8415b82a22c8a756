import threading
import time

from connbeat.clock import SystemClock


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
