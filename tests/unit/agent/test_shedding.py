import logging

import pytest

from connbeat.agent.cpu_budget import BudgetPolicy
from connbeat.agent.shedding import Shedding, build_shedding
from connbeat.config.schema import ConnbeatConfig
from connbeat.model.connections import SummaryReason
from connbeat.telemetry.metrics import Metric, Metrics
from tests.builders import SECOND

POLICY = BudgetPolicy(share=0.25, period_ns=2 * SECOND, calm_ns=3 * SECOND)


class Machine:
    """What the agent has used so far; None while nobody can say."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.cpu: float | None = 0.0
        self.asked = 0
        self.shedding = Shedding(POLICY, self._cpu_seconds, self.metrics)
        self.now_ns = 100 * SECOND

    def _cpu_seconds(self) -> float | None:
        self.asked += 1
        return self.cpu

    def run(
        self, seconds: float, share: float = 0.0, *, is_overrun: bool = False
    ) -> SummaryReason | None:
        found = None
        for _ in range(int(seconds * 4)):
            self.now_ns += SECOND // 4
            if self.cpu is not None:
                self.cpu += share / 4
            found = self.shedding.step(self.now_ns, is_overrun=is_overrun)
        return found


def test_it_looks_once_a_second() -> None:
    machine = Machine()
    machine.run(10)
    assert machine.asked == 10


def test_it_says_so_when_it_sheds_and_when_it_returns(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    machine = Machine()
    machine.run(3)
    assert machine.run(5, 1.0) is SummaryReason.CPU_BUDGET
    assert machine.metrics.get(Metric.SHEDDING) == 1
    assert machine.run(10) is None
    assert machine.metrics.get(Metric.SHEDDING) == 0
    assert machine.metrics.get(Metric.SHEDDING_CHANGES, to="cpu_budget") == 1
    assert machine.metrics.get(Metric.SHEDDING_CHANGES, to="calm") == 1
    assert 5 < machine.metrics.get(Metric.SHEDDING_SECONDS) < 11
    levels = [(record.levelname, record.getMessage()[:20]) for record in caplog.records]
    assert levels == [("WARNING", "Connections are told"), ("INFO", "Calm again: connecti")]


def test_an_overrun_is_answered_at_once() -> None:
    machine = Machine()
    machine.run(3)
    assert machine.run(0.25, is_overrun=True) is SummaryReason.BUFFER_OVERRUN


def test_an_overrun_is_not_forgotten_while_nobody_can_say_what_is_used() -> None:
    machine = Machine()
    machine.cpu = None
    assert machine.run(0.25, is_overrun=True) is None
    machine.cpu = 1.0
    assert machine.run(1) is SummaryReason.BUFFER_OVERRUN


def test_nothing_changes_while_nobody_can_say_what_is_used() -> None:
    machine = Machine()
    machine.cpu = None
    assert machine.run(5, is_overrun=True) is None


def test_without_a_budget_nobody_looks() -> None:
    assert build_shedding(ConnbeatConfig(), None, Metrics()) is None
    made = build_shedding(ConnbeatConfig(cpu_budget=25.0), None, Metrics())
    assert made is not None
    assert made._policy == BudgetPolicy(share=0.25, period_ns=10 * SECOND, calm_ns=30 * SECOND)
    assert (made._cpu_seconds() or 0) > 0
