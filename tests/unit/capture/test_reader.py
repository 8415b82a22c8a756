"""The reader of all namespaces, on a fake `/proc` and with scripted sock_diag sockets."""

from pathlib import Path

import pytest

from connbeat.capture import reader
from connbeat.capture.ladder import Rung, Standing
from connbeat.capture.reader import CapturePolicy, SnapshotReader
from connbeat.errors import CaptureError, NetnsGone, NotPermitted
from connbeat.linux.diag_socket import DiagSocket
from connbeat.linux.procfs import ProcFs
from connbeat.linux.sock_diag import WITHOUT_TIME_WAIT
from connbeat.model.sockets import SocketSource
from connbeat.model.targets import Target
from connbeat.telemetry.metrics import Metric, Metrics
from tests.proc_tree import ProcTree
from tests.strategies import make_socket
from tests.unit.capture.fakes import FakeDiag

SECOND = 1_000_000_000
ROW = make_socket()
QUIET = ([ROW], 0, False)
AT_DUMP = Standing(Rung.DUMP, "its closes are not heard yet")

PROCESS = """
== {pid}/stat
{pid} (sh) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0 0
== {pid}/net/tcp
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 42 1 0 0
== {pid}/net/tcp6
== {pid}/net/snmp
Tcp: ActiveOpens PassiveOpens
Tcp: {opens} 7
== {pid}/net/sockstat
TCP: inuse 1 orphan 0
== {pid}/net/sockstat6
TCP6: inuse 0
"""

HOST = Target(1, (100,), "", is_host=True)
OTHER = Target(2, (200,), "", is_host=False)
NAMED = Target(3, (), "/run/netns/named", is_host=False)


class FakeWatch:
    """Hears the closes of these namespaces."""

    def __init__(self) -> None:
        self.covered: set[int] = set()
        self.has_transitions = False

    def covers(self, netns: int) -> bool:
        return netns in self.covered

    def standing(self, netns: int) -> Standing:
        if not self.covers(netns):
            return Standing(Rung.DUMP, "its closes are not heard yet")
        return Standing(Rung.TRANSITIONS if self.has_transitions else Rung.CLOSES, "")


class House:
    """A reader, its `/proc`, and the sock_diag sockets it will be given, by namespace."""

    def __init__(self, folder: Path) -> None:
        self.tree = ProcTree(folder)
        for pid in (100, 200):
            self.count(pid, 0)
        self.metrics = Metrics()
        self.watch = FakeWatch()
        self.diags: dict[int, FakeDiag | CaptureError] = {}
        self.opened: list[int] = []

    def count(self, pid: int, opens: int) -> None:
        self.tree.add(PROCESS.format(pid=pid, opens=opens))

    def open_diag(self, target: Target, proc: Path) -> DiagSocket:
        assert proc == self.tree.root
        self.opened.append(target.netns)
        diag = self.diags[target.netns]
        if isinstance(diag, CaptureError):
            raise diag
        return diag.as_diag()

    def reader(self, **policy: object) -> SnapshotReader:
        return SnapshotReader(
            ProcFs(self.tree.root),
            CapturePolicy(**policy),  # type: ignore[arg-type]  # fields by name, for brevity
            self.watch,
            self.metrics,
        )


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    made = House(tmp_path)
    monkeypatch.setattr(reader, "open_diag", made.open_diag)
    return made


# The highest rung


def test_each_namespace_is_dumped_through_a_socket_opened_once(house: House) -> None:
    house.diags = {1: FakeDiag(QUIET), 2: FakeDiag(([], 0, False))}
    snapshots = house.reader()
    first = snapshots.poll([HOST, OTHER], 0)
    second = snapshots.poll([HOST, OTHER], 10 * SECOND)
    assert [s.netns for s in first.snapshots] == [s.netns for s in second.snapshots] == [1, 2]
    assert first.snapshots[0].sockets == (ROW,)
    assert first.snapshots[0].source is SocketSource.INET_DIAG
    assert house.opened == [1, 2]
    assert snapshots.standings() == {1: AT_DUMP, 2: AT_DUMP}
    assert house.metrics.get(Metric.DUMPS, source="inet_diag") == 4
    assert house.metrics.get(Metric.NAMESPACES, rung="dump") == 2
    assert house.metrics.get(Metric.NAMESPACES, rung="procfs") == 0


def test_a_namespace_whose_counters_did_not_change_is_not_dumped(house: House) -> None:
    diag = FakeDiag(QUIET)
    house.diags = {2: diag}
    snapshots = house.reader()
    assert len(snapshots.poll([OTHER], 0).snapshots) == 1
    poll = snapshots.poll([OTHER], SECOND)
    assert (poll.snapshots, poll.gone) == ((), ())
    assert house.metrics.get(Metric.DUMPS_SKIPPED) == 1
    house.count(200, opens=1)
    assert len(snapshots.poll([OTHER], 2 * SECOND).snapshots) == 1
    assert len(snapshots.poll([OTHER], 12 * SECOND).snapshots) == 1
    assert diag.dumps == 3


