"""Numbers: the metrics of one moment, summed up as a document wants them. Pure."""

from typing import Any

from connbeat.queue.drops import QUEUE_REASONS
from connbeat.telemetry.metrics import Kind, Metric, Metrics, Sample


class Numbers:
    """The numbers of one moment."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._samples: dict[Metric, list[Sample]] = {}
        for sample in metrics.samples():
            self._samples.setdefault(sample.metric, []).append(sample)

    def of(self, metric: Metric, output: str | None = None, suffix: str = "") -> int:
        """The sum over all labels, or over those of one output."""
        found = (
            sample.value
            for sample in self._samples.get(metric, ())
            if sample.suffix == suffix and (output is None or sample.labels[0] == output)
        )
        return int(sum(found))

    def value(self, metric: Metric, **labels: str) -> float:
        return round(self._metrics.get(metric, **labels), 6)

    def values(self, metric: Metric) -> list[float]:
        return [sample.value for sample in self._samples.get(metric, ())]

    def by_label(self, metric: Metric) -> dict[str, int]:
        return {one.labels[0]: int(one.value) for one in self._samples.get(metric, ())}

    def drops(self, output: str | None, *, by_queue: bool) -> int:
        found = (
            one.value
            for one in self._samples.get(Metric.EVENTS_DROPPED, ())
            if output in (None, one.labels[0]) and (one.labels[1] in QUEUE_REASONS) is by_queue
        )
        return int(sum(found))

    def reasons(self, output: str) -> dict[str, int]:
        return {
            one.labels[1]: int(one.value)
            for one in self._samples.get(Metric.EVENTS_DROPPED, ())
            if one.labels[0] == output
        }

    def named(self) -> dict[str, Any]:
        """Name to number, or, with labels, name to label value to ... to number."""
        document: dict[str, Any] = {}
        for samples in self._samples.values():
            for sample in samples:
                _put(document, sample)
        return document


def _put(document: dict[str, Any], sample: Sample) -> None:
    if sample.metric.value.kind is Kind.INFO:
        return
    path = (sample.metric.value.name + sample.suffix, *sample.labels)
    for key in path[:-1]:
        document = document.setdefault(key, {})
    value = sample.value
    document[path[-1]] = int(value) if float(value).is_integer() else round(value, 6)
