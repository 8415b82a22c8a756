"""Who a thread was at a moment, on a fake `/proc` that processes leave as quickly as they like."""

from pathlib import Path

import pytest

from connbeat.attribution import lineage as module
from connbeat.attribution.lineage import Lineage
from connbeat.attribution.processes import ProcessTable
from connbeat.capture.exec_program import read_files
from connbeat.capture.exec_record import NAMES, Files
from connbeat.linux.procfs import ProcFs
from connbeat.model.processes import ContainerRef, Process
from connbeat.telemetry.metrics import Metric, Metrics
from tests.proc_tree import ProcTree

SECOND, MS = 1_000_000_000, 1_000_000
NOW = 100 * SECOND
CONTAINER = ContainerRef("c" * 64, "docker")

PROCESS = """
== {pid}/stat
{pid} (comm) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 {ticks}
== {pid}/exe -> {executable}
== {pid}/cmdline
{executable}\\0--pid\\0p{pid}\\0
== {pid}/environ
== {pid}/status
Name:\\tcomm\\nTgid:\\t{pid}\\nUid:\\t0\\t0\\t0\\t0\\n
== {pid}/cgroup
0::/docker/{container}
== {pid}/ns/net = {netns}
"""  # noqa: E501  `stat` is one line


def parse_cgroup(text: bytes) -> ContainerRef | None:
    return CONTAINER if CONTAINER.id.encode() in text else None


class House:
    """A lineage, the kernel's word of what starts and ends, and the `/proc` that goes with it."""

    def __init__(self, folder: Path) -> None:
        self.tree = ProcTree(folder)
        self.metrics = Metrics()
        procfs = ProcFs(self.tree.root)
        table = ProcessTable(procfs, self.metrics, parse_cgroup, with_environ=False)
        self.lineage = Lineage(procfs, table, self.metrics)
        self.now_ns = NOW

    def live(
        self, pid: int, executable: str = "/bin/sh", *, container: str = "", ticks: int = 10
    ) -> None:
        """Put it into `/proc`, or change what it runs there."""
        self.tree.add(
            PROCESS.format(
                pid=pid, executable=executable, container=container, ticks=ticks, netns="host"
            )
        )

    def thread(self, tid: int, pid: int) -> None:
        self.tree.add(f"== {tid}/status\nName:\\tcomm\\nTgid:\\t{pid}\\n")

    def fork(self, parent: int, child: int, *, is_thread: bool = False) -> None:
        self.now_ns += MS
        self.lineage.forked(parent, child, is_thread=is_thread)

    def execute(self, pid: int, file_name: str, *, read_late_ns: int = 1000) -> None:
        """It calls exec, and the exec reader reads it if it is still there."""
        self.now_ns += MS
        if read_late_ns >= 0:
            self.read(pid, self.now_ns + read_late_ns)
        self.lineage.executed(pid, file_name, self.now_ns)

    def read(self, pid: int, time_ns: int) -> None:
        files = read_files(str(self.tree.root / str(pid)), NAMES)
        if files is not None:
            self.lineage.read_at_exec(pid, time_ns, files)

    def end(self, pid: int, *, is_reaped: bool = True) -> None:
        self.now_ns += MS
        if is_reaped:
            self.tree.end(pid)
        self.lineage.exited(pid, self.now_ns)

    def who(self, thread: int) -> Process | None:
        return self.lineage.process_of(thread, self.now_ns)

    def named(self, thread: int) -> tuple[int, str, tuple[str, ...]]:
        process = self.who(thread)
        assert process is not None
        return process.pid, process.executable, process.arguments


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.live(100, container=CONTAINER.id)
    return made


# Read while it is there


def test_a_process_that_lives_is_read(house: House) -> None:
    assert house.named(100) == (100, "/bin/sh", ("/bin/sh", "--pid", "p100"))


def test_a_thread_is_its_process(house: House) -> None:
    house.thread(105, 100)
    assert house.named(105)[0] == 100


def test_nobody_is_known_of_who_is_gone_without_a_trace(house: House) -> None:
    assert house.who(4711) is None
    house.live(4711)
    assert house.who(4711) is None, "it is asked for at one moment, and answered for that"


