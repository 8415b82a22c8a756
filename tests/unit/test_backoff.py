import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.backoff import Backoff


class Highest(random.Random):
    """Draws the upper end: what is left is the cap itself."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_the_cap_doubles_with_every_attempt_until_the_greatest() -> None:
    backoff = Backoff(init_seconds=1, max_seconds=10)
    assert [backoff.delay(attempt, Highest()) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(st.integers(1, 10**9), st.integers())
def test_a_delay_is_between_nothing_and_the_greatest(attempt: int, seed: int) -> None:
    assert 0 <= Backoff().delay(attempt, random.Random(seed)) <= 60


def test_two_agents_do_not_come_back_in_step() -> None:
    delays = {Backoff().delay(5, random.Random(seed)) for seed in range(20)}
    assert len(delays) == 20


@pytest.mark.parametrize(("init", "greatest"), [(0, 1), (-1, 1), (2, 1)])
def test_a_policy_that_makes_no_sense_cannot_be_built(init: float, greatest: float) -> None:
    with pytest.raises(ValueError, match="init_seconds"):
        Backoff(init_seconds=init, max_seconds=greatest)
