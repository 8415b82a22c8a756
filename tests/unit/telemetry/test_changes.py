import logging

import pytest

from connbeat.telemetry.changes import MetricsLog, changes, render
from connbeat.telemetry.metrics import Metric, Metrics, Sample


def test_counters_show_what_they_grew_by_and_gauges_what_they_are() -> None:
    before = (
        Sample(Metric.POLLS, (), 10),
        Sample(Metric.CONNECTIONS, (), 7),
        Sample(Metric.LISTENERS, (), 7),
        Sample(Metric.WALKS, (), 3),
    )
    after = (
        Sample(Metric.POLLS, (), 25),
        Sample(Metric.WALKS, (), 3),
        Sample(Metric.CONNECTIONS, (), 7),
        Sample(Metric.LISTENERS, (), 0),
        Sample(Metric.EVENTS_DELIVERED, ("file",), 4),
    )
    assert changes(before, after) == (
        Sample(Metric.POLLS, (), 15),
        Sample(Metric.CONNECTIONS, (), 7),
        Sample(Metric.EVENTS_DELIVERED, ("file",), 4),
    )


def test_a_histogram_shows_what_it_grew_by_and_a_constant_nothing() -> None:
    before = (Sample(Metric.BATCH_SECONDS, ("file",), 2, "_count"),)
    after = (
        Sample(Metric.BATCH_SECONDS, ("file",), 5, "_count"),
        Sample(Metric.BATCH_SECONDS, ("file",), 0.25, "_sum"),
        Sample(Metric.BUILD, ("1.0", "3.11"), 1),
    )
    assert render(changes(before, after)) == (
        'connbeat_output_batch_seconds_count{output="file"}=3'
        ' connbeat_output_batch_seconds_sum{output="file"}=0.250'
    )


def test_labels_tell_numbers_apart() -> None:
    before = (Sample(Metric.EVENTS_DELIVERED, ("file",), 4),)
    after = (*before, Sample(Metric.EVENTS_DELIVERED, ("console",), 4))
    assert changes(before, after) == (after[1],)


def test_numbers_are_written_as_in_metrics_and_never_rounded_to_thousands() -> None:
    text = render(
        (
            Sample(Metric.EVENTS_DROPPED, ("file", "queue_full"), 1_234_567.0),
            Sample(Metric.CPU_SECONDS, (), 0.12345),
        )
    )
    assert text == (
        'connbeat_output_events_dropped_total{output="file",reason="queue_full"}=1234567'
        " connbeat_cpu_seconds_total=0.123"
    )


def test_the_line_covers_what_happened_since_the_last(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    metrics = Metrics()
    log = MetricsLog(metrics)
    metrics.add(Metric.POLLS, 15)
    log.write_changes(30)
    metrics.add(Metric.POLLS, 1)
    log.write_changes(30)
    log.write_changes(30)
    log.write_totals(90.5)
    assert [record.getMessage() for record in caplog.records] == [
        "Non-zero metrics in the last 30s: connbeat_polls_total=15",
        "Non-zero metrics in the last 30s: connbeat_polls_total=1",
        "No non-zero metrics in the last 30s.",
        "Total non-zero metrics: connbeat_polls_total=16",
        "Uptime: 90.500s",
    ]