def test_an_incomplete_dump_is_made_up_for_at_the_next_poll(house: House) -> None:
    diag = FakeDiag(*[([ROW], 0, True)] * 4, QUIET)
    house.diags = {2: diag}
    snapshots = house.reader()
    assert [s.is_complete for s in snapshots.poll([OTHER], 0).snapshots] == [False]
    assert house.metrics.get(Metric.DUMPS_INTERRUPTED) == 1
    assert [s.is_complete for s in snapshots.poll([OTHER], SECOND).snapshots] == [True]


def test_a_change_during_the_dump_opens_the_gate(house: House) -> None:
    class Busy(FakeDiag):
        def dump(self, states: int = 0xFFF) -> tuple[list[object], int, bool]:  # type: ignore[override]  # rows do not matter here
            house.count(200, opens=self.dumps + 1)
            return super().dump(states)  # type: ignore[return-value]  # as above

    house.diags = {2: Busy(QUIET)}
    snapshots = house.reader()
    for second in range(3):
        assert len(snapshots.poll([OTHER], second * SECOND).snapshots) == 1


def test_malformed_rows_are_counted(house: House) -> None:
    house.diags = {2: FakeDiag(([ROW], 3, False))}
    (snapshot,) = house.reader().poll([OTHER], 0).snapshots
    assert snapshot.malformed == 3
    assert house.metrics.get(Metric.ROWS_MALFORMED) == 3


# Falling and climbing


def test_a_namespace_that_may_not_be_entered_is_read_from_its_tables(house: House) -> None:
    house.diags = {1: FakeDiag(QUIET), 2: NotPermitted("setns needs CAP_SYS_ADMIN")}
    snapshots = house.reader()
    poll = snapshots.poll([HOST, OTHER], 0)
    assert [s.source for s in poll.snapshots] == [SocketSource.INET_DIAG, SocketSource.PROC_NET_TCP]
    assert [row.inode for row in poll.snapshots[1].sockets] == [42]
    assert snapshots.standings()[2] == Standing(Rung.PROCFS, "setns needs CAP_SYS_ADMIN")
    house.count(200, opens=1)
    snapshots.poll([HOST, OTHER], 5 * SECOND)
    assert house.opened == [1, 2], "the kernel is not asked again at every poll"


def test_a_namespace_climbs_when_the_capability_was_given(house: House) -> None:
    house.diags = {2: NotPermitted("no")}
    snapshots = house.reader()
    snapshots.poll([OTHER], 0)
    house.diags = {2: FakeDiag(QUIET)}
    (snapshot,) = snapshots.poll([OTHER], 60 * SECOND).snapshots
    assert snapshot.source is SocketSource.INET_DIAG
    assert snapshots.standings()[2] == AT_DUMP


def test_a_failed_dump_is_made_up_from_the_tables_with_a_new_socket_next_time(
    house: House,
) -> None:
    broken, whole = FakeDiag(CaptureError("timed out")), FakeDiag(QUIET)
    house.diags = {2: broken}
    snapshots = house.reader()
    (snapshot,) = snapshots.poll([OTHER], 0).snapshots
    assert snapshot.source is SocketSource.PROC_NET_TCP
    assert broken.is_closed, "its state is unknown: half a dump may still come"
    assert snapshots.standings()[2].rung is Rung.DUMP
    house.diags = {2: whole}
    (snapshot,) = snapshots.poll([OTHER], 10 * SECOND).snapshots
    assert snapshot.source is SocketSource.INET_DIAG


def test_the_configuration_can_forbid_the_higher_rung(house: House) -> None:
    snapshots = house.reader(highest=Rung.PROCFS)
    (snapshot,) = snapshots.poll([OTHER], 0).snapshots
    assert snapshot.source is SocketSource.PROC_NET_TCP
    assert house.opened == []


# Namespaces that go, or cannot be read


def test_a_namespace_that_is_no_target_any_more_is_gone_and_its_socket_closed(
    house: House,
) -> None:
    diag = FakeDiag(QUIET)
    house.diags = {1: FakeDiag(QUIET), 2: diag}
    snapshots = house.reader()
    snapshots.poll([HOST, OTHER], 0)
    assert snapshots.poll([HOST], SECOND).gone == (2,)
    assert diag.is_closed, "an open socket would keep the namespace alive"
    assert snapshots.poll([HOST], 2 * SECOND).gone == ()
    assert snapshots.standings().keys() == {1}