def test_a_process_is_read_once_and_again_after_its_next_exec(house: House) -> None:
    assert house.named(100)[1] == "/bin/sh"
    house.live(100, "/usr/bin/python3", ticks=10)
    assert house.named(100)[1] == "/bin/sh"
    house.execute(100, "/usr/bin/python3", read_late_ns=-1)
    house.tree.remove("100/stat")  # what the table remembered does not hold any more
    house.live(100, "/usr/bin/python3", ticks=11)
    assert house.named(100)[1] == "/usr/bin/python3"


# Read at its exec


def test_a_process_that_was_read_at_its_exec_is_known_when_it_is_gone(house: House) -> None:
    house.fork(100, 101)
    house.live(101, "/usr/bin/wget", container=CONTAINER.id)
    house.execute(101, "/usr/bin/wget")
    house.end(101)
    process = house.who(101)
    assert process is not None
    assert house.named(101) == (101, "/usr/bin/wget", ("/usr/bin/wget", "--pid", "p101"))
    assert process.container == CONTAINER


def test_a_process_that_ends_while_it_is_read_has_its_arguments_and_its_parents_container(
    house: House,
) -> None:
    house.fork(100, 101)
    house.tree.add("== 101/cmdline\nwget\\0-q\\0http://web/\\0")
    house.execute(101, "/usr/bin/wget")
    house.end(101)
    process = house.who(101)
    assert process is not None
    assert house.named(101) == (101, "/usr/bin/wget", ("wget", "-q", "http://web/"))
    assert process.container == CONTAINER


def test_what_was_read_at_another_exec_is_another_program(house: House) -> None:
    """`env wget`: both are execs of one process, and the reader was too late for the second."""
    house.fork(100, 101)
    house.live(101, "/usr/bin/env")
    house.execute(101, "/usr/bin/env")
    house.now_ns += 5 * MS
    house.execute(101, "/usr/bin/wget", read_late_ns=-1)
    house.end(101)
    assert house.named(101) == (101, "/usr/bin/wget", ())


def test_what_was_read_of_an_earlier_process_with_that_pid_is_not_taken(house: House) -> None:
    house.fork(100, 101)
    house.live(101, "/usr/bin/wget")
    house.execute(101, "/usr/bin/wget")
    house.end(101)
    house.fork(100, 101)
    house.lineage.exited(101, house.now_ns)
    assert house.named(101) == (101, "/bin/sh", ("/bin/sh", "--pid", "p100"))


# Lost records


def test_after_a_loss_a_process_is_read_anew(house: House) -> None:
    """Its exec may be what was lost."""
    assert house.named(100)[1] == "/bin/sh"
    house.live(100, "/usr/bin/python3", ticks=11)
    house.now_ns += MS
    house.lineage.lost()
    assert house.named(100)[1] == "/usr/bin/python3"


def test_after_a_loss_nobody_inherits_from_who_had_that_pid_before(house: House) -> None:
    """The end of one and the fork of the next may be what was lost."""
    house.fork(100, 101)
    house.lineage.lost()
    assert house.who(101) is None


def test_after_a_loss_a_process_that_is_gone_is_who_was_read_last_at_that_pids_exec(
    house: House,
) -> None:
    house.lineage.lost()
    for name in ("/usr/bin/env", "/usr/bin/wget"):
        house.now_ns += 5 * MS
        house.live(101, name)
        house.read(101, house.now_ns)
    house.tree.end(101)
    assert house.named(101) == (101, "/usr/bin/wget", ("/usr/bin/wget", "--pid", "p101"))


def test_what_was_read_at_a_later_exec_says_nothing_of_before(house: House) -> None:
    house.live(101, "/usr/bin/wget")
    house.read(101, house.now_ns + MS)
    house.tree.end(101)
    assert house.who(101) is None


def test_who_lives_is_who_it_is_whatever_was_read_at_an_exec_of_that_pid(house: House) -> None:
    house.live(101, "/usr/bin/env")
    house.read(101, house.now_ns)
    house.live(101, "/usr/bin/wget", ticks=11)
    assert house.named(101)[1] == "/usr/bin/wget"


# Inherited


