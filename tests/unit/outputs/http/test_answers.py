import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.outputs.http.answers import (
    Answer,
    Meaning,
    describe,
    meaning_of,
    retry_after_seconds,
)

NOW = 1_795_428_000_000_000_000  # 2026-11-23T10:00:00Z


@pytest.mark.parametrize(
    ("meaning", "statuses"),
    [
        (Meaning.TAKEN, [200, 201, 202, 204]),
        (Meaning.REFUSED, [400, 409, 410, 415, 422]),
        (Meaning.TOO_LARGE, [413]),
        (Meaning.LATER, [408, 425, 429, 500, 502, 503, 504, 507]),
        (Meaning.MISDIRECTED, [301, 302, 307, 308, 304, 401, 403, 404, 405, 407]),
    ],
)
def test_whose_fault_it_is_decides(meaning: Meaning, statuses: list[int]) -> None:
    assert {meaning_of(Answer(status=status)) for status in statuses} == {meaning}


@given(st.integers(100, 999))
def test_nothing_is_given_up_but_for_a_fault_of_the_event(status: int) -> None:
    if meaning_of(Answer(status=status)) in (Meaning.REFUSED, Meaning.TOO_LARGE):
        assert 400 <= status < 500


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(status=503, text="busy"), "503 busy"),
        (Answer(status=500), "500"),
        (Answer(status=401), "401 the server wants other credentials"),
        (
            Answer(status=302, location="https://h/login"),
            "302, a redirect to https://h/login, which is not followed",
        ),
    ],
)
def test_an_answer_is_described_in_a_line(answer: Answer, text: str) -> None:
    assert describe(answer) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("7", 7),
        ("0", 0),
        ("Mon, 23 Nov 2026 10:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 09:59:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert retry_after_seconds(text, NOW) == seconds


@given(st.text(st.sampled_from("0123456789 :,-+GMTMonNov")))
def test_any_retry_after_is_a_number_that_is_not_negative(text: str) -> None:
    assert retry_after_seconds(text, NOW) >= 0
