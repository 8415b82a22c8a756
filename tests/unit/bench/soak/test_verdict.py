import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.soak.verdict import Sample, growth_percent, judge, warm_up_seconds

SECONDS = 900


def sample(seconds: float, rss_mb: float = 40.0, descriptors: int = 20) -> Sample:
    return Sample(seconds, rss_mb, rss_mb * (1 + seconds), descriptors, 5, 0, 0, 1.0, 0.0)


def soak(*sizes: tuple[float, float]) -> list[Sample]:
    """A sample every five seconds; from each of the given seconds on, of that size."""
    return [
        sample(float(second), [mb for start, mb in sizes if start <= second][-1])
        for second in range(0, SECONDS + 1, 5)
    ]


def test_memory_that_grows_before_the_warm_up_ends_only_is_flat() -> None:
    assert judge(sample(0), soak((0, 30.0), (180, 60.0)), sample(930)).faults == ()


def test_memory_that_grew_by_five_percent_after_the_warm_up_fails() -> None:
    verdict = judge(sample(0), soak((0, 40.0), (600, 42.0)), sample(930))
    assert verdict.growth_percent == pytest.approx(5)
    assert verdict.faults == ("memory grew by 5.0 % after the warm-up",)


def test_a_share_of_pages_that_grows_because_others_end_is_no_growth() -> None:
    samples = soak((0, 40.0))
    assert samples[-1].pss_mb > samples[0].pss_mb
    assert judge(sample(0), samples, sample(930)).faults == ()


def test_a_single_peak_is_no_growth() -> None:
    samples = soak((0, 40.0))
    samples[-2] = sample(samples[-2].seconds, 80.0)
    assert judge(sample(0), samples, sample(930)).faults == ()


def test_descriptors_that_stay_open_when_all_containers_are_gone_fail() -> None:
    samples = soak((0, 40.0))
    assert judge(sample(0), samples, sample(930, descriptors=25)).faults == ()
    verdict = judge(sample(0), samples, sample(930, descriptors=26))
    assert verdict.spare_descriptors == 6
    assert "6 descriptors more" in verdict.faults[0]


@pytest.mark.parametrize("samples", [[], [sample(0), sample(600)]])
def test_too_few_samples_are_no_verdict(samples: list[Sample]) -> None:
    with pytest.raises(ValueError, match="samples"):
        growth_percent(samples)


@given(st.floats(10, 100_000))
def test_the_warm_up_is_three_minutes_at_most_and_leaves_most_of_the_time(whole: float) -> None:
    assert 0 < warm_up_seconds(whole) <= min(180.0, whole / 5)
