"""When the agent has to shed detail, and when it may return to it. Pure.

It sheds where it used more than its share of CPU over the period, or where the kernel had no room
for what it told. It returns after a time of calm: nothing lost, and less than half of the share
used, for in summaries a connection costs 60 % of what it does singly, and to return at the limit
would be to come back at once. If it has to come back soon all the same, the next time of calm is
twice as long.
"""

from collections import deque

import msgspec

from connbeat.model.connections import SummaryReason

_CALM_SHARE = 0.5
_LONGEST_CALM = 16


class BudgetPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`share` is CPU seconds a second, over `period_ns`."""

    share: float
    period_ns: int
    calm_ns: int


class CpuBudget:
    """Mutable, one owner. `used` is the share of the last period, None before one is over."""

    def __init__(self, policy: BudgetPolicy) -> None:
        self._policy = policy
        self._readings: deque[tuple[int, float]] = deque()
        self._reason: SummaryReason | None = None
        self._calm_ns = policy.calm_ns
        self._calm_since_ns: int | None = None
        self._returned_ns: int | None = None
        self.used: float | None = None

    def step(self, now_ns: int, cpu_seconds: float, *, is_overrun: bool) -> SummaryReason | None:
        """Why to shed from now on; None if there is no need.

        `cpu_seconds` is all that was used so far, `is_overrun` is about the time since the last
        step.
        """
        self.used = self._measure(now_ns, cpu_seconds)
        if self._reason is None:
            self._enter(now_ns, is_overrun=is_overrun)
        elif self._is_calm(now_ns, is_overrun=is_overrun):
            self._reason, self._returned_ns = None, now_ns
        return self._reason

    def _measure(self, now_ns: int, cpu_seconds: float) -> float | None:
        """The oldest reading kept is the youngest that is a whole period old."""
        readings = self._readings
        readings.append((now_ns, cpu_seconds))
        while len(readings) > 1 and now_ns - readings[1][0] >= self._policy.period_ns:
            readings.popleft()
        began_ns, before = readings[0]
        if now_ns - began_ns < self._policy.period_ns:
            return None
        return (cpu_seconds - before) / ((now_ns - began_ns) / 1e9)

    def _enter(self, now_ns: int, *, is_overrun: bool) -> None:
        if is_overrun:
            self._reason = SummaryReason.BUFFER_OVERRUN
        elif self.used is not None and self.used > self._policy.share:
            self._reason = SummaryReason.CPU_BUDGET
        else:
            return
        self._calm_since_ns = None
        returned_ns = self._returned_ns
        if returned_ns is not None and now_ns - returned_ns < 2 * self._calm_ns:
            self._calm_ns = min(2 * self._calm_ns, _LONGEST_CALM * self._policy.calm_ns)
        else:
            self._calm_ns = self._policy.calm_ns

    def _is_calm(self, now_ns: int, *, is_overrun: bool) -> bool:
        """Whether it has been for long enough."""
        is_low = self.used is not None and self.used < _CALM_SHARE * self._policy.share
        if is_overrun or not is_low:
            self._calm_since_ns = None
            return False
        if self._calm_since_ns is None:
            self._calm_since_ns = now_ns
        return now_ns - self._calm_since_ns >= self._calm_ns
