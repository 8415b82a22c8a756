from connbeat.agent.monitoring.numbers import Numbers
from connbeat.queue.drops import QUEUE_FULL
from connbeat.telemetry.metrics import Metric, Metrics


def filled() -> Numbers:
    metrics = Metrics()
    metrics.add(Metric.EVENTS_DELIVERED, 2, output="a")
    metrics.add(Metric.EVENTS_DELIVERED, 3, output="b")
    metrics.add(Metric.EVENTS_DROPPED, 5, output="a", reason=QUEUE_FULL)
    metrics.add(Metric.EVENTS_DROPPED, 7, output="a", reason="refused")
    metrics.add(Metric.EVENTS_DROPPED, 11, output="b", reason="refused")
    metrics.observe(Metric.BATCH_SECONDS, 0.25, output="a")
    metrics.set(Metric.COVERAGE, 0.123456789)
    metrics.set(Metric.BUILD, 1, version="1", python_version="3")
    metrics.add(Metric.OWNERS_UNKNOWN, 4, reason="exited")
    return Numbers(metrics)


def test_sums_are_over_all_labels_or_those_of_one_output() -> None:
    numbers = filled()
    assert numbers.of(Metric.EVENTS_DELIVERED) == 5
    assert numbers.of(Metric.EVENTS_DELIVERED, "b") == 3
    assert numbers.of(Metric.EVENTS_DELIVERED, "c") == 0
    assert numbers.of(Metric.BATCH_SECONDS, None, "_count") == 1
    assert numbers.values(Metric.EVENTS_DELIVERED) == [2, 3]
    assert numbers.value(Metric.COVERAGE) == 0.123457
    assert numbers.by_label(Metric.OWNERS_UNKNOWN) == {"exited": 4}


def test_what_a_queue_gave_up_is_told_apart_from_what_an_output_did() -> None:
    numbers = filled()
    assert numbers.drops(None, by_queue=True) == 5
    assert numbers.drops(None, by_queue=False) == 18
    assert numbers.drops("a", by_queue=False) == 7
    assert numbers.reasons("a") == {QUEUE_FULL: 5, "refused": 7}


def test_every_number_has_the_name_it_has_elsewhere() -> None:
    named = filled().named()
    assert named["connbeat_output_events_dropped_total"] == {
        "a": {QUEUE_FULL: 5, "refused": 7},
        "b": {"refused": 11},
    }
    assert named["connbeat_output_batch_seconds_count"] == {"a": 1}
    assert named["connbeat_output_batch_seconds_sum"] == {"a": 0.25}
    assert named["connbeat_coverage"] == 0.123457
    assert "connbeat_build_info" not in named
