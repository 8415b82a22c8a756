"""A tracker told as a story: at second t this was in the tables, and this is what it said.

story = Story()
assert story.poll(0, WEB) == ["ongoing 0.0.0.0:80"]
assert story.poll(2, WEB, CALL) == ["opened 10.0.0.1:5000 > 10.0.0.2:80"]
"""

from collections.abc import Collection, Iterable, Sequence

from connbeat.connections.plans import PlanPolicy
from connbeat.connections.teller import Volume
from connbeat.connections.tracker import Tracker, TrackerPolicy
from connbeat.model.addresses import format_ip
from connbeat.model.connections import (
    Address,
    ConnectionReport,
    FourTuple,
    ListenerReport,
    Report,
    Step,
    SummaryReport,
)
from connbeat.model.processes import Attribution, Process, UnknownReason, Wanted
from connbeat.model.sockets import Socket, SocketSnapshot
from connbeat.telemetry.metrics import Metrics
from tests.builders import SECOND, FakeContainers, owned, snapshot

AGGREGATION = 30


class Story:
    """The tracker and its world: whoever holds inode n is process n unless `owners` differs.

    `undecided` are inodes nobody has an answer for yet, `ended` pids that are no more.
    `translated` is what the kernel says of connections that are translated, `lookups` those it was
    asked for. `asked` is what the tracker wanted to know at the last poll, `reports` what it said
    but for its `summaries`.
    """

    def __init__(
        self,
        *,
        limit: int = 1000,
        own_pid: int = 0,
        with_host: bool = True,
        aggregation: float = AGGREGATION,
        containers: FakeContainers | None = None,
        plan: PlanPolicy | None = None,
        volume: Volume | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self.owners: dict[int, Attribution] = {}
        self.undecided: set[int] = set()
        self.ended: set[int] = set()
        self.asked: list[Wanted] = []
        self.translated: dict[FourTuple, Address] = {}
        self.lookups: list[FourTuple] = []
        self.reports: list[Step] = []
        self.summaries: list[SummaryReport] = []
        policy = TrackerPolicy(
            id_prefix="h",
            plan=plan or PlanPolicy(interval_ns=int(aggregation * SECOND)),
            max_connections=limit,
            own_pid=own_pid,
            with_host=with_host,
        )
        self.tracker = Tracker(
            policy,
            containers or FakeContainers(),
            self,
            self.metrics,
            translator=self,
            volume=volume,
        )

    def current(self, process: Process, _now_ns: int) -> Process | None:
        return None if process.pid in self.ended else process

    def real_remotes(self, asked: Sequence[FourTuple]) -> list[Address | None]:
        self.lookups += asked
        return [self.translated.get(ends) for ends in asked]

    def poll(
        self,
        second: float,
        *tables: Socket | SocketSnapshot,
        gone: Collection[int] = (),
        is_last: bool = False,
    ) -> list[str]:
        """One poll. Loose rows are the complete table of the host's namespace."""
        now_ns = int((second + 1) * SECOND)
        rows = tuple(table for table in tables if isinstance(table, Socket))
        snapshots = [table for table in tables if isinstance(table, SocketSnapshot)]
        if rows or not (snapshots or gone):
            snapshots.insert(0, snapshot(*rows))
        for table in snapshots:
            self.tracker.fold(
                SocketSnapshot(table.netns, table.source, now_ns, table.sockets, table.is_complete)
            )
        for netns in gone:
            self.tracker.forget(netns, now_ns)
        self.asked = self.tracker.unattributed()
        self.tracker.attribute(
            {
                (wanted.netns, wanted.inode): self._owner(wanted.inode)
                for wanted in self.asked
                if wanted.inode not in self.undecided
            }
        )
        found = list(self.tracker.report(now_ns, is_last=is_last))
        self.reports = steps(found)
        self.summaries = [one for one in found if isinstance(one, SummaryReport)]
        return [told(report) for report in found]

    def _owner(self, inode: int) -> Attribution:
        if not inode:
            return Attribution(UnknownReason.NO_INODE, None)
        return self.owners.get(inode) or owned(inode)

    @property
    def report(self) -> Step:
        """The only report of the last poll."""
        (only,) = self.reports
        return only

    @property
    def connection(self) -> ConnectionReport:
        """The only connection's report of the last poll, listeners aside."""
        (only,) = (one for one in self.reports if isinstance(one, ConnectionReport))
        return only

    def of(self, text: str) -> ConnectionReport:
        """The report of the last poll that `poll` showed as this."""
        (only,) = (one for one in self.reports if told(one) == text)
        assert isinstance(only, ConnectionReport)
        return only


def steps(reports: Iterable[Report]) -> list[Step]:
    """All but the summaries."""
    return [one for one in reports if not isinstance(one, SummaryReport)]


def told(report: Report) -> str:
    if isinstance(report, SummaryReport):
        there = format_ip(report.remote_ip) if report.remote_ip else "*"
        return f"summary {report.direction} {report.local_port} {there}:{report.remote_port}"
    if isinstance(report, ListenerReport):
        return f"{report.kind} {format_ip(report.ip)}:{report.port}"
    local = f"{format_ip(report.local_ip)}:{report.local_port}"
    return f"{report.kind} {local} > {format_ip(report.remote_ip)}:{report.remote_port}"
