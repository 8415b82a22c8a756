"""Rungs 2 and 3 against the kernel: every end heard, with namespace and process, and what happens
when a source is taken away, overrun, or somebody else's.
"""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connbeat.attribution.lineage import Lineage
from connbeat.attribution.processes import ProcessTable
from connbeat.capture import hearing, kernel
from connbeat.capture.closes import CloseSocket
from connbeat.capture.exec_child import ExecChild
from connbeat.capture.execs import ExecSource
from connbeat.capture.kernel import KernelSource
from connbeat.capture.ladder import Rung
from connbeat.capture.transitions import TransitionSource
from connbeat.clock import SystemClock
from connbeat.discovery.namespaces import NamespaceReader
from connbeat.linux import tracefs as linux_tracefs
from connbeat.linux.diag_socket import DiagSocket
from connbeat.linux.procfs import ProcFs
from connbeat.linux.recvmmsg import Inbox, Message
from connbeat.linux.tracefs import open_tracefs
from connbeat.model.sockets import TcpState
from connbeat.model.traces import Close, Tick
from connbeat.telemetry.metrics import Metric, Metrics
from tests.strategies import make_socket
from tests.system.harness import Netns, call, wait_until

PROGRAM = Path(__file__).with_name("connect_program.py")
HALF_A_MINUTE = 31_000_000_000


class House:
    """A kernel source as the agent has it, and everything that it told so far."""

    def __init__(self, highest: Rung = Rung.TRANSITIONS, execs: ExecSource | None = None) -> None:
        procfs = ProcFs()
        self.metrics = Metrics()
        table = ProcessTable(procfs, self.metrics, lambda _: None, with_environ=False)
        self.lineage = Lineage(procfs, table, self.metrics)
        self.clock = SystemClock()
        self.kernel = KernelSource(
            procfs, self.lineage, highest, clock=self.clock, metrics=self.metrics, execs=execs
        )
        self.closes: list[Close] = []
        self.lossy = 0
        self.open()

    def open(self, later_ns: int = 0) -> None:
        self.kernel.open(self.clock.monotonic_ns() + later_ns)
        self.see()

    def see(self) -> None:
        self.kernel.see(NamespaceReader(ProcFs()).read().targets)

    def tick(self) -> Tick:
        tick = self.kernel.tick()
        self.closes += tick.closes
        self.lossy += tick.is_lossy
        return tick

    def told(self, cookies: set[int]) -> list[Close]:
        """Everything that was told of these sockets, as soon as all of them are."""

        def is_so() -> bool:
            self.tick()
            return cookies <= {close.socket.cookie for close in self.closes}

        wait_until(is_so, 40, "a close of every socket")
        self.tick()
        return [close for close in self.closes if close.socket.cookie in cookies]