def test_a_child_that_called_no_exec_is_its_parent_under_its_own_pid(house: House) -> None:
    house.fork(100, 101)
    house.lineage.exited(101, house.now_ns)
    process = house.who(101)
    assert process is not None
    assert (process.pid, process.executable) == (101, "/bin/sh")
    assert process.container == CONTAINER


def test_a_child_whose_exec_was_missed_has_the_files_name_and_its_parents_container(
    house: House,
) -> None:
    house.fork(100, 101)
    house.execute(101, "/usr/bin/wget")  # gone before it could be read
    process = house.who(101)
    assert process is not None
    assert (process.pid, process.executable, process.binary) == (101, "/usr/bin/wget", "wget")
    assert (process.arguments, process.environ) == ((), ())
    assert process.container == CONTAINER


@pytest.mark.parametrize("name", ["/proc/self/exe", "/proc/101/exe", "/proc/thread-self/exe"])
def test_a_program_that_runs_itself_again_is_its_parents(house: House, name: str) -> None:
    """An applet of busybox: the shell that forked it and the applet are one file."""
    house.fork(100, 101)
    house.execute(101, name)
    process = house.who(101)
    assert process is not None
    assert (process.executable, process.binary, process.arguments) == ("/bin/sh", "sh", ())


def test_a_grandchild_inherits_through_parents_that_are_gone(house: House) -> None:
    house.fork(100, 101)
    house.fork(101, 102)
    house.lineage.exited(101, house.now_ns)
    house.execute(102, "/usr/bin/wget")
    house.lineage.exited(102, house.now_ns)
    assert house.named(102)[:2] == (102, "/usr/bin/wget")
    assert house.named(101)[:2] == (101, "/bin/sh")


def test_a_parent_that_calls_exec_later_is_what_it_was_when_it_forked(house: House) -> None:
    house.fork(100, 101)
    house.live(100, "/usr/bin/python3", ticks=11)
    house.execute(100, "/usr/bin/python3")
    assert house.named(100)[1] == "/usr/bin/python3"
    house.fork(100, 102)
    house.lineage.exited(102, house.now_ns)
    assert house.named(102)[1] == "/usr/bin/python3"


def test_a_thread_that_is_gone_is_the_process_that_started_it_by_its_pid(house: House) -> None:
    """Go calls connect() from any thread, and the process may be over in a millisecond."""
    house.fork(100, 101)
    house.live(101, "/usr/bin/go-client")
    house.execute(101, "/usr/bin/go-client")
    house.fork(101, 102, is_thread=True)
    house.fork(102, 103, is_thread=True)
    house.end(101)
    assert house.named(103)[:2] == (101, "/usr/bin/go-client")
    assert house.named(102)[:2] == (101, "/usr/bin/go-client")


def test_threads_that_start_threads_are_one_process_however_many(house: House) -> None:
    house.fork(100, 101)
    house.live(101, "/usr/bin/go-client")
    house.execute(101, "/usr/bin/go-client")
    for tid in range(102, 202):
        house.fork(tid - 1, tid, is_thread=True)
    house.end(101)
    assert house.named(201)[:2] == (101, "/usr/bin/go-client")


def test_a_thread_of_a_process_that_lives_is_not_looked_for(house: House) -> None:
    house.fork(100, 105, is_thread=True)
    assert house.named(105)[0] == 100


def test_a_process_that_a_thread_forked_inherits_from_the_threads_process(house: House) -> None:
    house.fork(100, 105, is_thread=True)
    house.fork(105, 106)
    house.lineage.exited(106, house.now_ns)
    assert house.named(106)[:2] == (106, "/bin/sh")


def test_a_thread_whose_starter_is_not_known_is_read_itself(house: House) -> None:
    house.fork(4711, 105, is_thread=True)
    house.thread(105, 100)
    assert house.named(105)[0] == 100


# Pids that are used again


def test_a_pid_that_changed_hands_is_two_processes(house: House) -> None:
    house.fork(100, 101)
    house.live(101, "/usr/bin/wget")
    house.execute(101, "/usr/bin/wget")
    assert house.named(101)[1] == "/usr/bin/wget"
    house.end(101)
    house.live(101, "/usr/bin/curl", ticks=99)
    house.fork(100, 101)
    house.execute(101, "/usr/bin/curl")
    assert house.named(101)[1] == "/usr/bin/curl"


