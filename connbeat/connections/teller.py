"""Teller: what becomes of a step of a life: a report of its own, a number in a summary, or nothing.

Nothing becomes of the agent's own connections and of those that are not to be told of.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from connbeat.connections.accounts import Account
from connbeat.connections.life import Life
from connbeat.connections.plans import Describe, Plan, PlanPolicy, Plans
from connbeat.connections.reports import ReportMaker, failure_of
from connbeat.connections.summaries import Summaries
from connbeat.model.connections import (
    Address,
    EventKind,
    Party,
    Step,
    SummaryReason,
    SummaryReport,
)
from connbeat.model.processes import Process
from connbeat.model.traces import Trace
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

_CLOSED, _FAILED = EventKind.CLOSED, EventKind.FAILED
_CONFIGURED = SummaryReason.CONFIGURED


class TellerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is told and how often.

    `own_pid` is left out (0: nothing is); `with_host` false is what belongs to a container only.
    """

    plan: PlanPolicy
    own_pid: int
    with_host: bool


class Volume(msgspec.Struct, frozen=True):
    """What it takes to tell less. Without `summaries` every connection is told singly, always."""

    describe: Describe = lambda _: {}
    summaries: Summaries | None = None


class Teller:
    """Mutable, owned by the tracker. `told` has what was told since `begin`, by kind."""

    def __init__(
        self, maker: ReportMaker, policy: TellerPolicy, volume: Volume, metrics: Metrics
    ) -> None:
        self._maker = maker
        self._describe = volume.describe
        self._policy = policy
        self._plans = Plans(policy.plan, volume.describe)
        self._summaries = volume.summaries
        self._metrics = metrics
        self._shed: SummaryReason | None = None
        self._has_shed = False
        self.told: Counter[EventKind] = Counter()
        self._counted: Counter[EventKind] = Counter()

    def set_policy(self, policy: TellerPolicy) -> Callable[[Life], int]:
        """From now on. What `interval_ns` answered until now."""
        before = partial(self._interval_ns, self._plans)
        self._policy = policy
        self._plans = Plans(policy.plan, self._describe)
        return before

    def shed(self, reason: SummaryReason | None) -> None:
        """From here on everything is told in summaries, for this reason; None: not any more."""
        self._shed = reason
        self._has_shed = self._has_shed or reason is not None

    def begin(self, now_ns: int) -> None:
        """A new turn."""
        self._maker.begin(now_ns)
        self.told.clear()
        self._counted.clear()
        if self._summaries is not None:
            self._summaries.begin(now_ns)

    def interval_ns(self, life: Life) -> int:
        """When the life is to be told of again, from now; 0 for never."""
        return self._interval_ns(self._plans, life)

    def tell(self, life: Life, kind: EventKind) -> Step | None:
        """The report; None where there is none."""
        try:
            if self._summaries is None or life.is_listener:
                return self._heard(self._maker.report(life, kind))
            return self._weigh(self._summaries, life, kind)
        except Exception:  # one bad report must not cost the rest of the poll
            log.exception("A report could not be made.")
            self._metrics.add(Metric.REPORTS_FAILED)
            return None

    def tell_failed(self, trace: Trace, nat: Address | None) -> Step | None:
        try:
            if self._summaries is not None and self._is_counted(self._summaries, trace):
                return None
            return self._heard(self._maker.failed(trace, nat))
        except Exception:  # as above
            log.exception("A report could not be made.")
            self._metrics.add(Metric.REPORTS_FAILED)
            return None

    def summaries(self, now_ns: int, *, is_last: bool) -> Iterator[SummaryReport]:
        """Those that are due. To be taken to its end."""
        if self._summaries is None:
            return
        is_over = self._has_shed and self._shed is None
        self._has_shed = self._shed is not None
        yield from self._summaries.flush(
            now_ns, self._policy.plan.summary_ns, is_all=is_over or is_last
        )

    def measure(self) -> None:
        """Put what was told into the metrics."""
        for metric, counts in (
            (Metric.REPORTS, self.told),
            (Metric.SUMMARISED, self._counted),
        ):
            for kind, count in counts.items():
                self._metrics.add(metric, count, kind=kind)

    def _interval_ns(self, plans: Plans, life: Life) -> int:
        plan = plans.default or plans.of(self._maker.party(life))
        return plan.summary_ns if plan.summary_ns and not life.is_listener else plan.interval_ns

    def _weigh(self, summaries: Summaries, life: Life, kind: EventKind) -> Step | None:
        plan = self._plans.default
        if plan is not None and self._reason(plan) is None:  # the rule, where there is a budget
            return self._tell_singly(life, kind)
        party = self._maker.party(life)
        reason = self._reason(plan or self._plans.of(party))
        if reason is None:
            return self._tell_singly(life, kind)
        if self._is_told(party):
            summaries.take(life, kind, party, reason)
            self._count(party, kind)
        return None

    def _is_counted(self, summaries: Summaries, trace: Trace) -> bool:
        """Whether summaries tell of the failed connect."""
        party = self._maker.party_of(trace)
        reason = self._reason(self._plans.default or self._plans.of(party))
        if reason is None:
            return False
        if self._is_told(party):
            summaries.take_failed(trace, failure_of(trace), party, reason)
            self._count(party, _FAILED)
        return True

    def _tell_singly(self, life: Life, kind: EventKind) -> Step | None:
        """A report of its own, of a life that summaries may have told of or will."""
        report = self._heard(self._maker.report(life, kind))
        account = life.account
        if report is None or (account is None and kind is _CLOSED):
            return report
        if account is None:
            account = life.account = Account()
        summarised = account.tell_singly(life.socket.counters)
        if summarised is None:
            return report
        return msgspec.structs.replace(report, summarised=summarised)

    def _reason(self, plan: Plan) -> SummaryReason | None:
        return _CONFIGURED if plan.summary_ns else self._shed

    def _heard(self, report: Step) -> Step | None:
        """The report, if anybody is to hear of it."""
        party = report.local
        if not self._is_told(party):
            return None
        self.told[report.kind] += 1
        if not isinstance(party.owner, Process):
            self._metrics.add(Metric.OWNERS_UNKNOWN, reason=party.owner)
        return report

    def _count(self, party: Party, kind: EventKind) -> None:
        self._counted[kind] += 1
        if not isinstance(party.owner, Process):
            self._metrics.add(Metric.OWNERS_UNKNOWN, reason=party.owner)

    def _is_told(self, party: Party) -> bool:
        owner = party.owner
        if isinstance(owner, Process) and owner.pid == self._policy.own_pid:
            return False
        return self._policy.with_host or party.container is not None
