import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.outputs.file.rotation import MAX_FILES, Rotation, count_fitting, plan_shift


def after(names: set[str], number_of_files: int) -> set[str]:
    """The names after the steps were done one by one."""
    names = set(names)
    shift = plan_shift(names, "connbeat", number_of_files)
    names -= set(shift.removals)
    for old, new in shift.renames:
        assert old in names
        assert new not in names, "a file would be overwritten"
        names.remove(old)
        names.add(new)
    return names


def test_every_file_moves_up_by_one() -> None:
    assert after({"connbeat", "connbeat.1", "connbeat.2"}, 7) == {
        "connbeat.1",
        "connbeat.2",
        "connbeat.3",
    }


def test_the_file_that_is_written_to_counts_as_one() -> None:
    assert after({"connbeat", "connbeat.1"}, 2) == {"connbeat.1"}


def test_a_smaller_number_of_files_removes_those_beyond() -> None:
    names = {"connbeat"} | {f"connbeat.{number}" for number in range(1, 10)}
    assert after(names, 3) == {"connbeat.1", "connbeat.2"}


def test_a_gap_stays_a_gap() -> None:
    assert after({"connbeat", "connbeat.2"}, 7) == {"connbeat.1", "connbeat.3"}


@pytest.mark.parametrize(
    "name",
    [
        "connbeat.20261123",
        "connbeat.01",
        "connbeat.0",
        "connbeat.x",
        "connbeat.1.gz",
        "other.1",
        "connbeat.\u0663",
        f"connbeat.{MAX_FILES}",
    ],
)
def test_files_that_are_not_ours_are_left_alone(name: str) -> None:
    assert after({"connbeat", name}, 2) == {"connbeat.1", name}


@given(st.sets(st.integers(1, MAX_FILES - 1), max_size=30), st.integers(2, MAX_FILES))
def test_never_more_files_than_allowed(numbers: set[int], number_of_files: int) -> None:
    left = after({"connbeat"} | {f"connbeat.{number}" for number in numbers}, number_of_files)
    assert "connbeat" not in left
    assert "connbeat.1" in left
    assert len(left) < number_of_files


@pytest.mark.parametrize("size", [0, 1, 60, 100, 101])
def test_as_many_lines_fit_as_there_is_room_for(size: int) -> None:
    ends = [10, 20, 30, 40]
    assert count_fitting(ends, 0, size, 100) == min(4, max(0, (100 - size) // 10))


def test_what_was_written_already_takes_no_room_again() -> None:
    assert count_fitting([60, 120, 150], 1, 0, 100) == 2


def test_an_empty_file_takes_a_line_larger_than_the_limit() -> None:
    assert count_fitting([500, 510], 0, 0, 100) == 1
    assert count_fitting([500, 510], 0, 1, 100) == 0


@pytest.mark.parametrize("wrong", [1, 1025])
def test_a_number_of_files_out_of_range_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="from 2 to 1024"):
        Rotation(number_of_files=wrong)


def test_a_file_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes"):
        Rotation(max_bytes=0)
