"""The metrics in Prometheus' text format, through its own client library.

The library is an extra (`connbeat[metrics]`) and 4 MB of memory: import this module on use.
"""

from collections.abc import Iterable, Iterator
from typing import cast

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.utils import floatToGoString

from connbeat.telemetry.metrics import Histogram, Kind, Metric, Metrics, Sample

CONTENT_TYPE: str = CONTENT_TYPE_PLAIN_0_0_4


def expose(metrics: Metrics) -> bytes:
    """Everything that is known now; counters without labels that never counted are 0."""
    return generate_latest(cast(CollectorRegistry, _Collector(metrics)))


class _Collector:
    """What the library asks of a registry, without one: nothing is kept between two scrapes."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Family]:
        values: dict[Metric, list[Sample]] = {metric: [] for metric in Metric}
        for sample in self._metrics.samples():
            values[sample.metric].append(sample)
        histograms = self._metrics.histograms()
        for metric, samples in values.items():
            info = metric.value
            if info.kind is Kind.HISTOGRAM:
                found = [one for one in histograms if one.metric is metric]
                yield from _histogram(metric, found)
            elif info.kind is Kind.COUNTER:
                yield from _counter(metric, samples)
            elif samples:
                yield _filled(GaugeMetricFamily(info.name, info.help, labels=info.labels), samples)


def _counter(metric: Metric, samples: list[Sample]) -> Iterator[Family]:
    info = metric.value
    samples = samples if samples or info.labels else [Sample(metric, (), 0)]
    if samples:
        yield _filled(CounterMetricFamily(info.name, info.help, labels=info.labels), samples)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, samples: Iterable[Sample]) -> Family:
    for sample in samples:
        family.add_metric(_texts(sample.labels), sample.value)
    return family


def _histogram(metric: Metric, found: list[Histogram]) -> Iterator[Family]:
    info = metric.value
    if not found:
        return
    family = HistogramMetricFamily(info.name, info.help, labels=info.labels)
    for one in found:
        counts = zip(map(floatToGoString, info.limits), one.counts, strict=True)
        buckets = [*counts, ("+Inf", one.count)]
        family.add_metric(_texts(one.labels), buckets, one.sum)
    yield family


def _texts(labels: Iterable[str]) -> list[str]:
    """Labels that UTF-8 can say: one that it cannot must not cost the whole page."""
    return [label.encode("utf-8", "backslashreplace").decode() for label in labels]
