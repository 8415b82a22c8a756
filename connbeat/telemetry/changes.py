"""The numbers in the log: what changed since the last line, and the totals at the end."""

import logging
from collections.abc import Sequence

import msgspec

from connbeat.telemetry.metrics import Kind, Metrics, Sample

_log = logging.getLogger(__name__)


def changes(before: Sequence[Sample], after: Sequence[Sample]) -> tuple[Sample, ...]:
    """The counters that grew, by how much, and the gauges that are not 0, in the order of `after`.

    What is in `before` only, or did not change, is left out. A histogram's numbers are counters.
    """
    old = {_key(sample): sample.value for sample in before}
    found = []
    for sample in after:
        kind = sample.metric.value.kind
        value = sample.value - (0 if kind is Kind.GAUGE else old.get(_key(sample), 0))
        if value and kind is not Kind.INFO:
            found.append(msgspec.structs.replace(sample, value=value))
    return tuple(found)


def render(samples: Sequence[Sample]) -> str:
    """`name=value` or `name{label="value"}=value`, the names those of `/metrics`."""
    return " ".join(f"{_name(sample)}={_number(sample.value)}" for sample in samples)


class MetricsLog:
    """Writes the line every Beat writes. One thread calls it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._before: tuple[Sample, ...] = ()

    def write_changes(self, seconds: float) -> None:
        """What changed since the last call, of which `seconds` have passed."""
        after = self._metrics.samples()
        found = changes(self._before, after)
        self._before = after
        if found:
            _log.info("Non-zero metrics in the last %gs: %s", seconds, render(found))
        else:
            _log.info("No non-zero metrics in the last %gs.", seconds)

    def write_totals(self, uptime_seconds: float) -> None:
        """Everything since the start; the agent's last words."""
        _log.info("Total non-zero metrics: %s", render(changes((), self._metrics.samples())))
        _log.info("Uptime: %.3fs", uptime_seconds)


def _key(sample: Sample) -> tuple[object, ...]:
    return sample.metric, sample.labels, sample.suffix


def _name(sample: Sample) -> str:
    info = sample.metric.value
    name = info.name + sample.suffix
    labels = ",".join(
        f'{label}="{value}"' for label, value in zip(info.labels, sample.labels, strict=True)
    )
    return f"{name}{{{labels}}}" if labels else name


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.3f}"
