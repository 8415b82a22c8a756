import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.dates import date_format

NOON = int(dt.datetime(2026, 1, 3, 12, 4, 5, 999_000, dt.UTC).timestamp() * 1e9)
MIDNIGHT = int(dt.datetime(2026, 11, 23, 0, 0, 0, 0, dt.UTC).timestamp() * 1e9)


@pytest.mark.parametrize(
    ("pattern", "noon", "midnight"),
    [
        ("yyyy.MM.dd", "2026.01.03", "2026.11.23"),
        ("YYYY-M-d", "2026-1-3", "2026-11-23"),
        ("yy", "26", "26"),
        ("xxxx'W'ww'-'e", "2026W01-6", "2026W48-1"),
        ("DDD", "003", "327"),
        ("E EEEE", "Sat Saturday", "Mon Monday"),
        ("MMM MMMM", "Jan January", "Nov November"),
        ("HH:mm:ss", "12:04:05", "00:00:00"),
        ("h a K k", "12 PM 0 12", "12 AM 0 24"),
        ("'o''clock' ''", "o'clock '", "o'clock '"),
        ("'T'HH", "T12", "T00"),
    ],
)
def test_the_letters_are_joda_s(pattern: str, noon: str, midnight: str) -> None:
    render = date_format(pattern)
    assert render(NOON) == noon
    assert render(MIDNIGHT) == midnight


@pytest.mark.parametrize("pattern", ["", "S", "yyyy.Z", "'a", "G"])
def test_what_libbeat_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="found"):
        date_format(pattern)


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999_999))
def test_every_second_is_its_own(second: int, nanoseconds: int) -> None:
    render = date_format("yyyy-MM-dd'T'HH:mm:ss'+00:00'")
    render(second * 10**9 - 1 if second else 0)
    text = render(second * 10**9 + nanoseconds)
    assert dt.datetime.fromisoformat(text).timestamp() == second
