import os

import psutil
import pytest

from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.self_usage import SelfUsage


def test_a_descriptor_more_is_seen() -> None:
    metrics = Metrics()
    usage = SelfUsage(metrics)
    usage.update()
    before = metrics.get(Metric.OPEN_FDS)
    reader, writer = os.pipe()
    usage.update()
    os.close(reader)
    os.close(writer)
    assert metrics.get(Metric.OPEN_FDS) == before + 2


def test_cpu_and_memory_are_this_process_own() -> None:
    metrics = Metrics()
    SelfUsage(metrics).update()
    assert 0 < metrics.get(Metric.CPU_SECONDS) <= sum(os.times()[:2])
    assert metrics.get(Metric.MEMORY_BYTES) > 1 << 20


@pytest.mark.parametrize("error", [psutil.AccessDenied(1), OSError("no /proc")])
def test_a_figure_that_cannot_be_read_keeps_its_value(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(_process: psutil.Process) -> int:
        raise error

    metrics = Metrics()
    usage = SelfUsage(metrics)
    usage.update()
    before = metrics.get(Metric.OPEN_FDS)
    monkeypatch.setattr(psutil.Process, "num_fds", refuse)
    usage.update()
    assert metrics.get(Metric.OPEN_FDS) == before