def test_a_namespace_that_vanishes_while_it_is_read_is_gone_and_costs_no_other(
    house: House,
) -> None:
    house.diags = {1: FakeDiag(QUIET), 2: NetnsGone("no way is left")}
    poll = house.reader().poll([OTHER, HOST], 0)
    assert [s.netns for s in poll.snapshots] == [1]
    assert poll.gone == (2,)
    assert house.metrics.total(Metric.DUMPS_FAILED) == 0, "it is normal"


def test_a_namespace_whose_last_process_ends_before_its_table_is_read_is_gone(
    house: House,
) -> None:
    house.tree.end(200)
    poll = house.reader(highest=Rung.PROCFS).poll([OTHER, HOST], 0)
    assert [s.netns for s in poll.snapshots] == [1]
    assert poll.gone == (2,)


@pytest.mark.parametrize(
    "why", [NotPermitted("setns needs CAP_SYS_ADMIN"), CaptureError("too many open files")]
)
def test_a_namespace_without_a_process_that_cannot_be_dumped_is_unread_and_not_gone(
    house: House, why: CaptureError
) -> None:
    """Gone would mean that all its connections closed. There is no table without a process."""
    house.diags = {3: FakeDiag(QUIET, CaptureError("timed out"))}
    snapshots = house.reader()
    assert len(snapshots.poll([NAMED], 0).snapshots) == 1
    house.diags[3] = why
    for second in range(1, 5):
        poll = snapshots.poll([NAMED], second * SECOND)
        assert (poll.snapshots, poll.gone) == ((), ())
    assert house.metrics.total(Metric.DUMPS_FAILED) == 4
    assert snapshots.standings()[3] == Standing(Rung.PROCFS, str(why))


def test_a_namespace_without_a_process_is_dumped_at_every_poll(house: House) -> None:
    """Its counters can be read through a process alone."""
    house.diags = {3: FakeDiag(QUIET)}
    snapshots = house.reader()
    for second in range(3):
        assert len(snapshots.poll([NAMED], second * SECOND).snapshots) == 1


def test_an_error_of_one_namespace_costs_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CaptureError("the disk of /proc is on fire")

    house.diags = {1: FakeDiag(QUIET), 2: NotPermitted("no")}
    monkeypatch.setattr(reader, "read_tables", fail)
    poll = house.reader().poll([OTHER, HOST], 0)
    assert [s.netns for s in poll.snapshots] == [1]
    assert poll.gone == ()
    assert house.metrics.get(Metric.DUMPS_FAILED, reason="CaptureError") == 1


def test_close_lets_every_namespace_go(house: House) -> None:
    diags = FakeDiag(QUIET), FakeDiag(QUIET)
    house.diags = {1: diags[0], 2: diags[1]}
    snapshots = house.reader()
    snapshots.poll([HOST, OTHER], 0)
    snapshots.close()
    assert [diag.is_closed for diag in diags] == [True, True]
    assert snapshots.standings() == {}


# Counters and stand-ins


def test_the_counters_are_read_through_another_process_when_the_first_has_ended(
    house: House,
) -> None:
    diag = FakeDiag(QUIET)
    house.diags = {2: diag}
    target = Target(2, (4711, 200), "", is_host=False)
    snapshots = house.reader()
    snapshots.poll([target], 0)
    snapshots.poll([target], SECOND)
    assert diag.dumps == 1


@pytest.mark.parametrize("missing", ["net/snmp", "net/sockstat"])
def test_without_counters_every_poll_dumps(house: House, missing: str) -> None:
    diag = FakeDiag(QUIET)
    house.diags = {2: diag}
    house.tree.remove(f"200/{missing}")
    snapshots = house.reader()
    for second in range(3):
        snapshots.poll([OTHER], second * SECOND)
    assert diag.dumps == 3


def test_a_kernel_without_ipv6_has_counters_all_the_same(house: House) -> None:
    diag = FakeDiag(QUIET)
    house.diags = {2: diag}
    house.tree.remove("200/net/sockstat6")
    snapshots = house.reader()
    snapshots.poll([OTHER], 0)
    snapshots.poll([OTHER], SECOND)
    assert diag.dumps == 1


def test_files_stand_in_for_the_hosts_tables_and_for_nobody_elses(house: House) -> None:
    house.diags = {1: FakeDiag(QUIET), 2: FakeDiag(([], 0, False))}
    files = house.tree.root / "100/net/tcp", None
    snapshots = house.reader(table_files=files)
    poll = snapshots.poll([HOST, OTHER], 0)
    assert [s.source for s in poll.snapshots] == [SocketSource.PROC_NET_TCP, SocketSource.INET_DIAG]
    assert snapshots.standings()[1] == Standing(Rung.PROCFS, "PROC_NET_TCP is set")


def test_a_stand_in_that_cannot_be_read_is_counted_and_the_rest_is_read(house: House) -> None:
    house.diags = {2: FakeDiag(QUIET)}
    poll = house.reader(table_files=(Path("/no/such/file"), None)).poll([HOST, OTHER], 0)
    assert [s.netns for s in poll.snapshots] == [2]
    assert poll.gone == ()
    assert house.metrics.get(Metric.DUMPS_FAILED, reason="CaptureError") == 1


