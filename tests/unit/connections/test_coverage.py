"""What was taken up against what the kernel counted."""

from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.coverage import Coverage, Covered

A, B = 4026531840, 4026532178


def test_a_namespace_from_before_the_agent_counts_from_its_first_reading() -> None:
    coverage = Coverage()
    coverage.read({A: 1000}, [A, B])
    coverage.take_up(A)
    coverage.take_up(A)
    coverage.read({A: 1002}, [A, B])
    assert coverage.of(A) == Covered(2, 2)
    assert coverage.total().share == 1.0


def test_what_was_taken_up_before_the_first_reading_does_not_hide_the_base() -> None:
    coverage = Coverage()
    coverage.take_up(A)
    coverage.read({A: 1000}, [A, B])
    coverage.read({A: 1004}, [A, B])
    assert coverage.of(A) == Covered(1, 4)


def test_a_namespace_that_came_later_counts_from_nothing() -> None:
    coverage = Coverage()
    coverage.read({A: 5}, [A])
    coverage.take_up(B)
    coverage.read({A: 5, B: 2}, [A, B])
    assert coverage.of(B) == Covered(1, 2)
    assert coverage.lowest() == 0.5
    assert coverage.total() == Covered(1, 2)


def test_more_than_was_read_is_no_more_than_all_and_hides_no_loss_elsewhere() -> None:
    coverage = Coverage()
    coverage.read({A: 0, B: 0}, [A, B])
    for _ in range(10):
        coverage.take_up(A)
    coverage.read({A: 5, B: 5}, [A, B])
    assert coverage.of(A).share == 1.0
    assert coverage.of(B).share == 0.0
    assert coverage.total().share == 0.5


def test_a_namespace_that_is_gone_is_unknown_and_not_complete() -> None:
    coverage = Coverage()
    coverage.read({A: 0, B: 0}, [A, B])
    coverage.take_up(B)
    coverage.forget(B)
    coverage.forget(B)
    assert coverage.unknown == 1
    assert coverage.of(B) == Covered(0, 0)
    assert coverage.lowest() == 1.0


def test_a_namespace_that_lived_between_two_readings_is_unknown_and_none_that_gets_its_inode() -> (
    None
):
    coverage = Coverage()
    coverage.read({A: 0}, [A])
    coverage.take_up(B)
    coverage.read({A: 0}, [A])
    assert coverage.of(B) == Covered(1, 0), "it may have come after the list of what is there"
    coverage.read({A: 0}, [A])
    assert (coverage.unknown, coverage.of(B)) == (1, Covered(0, 0))
    coverage.read({A: 0, B: 4}, [A, B])
    assert coverage.of(B) == Covered(0, 4)


def test_what_comes_late_of_a_namespace_that_is_gone_is_not_another_ones() -> None:
    coverage = Coverage()
    coverage.read({A: 0, B: 0}, [A, B])
    coverage.forget(B)
    coverage.take_up(B)
    coverage.read({A: 0, B: 3}, [A, B])
    coverage.take_up(B)
    assert (coverage.unknown, coverage.of(B)) == (1, Covered(1, 3))


def test_a_namespace_from_before_the_agent_that_is_read_late_counts_from_then() -> None:
    coverage = Coverage()
    coverage.read({A: 5}, [A, B])
    coverage.read({A: 5}, [A, B])
    coverage.read({A: 5, B: 1000}, [A, B])
    assert coverage.of(B) == Covered(0, 0)
    coverage.read({A: 5, B: 1003}, [A, B])
    assert coverage.of(B) == Covered(0, 3)


def test_a_counter_that_cannot_be_read_for_once_takes_nothing_back() -> None:
    coverage = Coverage()
    coverage.read({A: 0}, [A, B])
    coverage.read({A: 7}, [A, B])
    coverage.read({}, [A, B])
    coverage.read({A: 0}, [A, B])  # the file without the line
    assert coverage.of(A) == Covered(0, 7)


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 9), st.integers(0, 9))))
def test_a_share_is_between_nothing_and_all(steps: list[tuple[int, int, int]]) -> None:
    coverage = Coverage()
    opens = {A: 0, B: 0}
    coverage.read(opens, opens)
    for netns, taken, opened in steps:
        for _ in range(taken):
            coverage.take_up(netns)
        opens[netns] += opened
        coverage.read(opens, opens)
    for share in (coverage.total().share, coverage.lowest()):
        assert 0.0 <= share <= 1.0
    if all(coverage.of(netns).taken >= coverage.of(netns).opens for netns in (A, B)):
        assert coverage.total().share == coverage.lowest() == 1.0
