import logging

import pytest

from connbeat.outputs.kafka.log_lines import LibrdkafkaLog
from tests.deliveries import FakeClock


def test_complaints_are_warnings_and_rare(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    log = LibrdkafkaLog(clock)
    for number in range(100):
        log.log(logging.ERROR, "%s", "FAIL", "rdkafka#producer-1", f"refused {number}")
    log.log(logging.CRITICAL, "%s", "OTHER", "rdkafka#producer-1", "x")
    clock.advance(60)
    log.log(logging.ERROR, "%s", "FAIL", "rdkafka#producer-1", "refused")
    assert [record.getMessage() for record in caplog.records] == [
        "librdkafka complains. facility=FAIL text=refused 0",
        "librdkafka complains. facility=OTHER text=x",
        "librdkafka complains. facility=FAIL text=refused suppressed=99",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_the_rest_is_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    LibrdkafkaLog(FakeClock()).log(logging.INFO, "%s", "DISCONN", "n", "closed by peer")
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]