class Program:
    """`connect_program.py` in a namespace, or here."""

    def __init__(self, count: int, netns: Netns | None = None) -> None:
        command = [sys.executable, str(PROGRAM), str(count)]
        pipe = subprocess.PIPE
        self.process = (
            netns.start(*command)
            if netns is not None
            else subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        )

    def run(self) -> tuple[int, dict[int, str]]:
        """(its pid, direction by cookie). It stays until `end`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        return told["pid"], {row["cookie"]: row["direction"] for row in told["sockets"]}

    def end(self) -> None:
        self.process.communicate("\n")


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.kernel.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def begin(count: int, netns: Netns | None = None) -> Program:
        started.append(Program(count, netns))
        return started[-1]

    yield begin
    for program in started:
        program.process.kill()
        program.process.communicate()


def link(netns: Netns) -> None:
    """To the host: with it comes an id. The kernel takes its time to remove an earlier one."""
    wait_until(lambda: not Path("/sys/class/net/cbt-ks0").exists(), 10, "the link is gone")
    call("ip", "link", "add", "cbt-ks0", "type", "veth", "peer", "name", "in", "netns", netns.name)


def instances() -> set[str]:
    opened = open_tracefs()
    names = {folder.name for folder in (opened.root / "instances").iterdir()}
    opened.close()
    return {name for name in names if name.split("-")[-2:-1] == [str(os.getpid())]}


def check(closes: list[Close], directions: dict[int, str], pid: int, netns: int) -> None:
    """Each end once, from there, by that process, with its counters and its direction."""
    assert len(closes) == len(directions)
    for close in closes:
        assert close.netns == netns
        assert close.trace is not None
        assert close.trace.direction == directions[close.socket.cookie]
        assert close.trace.process is not None
        assert close.trace.process.pid == pid
        assert close.trace.process.netns == netns
        counters = close.socket.counters
        assert counters is not None
        sent, received = (8, 6) if directions[close.socket.cookie] == "outbound" else (6, 8)
        assert (counters.bytes_sent, counters.bytes_received) == (sent, received)
        assert 0 < close.trace.opened_ns < close.closed_ns


# Every end is heard


@pytest.mark.parametrize("has_id", [False, True])
def test_both_ends_of_200_connections_of_a_namespace_are_told_once_and_in_full(
    house: House, netns: Netns, start: Callable[..., Program], has_id: bool
) -> None:
    if has_id:
        link(netns)
    program = start(200, netns)
    house.see()
    assert house.kernel.covers(netns.inode)
    assert house.kernel.standing(netns.inode).rung is Rung.TRANSITIONS
    pid, directions = program.run()
    assert len(directions) == 400
    check(house.told(set(directions)), directions, pid, netns.inode)
    assert house.lossy == 0
    program.end()


def test_the_hosts_own_are_told_too(house: House, start: Callable[..., Program]) -> None:
    pid, directions = start(100).run()
    check(house.told(set(directions)), directions, pid, Path("/proc/self/ns/net").stat().st_ino)


def test_a_namespace_that_nobody_has_seen_yet_is_its_processes(
    house: House, netns: Netns, start: Callable[..., Program]
) -> None:
    """It has an id that nobody has learnt: a container that was started a moment ago."""
    link(netns)
    pid, directions = start(50, netns).run()
    check(house.told(set(directions)), directions, pid, netns.inode)


def test_one_that_gets_an_id_after_we_went_in_is_told_once(
    house: House, netns: Netns, start: Callable[..., Program]
) -> None:
    """Then both sockets hear it, until the ids are learnt again."""
    first, second = start(50, netns), start(50, netns)
    house.see()
    link(netns)
    pid, directions = first.run()
    check(house.told(set(directions)), directions, pid, netns.inode)
    house.see()
    assert house.kernel.covers(netns.inode)
    pid, directions = second.run()
    check(house.told(set(directions)), directions, pid, netns.inode)


# Processes at their exec


def exec_reader() -> ExecChild:
    return ExecChild(open_tracefs(), ProcFs(), with_environ=False)


def test_a_process_that_lives_2_ms_is_named_after_it_is_gone() -> None:
    house = House(execs=ExecSource(exec_reader, Metrics()))
    pids: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        for _ in range(30):
            client = subprocess.Popen(
                ["busybox", "nc", "127.0.0.1", port], stdin=subprocess.DEVNULL
            )
            accepted, _ = listener.accept()
            accepted.close()
            client.wait()
            pids.append(client.pid)

    def named() -> dict[int, tuple[str, ...]]:
        house.tick()
        return {
            close.trace.process.pid: close.trace.process.arguments
            for close in house.closes
            if close.trace is not None
            and close.trace.process is not None
            and close.trace.direction == "outbound"
        }

    wait_until(lambda: set(pids) <= named().keys(), 10, "a close by every process")
    expected = ("busybox", "nc", "127.0.0.1", port)
    assert [named()[pid] for pid in pids] == [expected] * 30
    house.kernel.close()


class Told:
    """Whose exec was told."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.execs = ExecSource(exec_reader, self.metrics)
        self.house = House(Rung.CLOSES)
        self.now_ns = 0
        self.execs.open(self.now_ns)

    def knows_one_more(self) -> bool:
        """A process that lives no longer than it takes to start."""
        child = subprocess.Popen(["busybox", "true"])
        child.wait()
        self.execs.drain(self.house.lineage, self.now_ns)
        return child.pid in self.house.lineage._at_exec

    def close(self) -> None:
        self.execs.close()
        self.house.kernel.close()


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.close()


