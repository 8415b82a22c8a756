"""Summaries: the steps of many lives as one report an interval, for which no step is lost.

Cheap for each step, for that is what it is for: a key, a look-up, a few additions. Every step is
counted once, in the group it belongs to at that moment; what a life moved is counted as the
difference to the step before (`accounts`). Listeners are no part of it.
"""

from collections.abc import Iterator

from connbeat.connections.accounts import Account
from connbeat.connections.groups import Group, GroupTable, Key, who_is
from connbeat.connections.life import Life
from connbeat.model.connections import (
    Direction,
    EventKind,
    Moved,
    Party,
    SummaryReason,
    SummaryReport,
)
from connbeat.model.traces import Trace
from connbeat.telemetry.metrics import Metric, Metrics

_CLOSED = EventKind.CLOSED
_INBOUND, _OUTBOUND = Direction.INBOUND, Direction.OUTBOUND
_CONFIGURED = SummaryReason.CONFIGURED


class Summaries:
    """Mutable, owned by the teller. At most `max_keys` groups and a few, whatever happens."""

    def __init__(self, id_prefix: str, max_keys: int, metrics: Metrics) -> None:
        self._id_prefix = id_prefix
        self._metrics = metrics
        self._groups = GroupTable(max_keys)
        self._began_ns = 0

    def begin(self, now_ns: int) -> None:
        """A turn. The first one begins the first interval."""
        self._began_ns = self._began_ns or now_ns

    def take(self, life: Life, kind: EventKind, party: Party, reason: SummaryReason) -> None:
        """Count a step of a connection."""
        row = life.socket
        direction = life.direction
        container = party.container
        key: Key = (
            who_is(party),
            container.id if container is not None else "",
            life.netns,
            direction,
            reason,
            row.local_port if direction is _INBOUND else None,
            row.remote_ip,
            row.remote_port if direction is _OUTBOUND else None,
        )
        group = self._groups.find(key, party, row.local_ip)
        counters = row.counters
        if counters is not None and counters.rtt_us:
            group.add_rtt(counters.rtt_us)
        account = life.account
        if account is not None:
            account.tell_in(group, counters)
        else:
            is_earlier = _is_from_before(life)
            group.opened += not is_earlier
            if kind is not _CLOSED or is_earlier:
                account = life.account = Account()
                _begin(account, group, life, is_earlier=is_earlier)
            elif counters is not None:
                group.add(counters)
        if kind is _CLOSED:
            _end(group, life)
        elif account is not None:
            account.stay_in(group)

    def take_failed(self, trace: Trace, failure: str, party: Party, reason: SummaryReason) -> None:
        """Count a connect that came to nothing."""
        process, container = trace.process, party.container
        key: Key = (
            who_is(party),
            container.id if container is not None else "",
            process.netns if process is not None else 0,
            _OUTBOUND,
            reason,
            None,
            trace.remote_ip,
            trace.remote_port,
        )
        self._groups.find(key, party, trace.local_ip).add_failure(failure)

    def flush(
        self, now_ns: int, interval_ns: int, *, is_all: bool = False
    ) -> Iterator[SummaryReport]:
        """What there is to tell, if the interval is over or everything is to be told now.

        To be taken to its end. If it is everything, the agent does not shed any more, or stops:
        what is open is then counted in the groups that the user wants, and in no others.
        """
        if not is_all and now_ns - self._began_ns < interval_ns:
            return
        began_ns, self._began_ns = self._began_ns, now_ns
        groups = [group for group in self._groups.take() if not group.is_empty]
        for number, group in enumerate(groups):
            report = self._report(group, began_ns, now_ns, number)
            if group.open and not (is_all and group.key[4] is not _CONFIGURED):
                group.reset()
                self._groups.keep(group)
            yield report
        self._measure(len(groups))

    def _measure(self, told: int) -> None:
        self._metrics.add(Metric.REPORTS, told, kind="summary")
        self._metrics.set(Metric.SUMMARY_GROUPS, len(self._groups))
        for name, count in self._groups.take_folded().items():
            self._metrics.add(Metric.SUMMARY_FOLDED, count, without=name)

    def _report(self, group: Group, began_ns: int, now_ns: int, number: int) -> SummaryReport:
        _, _, netns, direction, reason, local_port, remote_ip, remote_port = group.key
        return SummaryReport(
            id=f"{self._id_prefix}-s{now_ns:x}-{number:x}",
            began_ns=began_ns,
            reported_ns=now_ns,
            netns=netns,
            reason=reason,
            local=group.party,
            local_ip=group.local_ip,
            direction=direction,
            local_port=local_port,
            remote_ip=remote_ip,
            remote_port=remote_port,
            folded=group.folded,
            opened=group.opened,
            closed=group.closed,
            open=group.open,
            failures=tuple(group.failures.items()) if group.failures else (),
            moved=Moved(group.bytes_sent, group.bytes_received, group.retransmits),
            earlier=Moved(*group.earlier) if group.earlier else Moved(),
            durations=group.durations,
            rtts=group.rtts,
        )


def _begin(account: Account, group: Group, life: Life, *, is_earlier: bool) -> None:
    counters = life.socket.counters
    if is_earlier and counters is not None:
        account.tell_earlier_in(group, counters)
    else:
        account.tell_in(group, counters)


def _end(group: Group, life: Life) -> None:
    group.closed += 1
    if life.account is not None:
        life.account.leave()
    if life.opened_ns is not None and life.closed_ns is not None:
        group.add_duration(life.closed_ns - life.opened_ns)


def _is_from_before(life: Life) -> bool:
    """Whether the connection was there before the agent, or nobody can tell."""
    return life.was_here or (life.opened_ns is None and not life.is_table_older)