def test_a_child_inherits_from_who_forked_it_and_not_from_who_has_that_pid_now(
    house: House,
) -> None:
    house.fork(100, 101)
    house.fork(101, 102)
    house.lineage.exited(101, house.now_ns)
    house.live(101, "/usr/bin/stranger", ticks=99)
    house.fork(1, 101)
    house.execute(101, "/usr/bin/stranger")
    house.lineage.exited(102, house.now_ns)
    assert house.named(102)[:2] == (102, "/bin/sh")


def test_who_ended_is_not_looked_for_under_a_pid_that_may_be_anothers(house: House) -> None:
    house.fork(100, 101)
    house.lineage.exited(101, house.now_ns)
    house.live(101, "/usr/bin/stranger", ticks=99)
    assert house.named(101)[1] == "/bin/sh"


def test_parents_in_a_circle_are_nobody(house: House) -> None:
    house.fork(201, 202)
    house.fork(202, 201)
    house.fork(201, 202)
    assert house.who(202) is None
    assert house.who(201) is None


# Bounds and grace


def test_a_process_that_ended_is_known_for_a_grace_time(house: House) -> None:
    """What it left open closes after it: at its exit, or when the other side answers."""
    house.fork(100, 101)
    house.live(101, "/usr/bin/wget")
    house.execute(101, "/usr/bin/wget")
    house.end(101)
    house.lineage.expire(house.now_ns + 10 * SECOND)
    assert house.named(101)[1] == "/usr/bin/wget"
    house.lineage.expire(house.now_ns + 10 * SECOND + 1)
    assert house.who(101) is None


def test_who_lives_is_kept_however_long(house: House) -> None:
    house.who(100)
    house.lineage.expire(NOW + 1000 * SECOND)
    assert house.metrics.get(Metric.THREADS) == 1


def test_execs_that_nobody_asked_for_are_forgotten(house: House) -> None:
    house.read(100, NOW)
    assert house.lineage._at_exec
    house.lineage.expire(NOW + 10 * SECOND + 1)
    assert not house.lineage._at_exec


def test_of_what_was_read_at_execs_the_oldest_goes_beyond_a_bound_of_bytes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_AT_EXEC_BYTES", 10 * 10_000)
    for pid in [*range(101, 111), 101, 102, 103]:
        files: Files = {**dict.fromkeys(NAMES, b"x" * 1000), "cmdline": b"x" * 3500}
        house.lineage.read_at_exec(pid, house.now_ns, files)
    assert list(house.lineage._at_exec) == [*range(105, 111), 101, 102, 103], "what is newest"
    house.lineage.expire(house.now_ns + 10 * SECOND + 1)
    for pid in range(201, 210):
        house.lineage.read_at_exec(pid, house.now_ns, {"cmdline": b"x" * 9500})
    assert list(house.lineage._at_exec) == [*range(201, 210)], "what is gone weighs nothing"


def test_the_oldest_are_forgotten_beyond_the_bound(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_THREADS", 10)
    for child in range(1000, 1050):
        house.fork(100, child)
    house.lineage.expire(house.now_ns)
    assert house.metrics.get(Metric.THREADS) == 10
    house.lineage.exited(1049, house.now_ns)
    assert house.named(1049)[1] == "/bin/sh"


def test_a_chain_of_forks_is_asked_for_so_far_and_keeps_no_ancestor_for_ever(
    house: House,
) -> None:
    for generation in range(5000):
        house.fork(1000 + generation, 1001 + generation)
        house.lineage.exited(1000 + generation, house.now_ns)
    threads = house.lineage._threads
    assert house.who(6000) is None, "and no error of ours"
    assert sum(entry.was_asked for entry in threads.values()) < 100, "nor all of them"
    house.fork(6000, 6001)
    house.lineage.exited(6000, house.now_ns)
    house.lineage.expire(house.now_ns + 10 * SECOND)
    assert threads[6001].parent is not None, "it may still be asked for"
    house.lineage.expire(house.now_ns + 10 * SECOND + 1)
    assert threads.keys() == {6001}
    assert threads[6001].parent is None