def test_an_exec_reader_whose_instance_is_switched_off_comes_back(
    mounted: Path, told: Told
) -> None:
    wait_until(told.knows_one_more, 10, "an exec")
    (name,) = instances()
    (mounted / "instances" / name / "tracing_on").write_text("0")
    lost = Metric.SOURCES_LOST
    wait_until(
        lambda: not told.knows_one_more() and told.metrics.get(lost, source="execs") == 1,
        10,
        "the reader's notice",
    )
    assert instances() == set()
    told.now_ns += HALF_A_MINUTE
    told.execs.open(told.now_ns)
    wait_until(told.knows_one_more, 10, "an exec after it")
    told.execs.close()
    assert instances() == set()


def test_an_exec_reader_that_was_killed_is_replaced_and_leaves_no_instance(told: Told) -> None:
    wait_until(told.knows_one_more, 10, "an exec")
    first = told.execs.pid
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not told.knows_one_more() and not told.execs.pid, 10, "the notice")
    assert instances() == set()
    told.now_ns += HALF_A_MINUTE
    told.execs.open(told.now_ns)
    assert told.execs.pid not in (0, first)
    wait_until(told.knows_one_more, 10, "an exec after it")


# Tracefs


def test_where_tracefs_is_not_mounted_we_have_one_that_nobody_sees(
    monkeypatch: pytest.MonkeyPatch, start: Callable[..., Program]
) -> None:
    monkeypatch.setattr(linux_tracefs, "MOUNT_POINTS", ())
    before = Path("/proc/self/mounts").read_text()
    house = House()
    assert Path("/proc/self/mounts").read_text() == before
    _, directions = start(10).run()
    assert all(close.trace is not None for close in house.told(set(directions)))
    house.kernel.close()


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The one place where tracefs is mounted, until somebody unmounts it."""
    point = tmp_path / "tracing"
    point.mkdir()
    call("mount", "-t", "tracefs", "none", str(point))
    monkeypatch.setattr(linux_tracefs, "MOUNT_POINTS", (point,))
    yield point
    subprocess.run(["umount", "-l", str(point)], capture_output=True, check=False)


def lose(house: House) -> None:
    def is_lost() -> bool:
        house.tick()
        return not house.kernel.has_transitions

    wait_until(is_lost, 15, "a turn without a record")
    assert house.metrics.get(Metric.SOURCES_LOST, source="transitions") == 1
    assert house.lossy >= 1


def come_back(house: House, start: Callable[..., Program]) -> None:
    """Closes alone, and half a minute later everything again."""
    own = Path("/proc/self/ns/net").stat().st_ino
    assert house.kernel.standing(own).rung is Rung.CLOSES
    _, directions = start(10).run()
    assert all(close.trace is None for close in house.told(set(directions)))
    house.open(HALF_A_MINUTE)
    assert house.kernel.standing(own).rung is Rung.TRANSITIONS
    pid, directions = start(10).run()
    check(house.told(set(directions)), directions, pid, own)


def test_an_instance_that_is_switched_off_under_us_is_lost_and_comes_back(
    mounted: Path, start: Callable[..., Program]
) -> None:
    house = House()
    (name,) = instances()
    (mounted / "instances" / name / "tracing_on").write_text("0")
    lose(house)
    come_back(house, start)
    house.kernel.close()
    assert instances() == set()


def test_an_instance_in_use_cannot_be_removed_by_anybody(house: House) -> None:
    opened = open_tracefs()
    (name,) = instances()
    with pytest.raises(OSError, match="busy"):
        (opened.root / "instances" / name).rmdir()
    opened.close()
    assert house.kernel.has_transitions


OTHER_AGENT = """
import sys
from connbeat.linux.procfs import ProcFs
from connbeat.linux.tracefs import TraceInstance, open_tracefs
tracefs = open_tracefs()
instance = TraceInstance(tracefs, "transitions", ProcFs(), 64)
instance.enable("sock/inet_sock_set_state")
instance.start()
print("ready", flush=True)
sys.stdin.read()
"""


def test_another_agents_instance_is_left_alone_while_it_lives_and_removed_after(
    tmp_path: Path,
) -> None:
    opened = open_tracefs()
    opened.remove_stale(ProcFs())  # what other tests' agents left
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER_AGENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"

    def is_there() -> bool:
        folders = (opened.root / "instances").iterdir()
        return any(f"-{other.pid}-" in folder.name for folder in folders)

    assert is_there()
    opened.remove_stale(ProcFs())
    assert is_there()
    (tmp_path / "proc").mkdir()
    opened.remove_stale(ProcFs(tmp_path / "proc"))  # as seen from a container: no such pid
    assert is_there()
    other.kill()
    other.communicate()
    assert is_there()
    assert opened.remove_stale(ProcFs()) >= 1
    assert not is_there()
    opened.close()


def test_nothing_is_left_when_it_is_closed() -> None:
    def descriptors() -> set[str]:
        folder = Path("/proc/self/fd")
        return {str(entry.readlink()) for entry in folder.iterdir() if entry.exists()}

    before, count = instances(), len(list(Path("/proc/self/fd").iterdir()))
    house = House()
    assert len(instances()) == 1
    house.kernel.close()
    assert instances() == before == set()
    assert len(list(Path("/proc/self/fd").iterdir())) == count, descriptors()


# Floods


def test_an_overrun_is_told_and_what_was_lost_is_told_by_the_trace(
    monkeypatch: pytest.MonkeyPatch, start: Callable[..., Program]
) -> None:
    small = functools.partial(CloseSocket, buffer_bytes=1)  # the kernel makes it 2 KB
    monkeypatch.setattr(hearing, "CloseSocket", small)
    house = House()
    pid, directions = start(100).run()
    assert house.tick().is_lossy
    assert house.metrics.get(Metric.CLOSES_OVERRUN) >= 1
    assert not house.tick().is_lossy, "told once"
    closes = house.told(set(directions))
    assert len(closes) == 200
    assert {close.trace.process.pid for close in closes if close.trace and close.trace.process} == {
        pid
    }
    assert sum(close.socket.counters is None for close in closes) > 100
    house.kernel.close()


def test_records_that_were_overwritten_are_told_and_nobody_gets_a_wrong_process(
    monkeypatch: pytest.MonkeyPatch, start: Callable[..., Program]
) -> None:
    monkeypatch.setattr(
        kernel, "TransitionSource", functools.partial(TransitionSource, buffer_kb=8)
    )
    house = House()
    first, second = start(300), start(300)
    done: list[tuple[int, dict[int, str]]] = []
    threads = [
        threading.Thread(target=lambda program=program: done.append(program.run()))
        for program in (first, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.tick().is_lossy
    assert house.metrics.get(Metric.TRACE_PAGES_LOST) >= 1
    assert house.metrics.get(Metric.TRACE_RECORDS_LOST) >= 100
    directions = done[0][1] | done[1][1]
    pid_of = {cookie: pid for pid, told in done for cookie in told}
    closes = house.told(set(directions))
    assert len(closes) == 1200
    for close in closes:
        if close.trace is not None and close.trace.process is not None:
            assert close.trace.process.pid == pid_of[close.socket.cookie]
        if close.trace is not None and close.trace.direction != "unknown":
            assert close.trace.direction == directions[close.socket.cookie]
    house.kernel.close()


def test_a_close_socket_tells_its_overruns(start: Callable[..., Program]) -> None:
    closes = CloseSocket(Inbox(), all_namespaces=False, buffer_bytes=1)
    start(50).run()
    found: list[Message] = []
    assert closes.drain(found, 1000) == 1
    assert closes.drain(found, 1000) == 0
    closes.close()


# One socket by its addresses


@pytest.mark.parametrize(
    ("server", "client"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")]
)
def test_one_socket_is_found_by_its_addresses(server: str, client: str) -> None:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    diag = DiagSocket()
    with socket.create_server(
        (server, 0), family=family, dualstack_ipv6=server == "::"
    ) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((client, port)) as one, listener.accept()[0]:
            rows = diag.dump()[0]
            local = one.getsockname()[1]
            (wanted,) = [row for row in rows if (row.local_port, row.remote_port) == (local, port)]
            (other,) = [row for row in rows if (row.local_port, row.remote_port) == (port, local)]
            for row in (wanted, other):
                found = diag.get(row)
                assert found is not None
                assert (found.cookie, found.state) == (row.cookie, TcpState.ESTABLISHED)
    gone = make_socket(local_ip=bytes([127, 0, 0, 1]), remote_ip=bytes([127, 0, 0, 1]))
    assert diag.get(gone) is None
    diag.close()
