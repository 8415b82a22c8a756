"""Shedding: the agent watches what it uses itself, and says so where it changes what it tells."""

import logging
from collections.abc import Callable

from connbeat.agent.cpu_budget import BudgetPolicy, CpuBudget
from connbeat.capture.execs import ExecSource
from connbeat.config.schema import ConnbeatConfig
from connbeat.model.connections import SummaryReason
from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.self_usage import SelfUsage

log = logging.getLogger(__name__)

_LOOK_EVERY_NS = 1_000_000_000


class Shedding:
    """Looks at the CPU once a second, and where something was lost.

    The capture thread calls it, at every turn.
    """

    def __init__(
        self, policy: BudgetPolicy, cpu_seconds: Callable[[], float | None], metrics: Metrics
    ) -> None:
        self._policy = policy
        self._budget = CpuBudget(policy)
        self._cpu_seconds = cpu_seconds
        self._metrics = metrics
        self._looked_ns = 0
        self._is_overrun = False
        self._reason: SummaryReason | None = None

    def step(self, now_ns: int, *, is_overrun: bool) -> SummaryReason | None:
        """Why to tell everything in summaries from now on; None if there is no need."""
        self._is_overrun |= is_overrun
        since_ns = now_ns - self._looked_ns
        if since_ns < _LOOK_EVERY_NS and not is_overrun:
            return self._reason
        cpu_seconds = self._cpu_seconds()
        if cpu_seconds is None:
            return self._reason
        if self._reason is not None:
            self._metrics.add(Metric.SHEDDING_SECONDS, since_ns / 1e9)
        self._looked_ns = now_ns
        before = self._reason
        self._reason = self._budget.step(now_ns, cpu_seconds, is_overrun=self._is_overrun)
        self._is_overrun = False
        if self._reason is not before:
            self._tell()
        return self._reason

    def _tell(self) -> None:
        reason, used = self._reason, 100 * (self._budget.used or 0)
        self._metrics.set(Metric.SHEDDING, int(reason is not None))
        self._metrics.add(Metric.SHEDDING_CHANGES, to=reason or "calm")
        if reason is None:
            log.info("Calm again: connections are told singly from now on. cpu=%.1f%%", used)
            return
        log.warning(
            "Connections are told in summaries from now on, nothing of them is lost but detail. "
            "reason=%s cpu=%.1f%% cpu_budget=%.1f%%",
            reason,
            used,
            100 * self._policy.share,
        )


def build_shedding(
    config: ConnbeatConfig, execs: ExecSource | None, metrics: Metrics
) -> Shedding | None:
    """None without a budget."""
    if not config.cpu_budget:
        return None
    usage = SelfUsage(metrics, lambda: execs.pid if execs is not None else 0)
    policy = BudgetPolicy(
        share=config.cpu_budget / 100,
        period_ns=int(config.cpu_budget_period_seconds * 1e9),
        calm_ns=int(config.cpu_budget_calm_seconds * 1e9),
    )
    return Shedding(policy, usage.cpu_seconds, metrics)
