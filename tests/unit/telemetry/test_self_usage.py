import os
import subprocess
import sys

import psutil
import pytest

from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.self_usage import SelfUsage


def nobody() -> int:
    return 0


def test_a_descriptor_more_is_seen() -> None:
    metrics = Metrics()
    usage = SelfUsage(metrics, nobody)
    usage.update()
    before = metrics.get(Metric.OPEN_FDS)
    reader, writer = os.pipe()
    usage.update()
    os.close(reader)
    os.close(writer)
    assert metrics.get(Metric.OPEN_FDS) == before + 2


def test_cpu_and_memory_are_this_process_own_and_its_ended_childrens() -> None:
    metrics = Metrics()
    SelfUsage(metrics, nobody).update()
    assert 0 < metrics.get(Metric.CPU_SECONDS) <= sum(os.times()[:4]) + 0.001
    assert metrics.get(Metric.MEMORY_BYTES) > 1 << 20


def test_a_helpers_cpu_and_what_it_has_for_itself_of_memory_count_too() -> None:
    program = "sum(range(3_000_000)); data = b'x' * (32 << 20); print(flush=True); input()"
    helper = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert helper.stdout is not None
    helper.stdout.readline()
    metrics = Metrics()
    SelfUsage(metrics, nobody).update()
    cpu, memory = metrics.get(Metric.CPU_SECONDS), metrics.get(Metric.MEMORY_BYTES)
    usage = SelfUsage(metrics, lambda: helper.pid)
    usage.update()
    with_helper = metrics.get(Metric.CPU_SECONDS)
    assert with_helper > cpu
    assert metrics.get(Metric.MEMORY_BYTES) > memory + (32 << 20)
    helper.communicate(b"\n")
    SelfUsage(metrics, nobody).update()
    assert metrics.get(Metric.CPU_SECONDS) >= with_helper, "a counter never falls"


@pytest.mark.parametrize("error", [psutil.AccessDenied(1), OSError("no /proc")])
def test_a_figure_that_cannot_be_read_keeps_its_value(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(_process: psutil.Process) -> int:
        raise error

    metrics = Metrics()
    usage = SelfUsage(metrics, nobody)
    usage.update()
    before = metrics.get(Metric.OPEN_FDS)
    monkeypatch.setattr(psutil.Process, "num_fds", refuse)
    usage.update()
    assert metrics.get(Metric.OPEN_FDS) == before


def test_cpu_can_be_asked_for_alone_and_only_grows() -> None:
    usage = SelfUsage(Metrics(), nobody)
    before = usage.cpu_seconds()
    sum(range(2_000_000))
    after = usage.cpu_seconds()
    assert before is not None
    assert after is not None
    assert 0 < before <= after <= sum(os.times()[:4]) + 0.02


def test_cpu_of_a_helper_that_is_gone_cannot_be_told() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert SelfUsage(Metrics(), lambda: gone.pid).cpu_seconds() is None
