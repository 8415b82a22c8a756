import logging

import pytest

from connbeat.queue.drops import DISK_FULL, QUEUE_FULL, Drops
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock


def test_every_drop_is_counted_and_each_reason_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    drops = Drops(logging.getLogger("connbeat.test"), metrics, FakeClock())
    with caplog.at_level(logging.ERROR):
        for output, reason in (("a", QUEUE_FULL), ("b", QUEUE_FULL), ("a", DISK_FULL)):
            for _ in range(100):
                drops.count(output, reason, 2)
    assert metrics.get(Metric.EVENTS_DROPPED, output="a", reason=QUEUE_FULL) == 200
    assert metrics.total(Metric.EVENTS_DROPPED) == 600
    assert [record.getMessage().partition(". ")[2] for record in caplog.records] == [
        "output=a reason=queue_full count=2 total=2",
        "output=b reason=queue_full count=2 total=2",
        "output=a reason=disk_full count=2 total=2",
    ]


def test_no_drop_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    Drops(logging.getLogger("connbeat.test"), metrics, FakeClock()).count("a", QUEUE_FULL, 0)
    assert not caplog.records
    assert not metrics.samples()
