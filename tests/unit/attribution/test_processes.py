"""The table of processes: what is read once, what makes it read again, what it forgets."""

import errno
import os
from pathlib import Path

import psutil
import pytest

from connbeat.attribution import processes
from connbeat.attribution.processes import ProcessTable
from connbeat.capture.exec_program import read_files
from connbeat.capture.exec_record import NAMES
from connbeat.errors import CaptureError, Malformed, NotPermitted, ProcessGone
from connbeat.linux.limits import STRINGS_BYTES
from connbeat.linux.procfs import KeptFiles, ProcFs
from connbeat.model.processes import ContainerRef
from connbeat.telemetry.metrics import Metric, Metrics
from tests.proc_tree import ProcTree, read_tree

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
ID = "0123456789abcdef" * 4


def parse_cgroup(text: bytes) -> ContainerRef | None:
    """Enough of discovery's for these trees."""
    return ContainerRef(ID, "docker") if ID.encode() in text else None


class CountingProcFs(ProcFs):
    """The real readers on a fake tree; counts what is read, refuses and intervenes on demand."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: list[str] = []
        self.refused: set[str] = set()
        #: Called once, before this file is read.
        self.before: dict[str, object] = {}

    def read(self, pid: int, name: str) -> bytes:
        self._happen(name)
        return super().read(pid, name)

    def executable(self, pid: int) -> str:
        self._happen("exe")
        return super().executable(pid)

    def netns(self, pid: int) -> int:
        self._happen("ns/net")
        return super().netns(pid)

    def _happen(self, name: str) -> None:
        self.reads.append(name)
        intervention = self.before.pop(name, None)
        if callable(intervention):
            intervention()
        if name in self.refused:
            raise NotPermitted(f"{name} may not be read")


@pytest.fixture
def tree(tmp_path: Path) -> ProcTree:
    return read_tree(tmp_path, "machine")


@pytest.fixture
def procfs(tree: ProcTree) -> CountingProcFs:
    return CountingProcFs(tree.root)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def table(procfs: CountingProcFs, metrics: Metrics) -> ProcessTable:
    return ProcessTable(procfs, metrics, parse_cgroup, with_environ=True)


def reuse(tree: ProcTree, pid: int = 900) -> None:
    """Another process has this pid, in no container and in another namespace."""
    stat = (tree.root / str(pid) / "stat").read_text()
    tree.end(pid)
    tree.add(f"""
== {pid}/stat
{stat.replace(" 9000 ", " 77777 ").replace("(sh)", "(cron)")}
== {pid}/cmdline
cron\\0
== {pid}/environ
== {pid}/status
Name:\\tcron\\nUid:\\t0\\t0\\t0\\t0\\n
== {pid}/cgroup
0::/system.slice/cron.service
== {pid}/exe -> /usr/sbin/cron
== {pid}/ns/net = host
""")


def call_exec(tree: ProcTree, pid: int = 900) -> None:
    """The same process runs another program: the kernel moves `arg_start`, not the start."""
    stat = (tree.root / str(pid) / "stat").read_text()
    assert " 140721000002000 " in stat
    tree.add(f"""
