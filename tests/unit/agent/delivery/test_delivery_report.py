import logging

import pytest

from connbeat.agent.delivery.delivery_report import DeliveryCounts, DeliveryReport, Failure
from connbeat.errors import Transient
from connbeat.model.batches import Drop, Outcome
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock, batch, event, events


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def report(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> DeliveryReport:
    caplog.set_level(logging.INFO)
    return DeliveryReport("out", metrics, FakeClock())


def test_trouble_is_said_once_and_its_end_once(
    report: DeliveryReport, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    report.worked()
    for _ in range(5):
        report.failed(Failure.TRANSIENT, Transient("disk full"))
    report.worked()
    report.worked()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "The output takes no events; they wait. output=out error=disk full"),
        ("INFO", "The output takes events again. output=out"),
    ]
    assert metrics.get(Metric.OUTPUT_FAILURES, output="out", kind="transient") == 5


def test_trouble_of_another_kind_is_news(
    report: DeliveryReport, caplog: pytest.LogCaptureFixture
) -> None:
    report.failed(Failure.TRANSIENT, Transient("disk full"))
    report.failed(Failure.UNEXPECTED, RuntimeError("a bug"))
    report.failed(Failure.UNEXPECTED, RuntimeError("a bug"))
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert caplog.records[1].exc_info is not None


def test_every_event_is_counted_and_every_reason_said_once(
    report: DeliveryReport, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    drops = (
        Drop(event(7), "too_large", "1 MiB"),
        Drop(event(8), "refused", "400"),
        Drop(event(9), "refused", "400"),
    )
    for _ in range(2):
        report.settled(Outcome(events(3), events(2, first=3), drops))
    assert report.counts() == DeliveryCounts(delivered=6, retried=4, dropped=6)
    assert metrics.get(Metric.EVENTS_DROPPED, output="out", reason="refused") == 4
    assert [record.getMessage() for record in caplog.records] == [
        "Events were given up and are lost. output=out reason=too_large count=1 detail=1 MiB",
        "Events were given up and are lost. output=out reason=refused count=2 detail=400",
    ]


def test_the_counts_are_those_of_one_output(report: DeliveryReport, metrics: Metrics) -> None:
    metrics.add(Metric.EVENTS_DELIVERED, 5, output="other")
    metrics.add(Metric.EVENTS_DROPPED, 2, output="out", reason="queue_full")
    assert report.counts() == DeliveryCounts(delivered=0, retried=0, dropped=2)


def test_what_is_on_its_way_is_seen_and_how_long_it_took_is_kept() -> None:
    metrics, clock = Metrics(), FakeClock()
    report = DeliveryReport("out", metrics, clock)
    report.sending(batch(event(1, b"12345"), event(2, b"123")))
    assert metrics.get(Metric.EVENTS_IN_FLIGHT, output="out") == 2
    assert metrics.get(Metric.SENT_BYTES, output="out") == 8
    clock.advance(2)
    report.sent()
    assert metrics.get(Metric.EVENTS_IN_FLIGHT, output="out") == 0
    (one,) = metrics.histograms()
    assert (one.count, one.sum) == (1, 2)


def test_an_output_tries_from_its_first_failure_or_batch_until_something_gets_through() -> None:
    clock = FakeClock()
    report = DeliveryReport("out", Metrics(), clock)
    seen = [report.trying_since_ns]
    report.sending(batch(event(1)))
    clock.advance(5)
    report.failed(Failure.TRANSIENT, Transient("refused"))
    report.sent()
    clock.advance(5)
    report.sending(batch(event(1)))
    seen.append(report.trying_since_ns)
    report.worked()
    seen.append(report.trying_since_ns)
    report.failed(Failure.TRANSIENT, Transient("refused"))
    seen.append(report.trying_since_ns)
    assert seen == [None, clock.monotonic - 10 * 10**9, None, clock.monotonic]


def test_what_an_output_did_nothing_of_yet_is_nought_and_not_unknown() -> None:
    metrics = Metrics()
    DeliveryReport("out", metrics, FakeClock())
    found = {sample.metric: sample.value for sample in metrics.samples()}
    assert found == {Metric.EVENTS_DELIVERED: 0, Metric.EVENTS_RETRIED: 0}
