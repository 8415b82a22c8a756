"""Verdict: what the samples of a soak say about memory and descriptors. Pure."""

import statistics
from collections.abc import Sequence

import msgspec

#: Growth that is still called flat.
MOST_GROWTH_PERCENT = 5.0
#: Descriptors that may be open at the end beyond those of the start: one dump, one namespace read.
SPARE_DESCRIPTORS = 5
#: How much of the time after the warm-up is compared: the first and the last sixth.
_WINDOWS = 6
_LONGEST_WARM_UP_SECONDS = 180.0


class Sample(msgspec.Struct, frozen=True):
    """The agent at one moment, and the load until then."""

    seconds: float
    rss_mb: float
    pss_mb: float
    descriptors: int
    namespaces: int
    containers: int
    connections_made: int
    coverage: float
    lost: float


class Verdict(msgspec.Struct, frozen=True):
    """`faults` is empty if all is well."""

    growth_percent: float
    spare_descriptors: int
    faults: tuple[str, ...]


def warm_up_seconds(whole_seconds: float) -> float:
    """Three minutes, of a short soak a fifth."""
    return min(_LONGEST_WARM_UP_SECONDS, whole_seconds / 5)


def judge(before: Sample, samples: Sequence[Sample], after: Sample) -> Verdict:
    """`before` any container came, while they came and went, and `after` all of them were gone."""
    growth = growth_percent(samples)
    spare = after.descriptors - before.descriptors
    faults = []
    if growth >= MOST_GROWTH_PERCENT:
        faults.append(f"memory grew by {growth:.1f} % after the warm-up")
    if spare > SPARE_DESCRIPTORS:
        faults.append(f"{spare} descriptors more than before, with every container gone")
    if after.namespaces > before.namespaces:
        faults.append(f"{after.namespaces - before.namespaces} namespaces more than before")
    return Verdict(growth, spare, tuple(faults))


def growth_percent(samples: Sequence[Sample]) -> float:
    """Of the median RSS, from the first part after the warm-up to the last part.

    Not of the PSS: that grows by 4 MB whenever another process of the same Python ends.
    Raises ValueError if there are too few samples to say so.
    """
    if not samples:
        raise ValueError("no samples")
    whole = samples[-1].seconds
    start = warm_up_seconds(whole)
    window = (whole - start) / _WINDOWS
    first = [one.rss_mb for one in samples if start <= one.seconds <= start + window]
    last = [one.rss_mb for one in samples if one.seconds >= whole - window]
    if not first or not last:
        raise ValueError(f"{len(samples)} samples are too few")
    return 100 * (statistics.median(last) / statistics.median(first) - 1)