== {pid}/stat
{stat.replace(" 140721000002000 ", " 140721000009999 ").replace("(sh)", "(wget)")}
== {pid}/cmdline
wget\\0http://web/\\0
""")


# What is read


def test_a_process_is_read_whole(table: ProcessTable, tree: ProcTree) -> None:
    process = table.read(900, 0)
    assert (process.pid, process.started_ticks) == (900, 9000)
    assert (process.binary, process.executable) == ("busybox", "/bin/busybox")
    assert process.arguments == ("sh", "-c", "exec wget http://web/")
    assert process.environ == ("HOSTNAME=0123456789ab",)
    assert process.uid == 1000
    assert process.container == ContainerRef(ID, "docker")
    assert process.netns == tree.netns("container")
    assert process.is_permitted


def test_the_start_is_wall_clock(table: ProcessTable) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    started = table.read(900, 0).started_at_ns / 1e9
    assert started == pytest.approx(psutil.boot_time() + 9000 / ticks, abs=0.001)


def test_the_effective_uid_has_a_name_if_the_host_knows_one(table: ProcessTable) -> None:
    assert table.read(1, 0).user == "root"


def test_a_kernel_thread_has_its_name_and_no_program(table: ProcessTable) -> None:
    process = table.read(2, 0)
    assert (process.binary, process.executable, process.arguments) == ("kthreadd", "", ())
    assert process.is_permitted


def test_a_program_that_was_replaced_on_disk_keeps_its_name(table: ProcessTable) -> None:
    assert table.read(812, 0).executable == "/usr/sbin/nginx"


def test_the_environment_is_left_alone_unless_it_is_wanted(
    procfs: CountingProcFs, metrics: Metrics
) -> None:
    table = ProcessTable(procfs, metrics, parse_cgroup, with_environ=False)
    assert table.read(900, 0).environ == ()
    assert "environ" not in procfs.reads


def test_arguments_and_environment_without_end_are_cut(table: ProcessTable, tree: ProcTree) -> None:
    """Any process may make its own hundreds of megabytes (PR_SET_MM_MAP)."""
    for name in ("cmdline", "environ"):
        (tree.root / "900" / name).write_bytes(b"x" * (3 * STRINGS_BYTES))
    process = table.read(900, 0)
    assert process.arguments == process.environ == ("x" * STRINGS_BYTES,)


def test_a_process_that_may_not_be_read_in_part_is_known_by_the_rest(
    table: ProcessTable, procfs: CountingProcFs
) -> None:
    procfs.refused = {"exe", "environ", "cgroup", "ns/net"}
    process = table.read(900, 0)
    assert process.binary == "sh"
    assert process.arguments == ("sh", "-c", "exec wget http://web/")
    assert (process.executable, process.environ, process.container) == ("", (), None)
    assert process.netns == 0
    assert not process.is_permitted


def test_a_cgroup_that_cannot_be_parsed_is_no_container(
    procfs: CountingProcFs, metrics: Metrics
) -> None:
    def refuse(_: bytes) -> ContainerRef | None:
        raise Malformed("what is this")

    table = ProcessTable(procfs, metrics, refuse, with_environ=False)
    assert table.read(900, 0).container is None


@pytest.mark.parametrize("pid", [4711, 950])
def test_who_has_ended_is_gone(table: ProcessTable, pid: int) -> None:
    """A zombie has no namespace any more, which is how it is told."""
    with pytest.raises(ProcessGone):
        table.read(pid, 0)


def test_a_process_that_hides_is_not_permitted(table: ProcessTable, procfs: CountingProcFs) -> None:
    procfs.refused = {"cmdline"}
    with pytest.raises(NotPermitted):
        table.read(900, 0)


# What is remembered


def test_in_one_poll_a_process_is_read_once(table: ProcessTable, procfs: CountingProcFs) -> None:
    first = table.read(900, 5)
    procfs.reads.clear()
    assert table.read(900, 5) is first
    assert procfs.reads == []


def test_in_the_next_poll_its_stat_tells_that_all_holds(
    table: ProcessTable, procfs: CountingProcFs
) -> None:
    first = table.read(900, 0)
    procfs.reads.clear()
    assert table.read(900, SECOND) is first
    assert procfs.reads == ["stat"]


def test_an_exec_is_noticed_though_the_start_stays(table: ProcessTable, tree: ProcTree) -> None:
    before = table.read(900, 0)
    call_exec(tree)
    after = table.read(900, SECOND)
    assert after.arguments == ("wget", "http://web/")
    assert after.started_ticks == before.started_ticks


def untraceable(tree: ProcTree, comm: str) -> None:
    """Its arguments are said to begin at 0, before and after an exec."""
    stat = tree.root / "900/stat"
    words = stat.read_text().rpartition(")")[2].split()
    words[45] = "0"
    stat.write_text(f"900 ({comm}) {' '.join(words)}\n")


def test_an_exec_of_a_process_that_we_may_not_trace_is_noticed_by_its_name(
    table: ProcessTable, tree: ProcTree
) -> None:
    untraceable(tree, "sh")
    before = table.read(900, 0)
    (tree.root / "900/cmdline").write_bytes(b"wget\0http://web/\0")
    assert table.read(900, SECOND) is before
    untraceable(tree, "wget")
    assert table.read(900, 2 * SECOND).arguments == ("wget", "http://web/")


def test_a_process_that_renames_itself_is_not_read_again(
    table: ProcessTable, tree: ProcTree
) -> None:
    before = table.read(900, 0)
    stat = tree.root / "900/stat"
    stat.write_text(f"900 (worker){stat.read_text().rpartition(')')[2]}")
    assert table.read(900, SECOND) is before


def test_a_reused_pid_is_another_process(table: ProcessTable, tree: ProcTree) -> None:
    table.read(900, 0)
    reuse(tree)
    process = table.read(900, SECOND)
    assert (process.binary, process.started_ticks, process.container) == ("cron", 77777, None)


@pytest.mark.parametrize("name", ["exe", "cmdline", "status", "environ", "cgroup", "ns/net"])
def test_a_pid_that_is_reused_while_it_is_read_is_nobody(
    table: ProcessTable, procfs: CountingProcFs, tree: ProcTree, name: str
) -> None:
    """Half of one process and half of another, the wrong container among it."""
    procfs.before[name] = lambda: reuse(tree)
    with pytest.raises(ProcessGone):
        table.read(900, 0)
    assert table.read(900, 0).binary == "cron"


@pytest.mark.parametrize("name", ["exe", "cmdline", "status", "environ", "cgroup", "ns/net"])
def test_a_process_that_ends_while_it_is_read_is_gone(
    table: ProcessTable, procfs: CountingProcFs, tree: ProcTree, name: str
) -> None:
    procfs.before[name] = lambda: tree.end(900)
    with pytest.raises(ProcessGone):
        table.read(900, 0)


# As it was


def test_what_was_kept_of_a_process_says_the_same_and_asks_nobody(
    table: ProcessTable, procfs: CountingProcFs, tree: ProcTree
) -> None:
    files = read_files(str(tree.root / "900"), NAMES)
    assert files is not None
    expected = table.read(900, 0)
    tree.end(900)
    procfs.reads.clear()
    assert table.read_kept(KeptFiles(files), 900) == expected
    assert procfs.reads == []


def test_what_was_kept_of_a_process_that_ended_meanwhile_is_nobody(
    table: ProcessTable, tree: ProcTree
) -> None:
    files = read_files(str(tree.root / "900"), NAMES)
    assert files is not None
    with pytest.raises(ProcessGone):
        table.read_kept(KeptFiles(files | {"status": errno.ESRCH}), 900)
    refused = table.read_kept(KeptFiles(files | {"exe": errno.EACCES}), 900)
    assert not refused.is_permitted


# The same process, later


def test_the_current_state_of_a_process_is_what_its_last_exec_made_it(
    table: ProcessTable, tree: ProcTree
) -> None:
    before = table.read(900, 0)
    assert table.current(before, 0) is before
    call_exec(tree)
    after = table.current(before, SECOND)
    assert after is not None
    assert after.arguments == ("wget", "http://web/")


def test_a_process_that_ended_has_no_current_state(table: ProcessTable, tree: ProcTree) -> None:
    before = table.read(900, 0)
    tree.end(900)
    assert table.current(before, SECOND) is None


def test_a_reused_pid_is_not_the_same_process(table: ProcessTable, tree: ProcTree) -> None:
    before = table.read(900, 0)
    reuse(tree)
    assert table.current(before, SECOND) is None


def test_a_process_that_closes_itself_to_us_is_as_it_was(
    table: ProcessTable, procfs: CountingProcFs
) -> None:
    before = table.read(900, 0)
    procfs.refused = {"stat"}
    assert table.current(before, SECOND) is before


# What is forgotten


def test_a_process_is_kept_for_two_minutes_after_it_was_last_seen(
    table: ProcessTable, metrics: Metrics
) -> None:
    table.read(900, 0)
    table.read(812, 0)
    table.read(812, MINUTE)
    assert table.expire(2 * MINUTE) == []
    assert metrics.get(Metric.PROCESSES) == 2
    assert table.expire(2 * MINUTE + 1) == [900]
    assert metrics.get(Metric.PROCESSES) == 1
    assert table.expire(3 * MINUTE + 1) == [812]


def test_beyond_the_bound_those_unseen_longest_are_forgotten(
    table: ProcessTable, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_MAX_PROCESSES", 1)
    for second, pid in enumerate((900, 812, 1)):
        table.read(pid, second * SECOND)
    assert sorted(table.expire(3 * SECOND)) == [812, 900]
    assert metrics.get(Metric.PROCESSES) == 1


def test_the_bound_holds_at_once_also_when_others_have_expired(
    table: ProcessTable, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_MAX_PROCESSES", 1)
    table.read(900, 0)
    table.read(812, MINUTE)
    table.read(1, MINUTE + 1)
    assert sorted(table.expire(2 * MINUTE + 1)) == [812, 900]
    assert metrics.get(Metric.PROCESSES) == 1


def test_what_cannot_be_read_is_not_remembered(
    table: ProcessTable, procfs: CountingProcFs, metrics: Metrics
) -> None:
    procfs.before["cmdline"] = lambda: procfs.refused.add("cmdline")
    with pytest.raises(CaptureError):
        table.read(900, 0)
    table.expire(0)
    assert metrics.get(Metric.PROCESSES) == 0
