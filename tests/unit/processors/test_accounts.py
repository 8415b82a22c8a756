import logging

import pytest

from connbeat.processors.accounts import ChainAccounts
from connbeat.processors.protocol import ProcessorFailed
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock


def test_failures_are_counted_and_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    metrics, clock = Metrics(), FakeClock()
    accounts = ChainAccounts(metrics, clock)
    for number in range(50):
        accounts.failed("convert a", ProcessorFailed(f"no {number}"))
    accounts.failed("rename", ProcessorFailed("no field x"))
    assert metrics.get(Metric.PROCESSOR_FAILURES, processor="convert a") == 50
    assert [record.getMessage() for record in caplog.records] == [
        "A processor failed; the event goes on without it. processor=convert a error=no 0",
        "A processor failed; the event goes on without it. processor=rename error=no field x",
    ]
    clock.advance(301)
    accounts.failed("convert a", ProcessorFailed("again"))
    assert caplog.messages[-1].endswith("error=again suppressed=49")


def test_of_a_bug_the_traceback_is_told_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ChainAccounts(Metrics(), FakeClock()).failed("dns", KeyError("x"))
    assert caplog.records[0].exc_info
    assert "error=KeyError: 'x'" in caplog.messages[1]


def test_dropped_events_are_counted_by_processor() -> None:
    metrics = Metrics()
    accounts = ChainAccounts(metrics, FakeClock())
    accounts.filtered("drop_event")
    assert metrics.get(Metric.PROCESSOR_FILTERED, processor="drop_event") == 1
