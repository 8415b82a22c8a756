import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.events.timestamps import TimestampFormatter

#: The years that a host's clock may have, a dead battery included.
MOMENTS = st.integers(0, 4_000_000_000 * 10**9)


@given(st.lists(MOMENTS, max_size=5))
def test_a_moment_reads_back_as_itself_cut_to_the_millisecond(moments: list[int]) -> None:
    formatter = TimestampFormatter()
    for moment in moments:
        text = formatter.format(moment)
        read = dt.datetime.fromisoformat(text)
        assert text.endswith("Z")
        assert len(text) == len("2026-11-23T10:00:02.123Z")
        since = read - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        assert since // dt.timedelta(milliseconds=1) == moment // 1_000_000


def test_there_is_an_end_to_the_moments_that_are_kept() -> None:
    formatter = TimestampFormatter()
    for second in range(3000):
        assert formatter.format(second * 10**9)[14:19] == f"{second // 60:02d}:{second % 60:02d}"
    assert len(formatter._texts) <= 1024 >= len(formatter._seconds)


def test_no_event_lies_in_the_future() -> None:
    assert TimestampFormatter().format(1_999_999_999) == "1970-01-01T00:00:01.999Z"


@pytest.mark.parametrize(
    ("digits", "text"),
    [
        (3, "1970-01-01T00:00:01.002Z"),
        (6, "1970-01-01T00:00:01.002003Z"),
        (9, "1970-01-01T00:00:01.002003004Z"),
    ],
)
def test_the_precision_can_be_chosen(digits: int, text: str) -> None:
    assert TimestampFormatter(digits).format(1_002_003_004) == text