# Beside the rungs above


def test_where_every_step_is_seen_a_dump_is_a_check(house: House) -> None:
    """The transitions tell of everything but bytes: these are looked at every 10 s of traffic."""
    diag = FakeDiag(QUIET)
    house.diags = {2: diag}
    house.watch.covered, house.watch.has_transitions = {2}, True
    snapshots = house.reader()
    (snapshot,) = snapshots.poll([OTHER], 0).snapshots
    assert (snapshot.closes_heard, snapshot.transitions_seen) == (True, True)
    assert diag.states == WITHOUT_TIME_WAIT
    for second in range(1, 10):
        house.count(200, opens=second)
        assert snapshots.poll([OTHER], second * SECOND).snapshots == ()
    assert len(snapshots.poll([OTHER], 10 * SECOND).snapshots) == 1
    for second in range(11, 70):
        assert snapshots.poll([OTHER], second * SECOND).snapshots == ()
    assert len(snapshots.poll([OTHER], 70 * SECOND).snapshots) == 1
    assert snapshots.standings()[2] == Standing(Rung.TRANSITIONS, "")
    assert house.metrics.get(Metric.NAMESPACES, rung="transitions") == 1


def test_where_closes_alone_are_heard_a_change_of_the_counters_is_looked_at(house: House) -> None:
    house.diags = {2: FakeDiag(QUIET)}
    house.watch.covered = {2}
    snapshots = house.reader()
    (snapshot,) = snapshots.poll([OTHER], 0).snapshots
    assert (snapshot.closes_heard, snapshot.transitions_seen) == (True, False)
    assert snapshots.poll([OTHER], SECOND).snapshots == ()
    house.count(200, opens=1)
    assert len(snapshots.poll([OTHER], 2 * SECOND).snapshots) == 1


def test_a_namespace_that_is_not_watched_any_more_is_dumped_at_its_next_change(
    house: House,
) -> None:
    diag = FakeDiag(QUIET)
    house.diags = {2: diag}
    house.watch.covered, house.watch.has_transitions = {2}, True
    snapshots = house.reader()
    snapshots.poll([OTHER], 0)
    house.watch.has_transitions = False
    house.count(200, opens=1)
    (snapshot,) = snapshots.poll([OTHER], SECOND).snapshots
    assert not snapshot.transitions_seen


def test_after_a_loss_so_many_dumps_are_made_whatever_the_counters_say(house: House) -> None:
    house.diags = {1: FakeDiag(QUIET), 2: FakeDiag(QUIET)}
    snapshots = house.reader()
    snapshots.poll([HOST, OTHER], 0)
    snapshots.force(None, dumps=2)
    assert [len(snapshots.poll([HOST, OTHER], n * SECOND).snapshots) for n in (1, 2, 3)] == [
        2,
        2,
        0,
    ]
    snapshots.force(2)
    assert [s.netns for s in snapshots.poll([HOST, OTHER], 4 * SECOND).snapshots] == [2]


def test_every_poll_tells_how_many_connections_the_kernel_counted(house: House) -> None:
    house.diags = {1: FakeDiag(QUIET), 2: FakeDiag(QUIET), 3: FakeDiag(QUIET)}
    snapshots = house.reader()
    assert snapshots.poll([HOST, OTHER, NAMED], 0).opens == {1: 7, 2: 7}
    house.count(200, opens=5)
    house.tree.remove("100/net/snmp")
    assert snapshots.poll([HOST, OTHER, NAMED], SECOND).opens == {2: 12}


def test_one_socket_is_asked_for_through_the_socket_of_its_namespace(house: House) -> None:
    house.diags = {2: FakeDiag(QUIET)}
    snapshots = house.reader()
    assert snapshots.get(OTHER, ROW) == ROW
    assert snapshots.get(OTHER, make_socket(local_port=1)) is None
    snapshots.poll([OTHER], 0)
    assert house.opened == [2]


def test_a_socket_of_a_namespace_that_cannot_be_entered_is_our_error(house: House) -> None:
    house.diags = {2: NotPermitted("no")}
    with pytest.raises(NotPermitted):
        house.reader().get(OTHER, ROW)


def test_how_fresh_counters_have_to_be_is_told_to_every_namespace(house: House) -> None:
    house.diags = {1: FakeDiag(QUIET), 2: FakeDiag(QUIET)}
    snapshots = house.reader()
    snapshots.poll([HOST], 0)
    snapshots.set_fresh(7)
    snapshots.poll([HOST, OTHER], SECOND)
    assert [one.gate.fresh_ns for one in snapshots._namespaces.values()] == [7, 7]
