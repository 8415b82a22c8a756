"""The queue on disks that are really full or read-only, and the real agent around it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.backoff import Backoff
from connbeat.clock import SystemClock
from connbeat.errors import Permanent
from connbeat.model.batches import Event, Outcome
from connbeat.queue.disk import DiskPlace, DiskPolicy, DiskQueue
from connbeat.queue.drops import DISK_FULL
from connbeat.queue.store import count_waiting
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import event, ids
from tests.servers.http_server import HttpServer
from tests.servers.processes import free_port
from tests.system.harness import Agent, call, wait_until

DISK_BYTES = 12 * 1024 * 1024
BODY = b'{"x":"%s"}' % (b"x" * 1000)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    call("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "connbeat-test", str(path))
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


class Run:
    """A queue of one output on disk, as the agent makes it."""

    def __init__(self, directory: Path, stage_events: int = 100_000) -> None:
        self.metrics = Metrics()
        policy = DiskPolicy(
            stage_events=stage_events,
            commit_seconds=0.01,
            backoff=Backoff(init_seconds=0.02, max_seconds=0.1),
        )
        self.queue = DiskQueue(
            directory, ["out"], policy, metrics=self.metrics, clock=SystemClock()
        )
        self.queue.start()

    @property
    def place(self) -> DiskPlace:
        return self.queue.place("out")

    def put(self, count: int, first: int = 0) -> None:
        for number in range(first, first + count, 100):
            self.queue.put([event(n, BODY) for n in range(number, number + 100)])

    def failures(self) -> float:
        return self.metrics.get(Metric.SPOOL_FAILURES, reason=DISK_FULL)

    def written(self) -> int:
        return int(self.metrics.get(Metric.SPOOL_EVENTS_WRITTEN))

    def take(self, count: int) -> list[Event]:
        """Until so many are delivered."""
        taken: list[Event] = []
        while len(taken) < count:
            if (batch := self.place.lease(500)) is not None:
                assert self.place.settle(batch, Outcome(delivered=batch.events))
                taken += batch.events
        return taken


def fill(disk: Path, leave_bytes: int) -> Path:
    """A file that takes all the room but this."""
    filler = disk / "filler"
    free = int(call("stat", "-f", "-c", "%a", str(disk))) * 4096
    filler.write_bytes(b"\0" * max(0, free - leave_bytes))
    return filler


def test_nothing_is_lost_or_doubled_when_the_disk_was_full_for_a_while(disk: Path) -> None:
    filler = fill(disk, leave_bytes=2 * 1024 * 1024)
    run = Run(disk / "spool")
    run.put(4000)
    wait_until(lambda: run.failures() >= 3, 20, "the disk was full")
    assert 0 < run.written() < 4000
    assert len(run.place) == 4000
    filler.unlink()
    assert ids(run.take(4000)) == [f"e{n}" for n in range(4000)]
    assert run.metrics.total(Metric.EVENTS_DROPPED) == 0
    run.queue.close()


def test_what_memory_cannot_hold_meanwhile_is_lost_and_counted(disk: Path) -> None:
    filler = fill(disk, leave_bytes=1024 * 1024)
    run = Run(disk / "spool", stage_events=1000)
    run.put(1000)
    wait_until(lambda: run.failures() >= 1, 20, "the disk was full")
    run.put(5000, first=1000)
    dropped = run.metrics.get(Metric.EVENTS_DROPPED, output="out", reason=DISK_FULL)
    assert 4000 <= dropped <= 5000
    filler.unlink()
    taken = ids(run.take(6000 - int(dropped)))
    assert len(set(taken)) == len(taken)
    assert taken[-1000:] == [f"e{n}" for n in range(5000, 6000)], "the newest are kept"
    run.queue.close()


def test_what_is_on_a_disk_that_stays_full_is_delivered(disk: Path) -> None:
    run = Run(disk / "spool")
    run.put(5000)
    wait_until(lambda: run.written() == 5000, 20, "it is all on disk")
    filler = fill(disk, leave_bytes=0)
    assert ids(run.take(5000)) == [f"e{n}" for n in range(5000)]
    run.put(2000, first=5000)
    filler.unlink()
    assert ids(run.take(2000)) == [f"e{n}" for n in range(5000, 7000)]
    assert run.metrics.total(Metric.EVENTS_DROPPED) == 0
    run.queue.close()


def test_a_start_on_a_full_disk_waits_for_room(disk: Path) -> None:
    filler = fill(disk, leave_bytes=0)
    run = Run(disk / "new" / "spool")
    run.put(100)
    wait_until(lambda: run.failures() >= 3, 20, "the disk was full")
    assert len(run.place) == 100
    filler.unlink()
    assert len(run.take(100)) == 100
    run.queue.close()


def test_a_spool_found_on_a_full_disk_is_delivered(disk: Path) -> None:
    run = Run(disk / "spool")
    run.put(3000)
    run.queue.close()
    fill(disk, leave_bytes=200 * 1024)
    run = Run(disk / "spool")
    assert len(run.take(3000)) == 3000
    run.queue.close()
    run = Run(disk / "spool")
    assert len(run.place) == 0, "and it is known that it was"
    run.queue.close()


def test_a_read_only_disk_is_told_at_the_start(disk: Path) -> None:
    run = Run(disk / "spool")
    run.put(100)
    run.queue.close()
    call("mount", "-o", "remount,ro", str(disk))
    for directory in (disk / "spool", disk / "new"):
        with pytest.raises(Permanent, match="cannot be written"):
            Run(directory)
    call("mount", "-o", "remount,rw", str(disk))
    run = Run(disk / "spool")
    assert len(run.take(100)) == 100
    run.queue.close()


# ---------------------------------------------------------------------- the real agent
def options(port: int) -> tuple[str, ...]:
    return (
        "connbeat.poll_interval=100ms",
        "connbeat.aggregation=100ms",
        "connbeat.capture=dump",
        f"output.http.hosts=[127.0.0.1:{port}]",
        "output.http.batch=ndjson",
        "output.http.backoff.max=200ms",
        "queue.disk.max_size=100MB",
        "shutdown_timeout=2s",
        "path.data=data",
    )


def received(server: HttpServer) -> list[bytes]:
    return [line for body in server.bodies() for line in body.splitlines()]


def test_what_could_not_be_delivered_is_after_a_restart_and_after_a_kill(tmp_path: Path) -> None:
    port = free_port()
    folders = [tmp_path / name for name in ("stopped", "killed", "last")]
    for folder in folders:
        folder.mkdir()
    data = f"path.data={tmp_path / 'data'}"

    with Agent(folders[0], *options(port), data).wait_ready() as agent:
        assert agent.stop() == 0
    assert "stays for the next start. output=http events=" in agent.log()

    killed = Agent(folders[1], *options(port), data).wait_ready()
    assert "Events of an earlier run wait in the spool. output=http" in killed.log()
    wait_until(lambda: (tmp_path / "data/spool/spool.db-wal").stat().st_size > 100_000, 20, "work")
    killed.process.kill()
    killed.process.wait()
    waiting = count_waiting(tmp_path / "data/spool/spool.db")["http"]
    assert waiting > 0
    with HttpServer(port=port) as server, Agent(folders[2], *options(port), data) as agent:
        wait_until(lambda: len(received(server)) >= waiting, 30, f"{waiting} events")
        assert agent.stop() == 0
        assert len(set(received(server))) == len(received(server))
    assert "output=http events=0 bytes=0" in agent.log()


def test_a_second_agent_on_the_same_spool_says_so_and_ends(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    data = f"path.data={tmp_path / 'data'}"
    with Agent(tmp_path / "one", *options(free_port()), data).wait_ready() as agent:
        command = [sys.executable, "-m", "connbeat", "run", "-e"]
        for option in (*options(free_port()), data):
            command += ["-E", option]
        second = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
        )
        assert second.returncode == 1
        assert f"in use by another agent (pid {agent.process.pid})" in second.stderr
        assert "Traceback" not in second.stderr
