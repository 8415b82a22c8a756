"""Discovery and capture against the kernel: every namespace found, read, and let go."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.capture.ladder import Rung, Standing
from connbeat.capture.reader import CapturePolicy, SnapshotReader
from connbeat.discovery.namespaces import NamespaceReader
from connbeat.linux.procfs import ProcFs
from connbeat.model.sockets import SocketSnapshot, SocketSource, TcpState
from connbeat.model.targets import Target
from connbeat.telemetry.metrics import Metric, Metrics
from tests.system.harness import PREFIX, Netns, call, wait_until

SECOND = 1_000_000_000


class Blind:
    """A `Watch` that hears nothing: the rungs up to the dump alone."""

    has_transitions = False

    def covers(self, _: int) -> bool:
        return False

    def standing(self, _: int) -> Standing:
        return Standing(Rung.DUMP, "")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def snapshots(metrics: Metrics) -> Iterator[SnapshotReader]:
    reader = SnapshotReader(ProcFs(), CapturePolicy(highest=Rung.DUMP), Blind(), metrics)
    yield reader
    reader.close()


def found(netns: Netns) -> Target | None:
    return NamespaceReader(ProcFs()).read().targets.get(netns.inode)


def listening(snapshot: SocketSnapshot) -> set[int]:
    return {row.local_port for row in snapshot.sockets if row.state == TcpState.LISTEN}


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# Which namespaces there are


def test_our_own_namespace_is_the_hosts_and_comes_first() -> None:
    seen = NamespaceReader(ProcFs()).read()
    first = next(iter(seen.targets.values()))
    assert first.is_host
    assert os.getpid() in first.pids
    assert [target.is_host for target in seen.targets.values()].count(True) == 1


def test_a_namespace_without_a_process_is_found_by_its_name(netns: Netns) -> None:
    target = found(netns)
    assert target == Target(netns.inode, (), f"/run/netns/{netns.name}", is_host=False)


def test_a_file_that_is_no_namespace_is_none(netns: Netns, tmp_path: Path) -> None:
    """`ip netns add` makes the file first and mounts the namespace over it then."""
    (tmp_path / "half-made").touch()
    (tmp_path / "made").symlink_to(f"/run/netns/{netns.name}")
    seen = NamespaceReader(ProcFs(), [tmp_path]).read()
    assert [t.path for t in seen.targets.values() if t.path] == [str(tmp_path / "made")]
    assert seen.targets[netns.inode].path == str(tmp_path / "made")


def test_a_namespace_is_found_by_its_processes_and_forgotten_with_them() -> None:
    """As a container's: nobody keeps a name for it."""
    netns = Netns(f"{PREFIX}-unnamed")
    process = netns.start("sleep", "60")
    wait_until(lambda: ProcFs().netns(process.pid) == netns.inode, 5, "the process inside")
    call("ip", "netns", "del", netns.name)
    assert found(netns) == Target(netns.inode, (process.pid,), "", is_host=False)
    process.kill()
    process.communicate()
    assert found(netns) is None


# What is in them


def test_each_namespace_is_read_in_one_poll_and_only_what_changed_in_the_next(
    netns: Netns, snapshots: SnapshotReader, metrics: Metrics
) -> None:
    process = netns.start("busybox", "nc", "-l", "-p", "7777")

    def table() -> str:
        return call("ip", "netns", "exec", netns.name, "ss", "-Htnl")

    wait_until(lambda: ":7777" in table(), 5, "the listener")
    host = Target(Path("/proc/self/ns/net").stat().st_ino, (os.getpid(),), "", is_host=True)
    inside = Target(netns.inode, (process.pid,), "", is_host=False)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        first, second = snapshots.poll([host, inside], 0).snapshots
        assert ours.getsockname()[1] in listening(first)
        assert listening(second) == {7777}
        assert second.source is SocketSource.INET_DIAG
    assert netns.inode not in [s.netns for s in snapshots.poll([host, inside], SECOND).snapshots]
    assert metrics.get(Metric.DUMPS_SKIPPED) >= 1

    client = netns.start("busybox", "nc", "127.0.0.1", "7777")
    wait_until(lambda: ":7777" not in table(), 5, "the connection, which ends the listening")
    third = snapshots.poll([inside], 2 * SECOND).snapshots[0]
    established = [row for row in third.sockets if row.state == TcpState.ESTABLISHED]
    assert sorted(7777 in (row.local_port, row.remote_port) for row in established) == [True, True]
    for started in (client, process):
        started.kill()
        started.communicate()


def test_rung_0_reads_another_namespace_through_a_process_of_it(netns: Netns) -> None:
    process = netns.start("busybox", "nc", "-l", "-p", "7777")
    low = SnapshotReader(ProcFs(), CapturePolicy(highest=Rung.PROCFS), Blind(), Metrics())
    inside = Target(netns.inode, (process.pid,), "", is_host=False)
    wait_until(lambda: ProcFs().netns(process.pid) == netns.inode, 5, "the process inside")

    def is_listening() -> bool:
        polled = low.poll([inside], 0).snapshots
        return bool(polled) and listening(polled[0]) == {7777}

    wait_until(is_listening, 5, "the listener in the table")
    process.kill()
    process.communicate()
    assert low.poll([inside], 20 * SECOND).gone == (netns.inode,)
    low.close()


# How they end


def test_a_namespace_that_vanishes_between_discovery_and_reading_is_gone(
    snapshots: SnapshotReader,
) -> None:
    netns = Netns(f"{PREFIX}-vanishing")
    target = found(netns)
    assert target is not None
    netns.close()
    before = open_descriptors()
    poll = snapshots.poll([target], 0)
    assert (poll.snapshots, poll.gone) == ((), (target.netns,))
    assert open_descriptors() == before


def test_fifty_namespaces_that_come_and_go_leave_nothing_open(snapshots: SnapshotReader) -> None:
    before = open_descriptors()
    for number in range(50):
        netns = Netns(f"{PREFIX}-many-{number}")
        target = found(netns)
        assert target is not None
        assert [s.netns for s in snapshots.poll([target], 0).snapshots] == [netns.inode]
        assert open_descriptors() == before + 1
        netns.close()
        assert snapshots.poll([], 0).gone == (netns.inode,)
    assert open_descriptors() == before
    assert snapshots.standings() == {}
