import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.outputs.kafka.patience import Patience, turns

SECOND = 1_000_000_000


@given(st.floats(min_value=0.001, max_value=3600))
def test_the_pieces_are_the_whole_time_and_grow(seconds: float) -> None:
    pieces = list(turns(seconds))
    assert sum(pieces) == pytest.approx(seconds)
    assert pieces[:-1] == sorted(pieces[:-1])
    assert len(pieces) < 20


def test_a_slow_cluster_gets_a_long_piece() -> None:
    assert list(turns(10.0)) == [0.5, 1.0, 2.0, 4.0, 2.5]


def test_patience_ends_where_nothing_moves() -> None:
    patience = Patience(30.0, 0)
    assert not patience.is_over(5, 29 * SECOND)
    assert not patience.is_over(5, 58 * SECOND)
    assert patience.is_over(5, 59 * SECOND)


def test_progress_renews_it() -> None:
    patience = Patience(30.0, 0)
    assert not any(patience.is_over(100 - second, second * SECOND) for second in range(90))
