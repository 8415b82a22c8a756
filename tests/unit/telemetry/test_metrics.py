import re
import threading

import pytest

from connbeat.telemetry.metrics import Kind, Metric, Metrics


def test_counters_add_up_and_gauges_are_the_present() -> None:
    metrics = Metrics()
    metrics.add(Metric.POLLS)
    metrics.add(Metric.POLLS, 2)
    metrics.set(Metric.CONNECTIONS, 7)
    metrics.set(Metric.CONNECTIONS, 5)
    assert (metrics.get(Metric.POLLS), metrics.get(Metric.CONNECTIONS)) == (3, 5)


def test_labels_keep_numbers_apart_and_the_total_joins_them() -> None:
    metrics = Metrics()
    metrics.add(Metric.EVENTS_DROPPED, 2, output="file", reason="full")
    metrics.add(Metric.EVENTS_DROPPED, 3, reason="full", output="console")
    assert metrics.get(Metric.EVENTS_DROPPED, output="console", reason="full") == 3
    assert metrics.total(Metric.EVENTS_DROPPED) == 5


def test_what_was_never_counted_is_nothing() -> None:
    assert Metrics().get(Metric.DUMPS, source="inet_diag") == 0
    assert Metrics().samples() == ()


@pytest.mark.parametrize("labels", [{}, {"output": "x", "reason": "y"}, {"reason": "x"}])
def test_labels_other_than_the_catalogue_s_are_a_bug_that_shows(labels: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        Metrics().add(Metric.EVENTS_DELIVERED, **labels)


def test_samples_come_in_the_order_of_the_catalogue() -> None:
    metrics = Metrics()
    metrics.set(Metric.OPEN_FDS, 4)
    metrics.add(Metric.DUMPS, source="proc_net_tcp")
    metrics.add(Metric.DUMPS, source="inet_diag")
    metrics.add(Metric.POLLS)
    found = [(sample.metric, sample.labels) for sample in metrics.samples()]
    assert found == [
        (Metric.POLLS, ()),
        (Metric.DUMPS, ("inet_diag",)),
        (Metric.DUMPS, ("proc_net_tcp",)),
        (Metric.OPEN_FDS, ()),
    ]


def test_a_histogram_counts_what_is_up_to_each_limit_the_limit_itself_included() -> None:
    metrics = Metrics()
    for value in (0.001, 0.005, 0.006, 31):
        metrics.observe(Metric.BATCH_SECONDS, value, output="x")
    (one,) = metrics.histograms()
    limits = Metric.BATCH_SECONDS.value.limits
    assert dict(zip(limits, one.counts, strict=True)) == {
        limit: 2 if limit == 0.005 else 3 for limit in limits
    }
    assert one.count == 4
    assert one.sum == pytest.approx(31.012)


def test_a_histogram_is_two_samples_in_its_place() -> None:
    metrics = Metrics()
    metrics.observe(Metric.BATCH_SECONDS, 2, output="x")
    metrics.add(Metric.POLLS)
    metrics.set(Metric.OPEN_FDS, 4)
    found = [(one.metric, one.suffix, one.value) for one in metrics.samples()]
    assert found == [
        (Metric.POLLS, "", 1),
        (Metric.BATCH_SECONDS, "_count", 1),
        (Metric.BATCH_SECONDS, "_sum", 2),
        (Metric.OPEN_FDS, "", 4),
    ]


def test_no_count_is_lost_between_threads() -> None:
    metrics = Metrics()

    def count() -> None:
        for _ in range(1000):
            metrics.add(Metric.POLLS)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.get(Metric.POLLS) == 4000


@pytest.mark.parametrize("metric", Metric)
def test_a_name_says_what_prometheus_wants_it_to_say(metric: Metric) -> None:
    info = metric.value
    assert re.fullmatch(r"connbeat(_[a-z]+)+", info.name)
    assert info.name.endswith("_total") == (info.kind is Kind.COUNTER)
    assert info.name.endswith("_info") == (info.kind is Kind.INFO)
    assert not info.name.endswith(("_count", "_sum", "_bucket", "_ms", "_mb", "_percent"))
    assert list(info.limits) == sorted(set(info.limits))
    assert bool(info.limits) == (info.kind is Kind.HISTOGRAM)
    assert info.help.endswith(".")


def test_no_name_stands_twice() -> None:
    names = [metric.value.name for metric in Metric]
    assert len(set(names)) == len(names)
