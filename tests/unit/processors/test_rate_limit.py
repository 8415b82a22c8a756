import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.processors import rate_limit
from tests.unit.processors.trying import Trial, faults_of


def passed(trial: Trial, count: int, **fields: object) -> int:
    return sum(trial({"a": 1, **fields}) is not None for _ in range(count))


def test_as_many_as_the_limit_at_once_and_then_as_many_a_second() -> None:
    trial = Trial("- rate_limit.limit: 10/s")
    assert passed(trial, 100) == 10
    assert len(trial.accounts.drops) == 90
    trial.services.clock.advance(0.5)
    assert passed(trial, 100) == 5
    trial.services.clock.advance(3600)
    assert passed(trial, 100) == 10, "what was not used is not saved up"


@pytest.mark.parametrize(("limit", "seconds"), [("60/m", 1), ("3600/h", 1), ("2.5/s", 0.4)])
def test_the_unit_may_be_a_minute_or_an_hour(limit: str, seconds: float) -> None:
    trial = Trial(f"- rate_limit.limit: {limit}")
    passed(trial, 4000)
    trial.services.clock.advance(seconds + 1e-6)
    assert passed(trial, 10) == 1


def test_each_value_of_the_fields_has_its_own() -> None:
    trial = Trial("- rate_limit: {limit: 3/s, fields: [ip, port]}")
    assert passed(trial, 9, ip="a", port=1) == 3
    assert passed(trial, 9, ip="a", port=2) == 3
    assert passed(trial, 9, ip="b") == 3
    assert passed(trial, 9, ip="a", port=1) == 0


def test_values_seen_long_ago_are_forgotten_where_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "_MOST_BUCKETS", 2)
    trial = Trial("- rate_limit: {limit: 1/h, fields: [ip]}")
    assert [passed(trial, 1, ip=ip) for ip in "aabacb"] == [1, 0, 1, 0, 1, 1]


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=40))
def test_never_more_than_the_bucket_and_what_flowed_into_it(gaps: list[float]) -> None:
    trial = Trial("- rate_limit.limit: 4/s")
    went = 0
    for gap in gaps:
        trial.services.clock.advance(gap)
        went += passed(trial, 3)
    assert went <= 4 + 4 * sum(gaps) + 1e-6


@pytest.mark.parametrize("limit", ["5", "5/d", "0/s", "-1/s", "x/s", "[5/s]", "0.5/s"])
def test_what_is_no_rate_is_refused(limit: str) -> None:
    assert list(faults_of(f"- rate_limit.limit: {limit}")) == ["0.rate_limit.limit"]
