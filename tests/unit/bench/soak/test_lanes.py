from hypothesis import given
from hypothesis import strategies as st

from bench.soak.lanes import lives


@given(st.integers(0, 100_000), st.integers(1, 100))
def test_the_containers_of_a_lane_fill_its_time_and_none_lives_too_long(
    whole: int, life: int
) -> None:
    seconds = lives(whole, life)
    assert sum(seconds) == whole
    assert all(0 < one <= life for one in seconds)
