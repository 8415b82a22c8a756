"""The file output on a disk that is really full."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.agent.delivery.deliver import DeliveryPolicy, DeliveryWorker
from connbeat.agent.delivery.delivery_report import DeliveryCounts
from connbeat.backoff import Backoff
from connbeat.clock import SystemClock
from connbeat.model.batches import Event
from connbeat.outputs.file.client import FileOutput
from connbeat.outputs.file.rotation import Rotation
from connbeat.queue.memory import MemoryQueue
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import event
from tests.system.harness import call, wait_until

DISK_BYTES = 256 * 1024
PAGE_BYTES = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    call("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "connbeat-test", str(path))
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


class Delivery:
    """A queue, a worker and a file output, as the agent wires them."""

    def __init__(self, directory: Path, max_events: int = 10_000) -> None:
        self.metrics = Metrics()
        self.clock = SystemClock()
        self.queue = MemoryQueue(
            "file", self.metrics, self.clock, max_events=max_events, max_bytes=1 << 24
        )
        rotation = Rotation(max_bytes=48 * 1024, number_of_files=100)
        self.worker = DeliveryWorker(
            FileOutput(directory, "connbeat", rotation=rotation),
            self.queue,
            DeliveryPolicy(max_events=64, backoff=Backoff(init_seconds=0.02, max_seconds=0.1)),
            metrics=self.metrics,
            clock=self.clock,
        )
        self.worker.start(lambda name, error: pytest.fail(f"{name} is gone: {error}"))

    def failures(self) -> float:
        return self.metrics.get(Metric.OUTPUT_FAILURES, output="file", kind="transient")

    def stop(self, seconds: float) -> DeliveryCounts:
        self.worker.drain(self.clock.monotonic_ns() + int(seconds * 1e9))
        return self.worker.join()


def documents(count: int, first: int = 0) -> list[Event]:
    """Together larger than the space left: lines of different lengths, so pages end inside one."""
    return [event(n, b'{"n":%d,"x":"%s"}' % (n, b"x" * (n * 7 % 400))) for n in range(first, count)]


def fill(disk: Path, leave_bytes: int) -> Path:
    filler = disk / "filler"
    filler.write_bytes(b"\0" * (DISK_BYTES - leave_bytes))
    return filler


def lines(disk: Path) -> list[bytes]:
    paths = [path for path in disk.iterdir() if path.name.startswith("connbeat")]
    paths.sort(key=lambda path: int(f"0{path.suffix[1:]}"), reverse=True)
    data = b"".join(path.read_bytes() for path in paths)
    assert not data or data.endswith(b"\n"), "half a line"
    return data.split(b"\n")[:-1]


def test_nothing_is_lost_or_doubled_when_the_disk_was_full_for_a_while(disk: Path) -> None:
    filler = fill(disk, leave_bytes=20 * PAGE_BYTES)
    delivery = Delivery(disk)
    put = documents(600)
    delivery.queue.put(put)
    wait_until(lambda: delivery.failures() >= 3, 20, "the disk was full")

    half = lines(disk)
    assert 0 < len(half) < len(put)
    assert half == [one.body for one in put[: len(half)]]
    assert len(delivery.queue) == len(put) - len(half)

    filler.unlink()
    assert delivery.stop(20).dropped == 0
    assert lines(disk) == [one.body for one in put]
    assert delivery.metrics.get(Metric.EVENTS_DELIVERED, output="file") == len(put)


def test_what_no_longer_fits_into_the_queue_is_counted(disk: Path) -> None:
    filler = fill(disk, leave_bytes=2 * PAGE_BYTES)
    delivery = Delivery(disk, max_events=200)
    put = documents(1000)
    for first in range(0, len(put), 50):
        delivery.queue.put(put[first : first + 50])
    wait_until(lambda: delivery.failures() >= 3, 20, "the disk was full")
    filler.unlink()
    counts = delivery.stop(20)
    arrived = lines(disk)
    assert counts.dropped > 0
    assert counts.delivered + counts.dropped == len(put)
    assert len(arrived) == len(set(arrived)) == counts.delivered
    assert set(arrived) <= {one.body for one in put}
    assert arrived[-1] == put[-1].body, "the newest are kept"


def test_a_disk_that_stays_full_does_not_hold_up_the_end(disk: Path) -> None:
    fill(disk, leave_bytes=2 * PAGE_BYTES)
    delivery = Delivery(disk)
    put = documents(600)
    delivery.queue.put(put)
    wait_until(lambda: delivery.failures() >= 1, 20, "the disk was full")
    counts = delivery.stop(0.2)
    arrived = lines(disk)
    assert counts.delivered == len(arrived)
    assert counts.delivered + counts.dropped == len(put)
    assert delivery.metrics.get(Metric.EVENTS_DROPPED, output="file", reason="shutdown") > 0


def test_a_start_on_a_full_disk_waits_for_room(disk: Path) -> None:
    filler = fill(disk, leave_bytes=0)
    delivery = Delivery(disk / "new" / "directory")
    delivery.queue.put(documents(5))
    wait_until(lambda: delivery.failures() >= 2, 20, "the disk was full")
    filler.unlink()
    counts = delivery.stop(20)
    assert (counts.delivered, counts.dropped) == (5, 0)
    assert len(lines(disk / "new" / "directory")) == 5


def test_files_moved_away_while_events_flow_lose_and_double_nothing(disk: Path) -> None:
    """What logrotate does: rename, SIGHUP, and later look into the old file."""
    delivery = Delivery(disk / "logs")
    put = documents(300)
    is_over = threading.Event()

    def produce() -> None:
        for one in put:
            delivery.queue.put([one])
            is_over.wait(0.001)

    producer = threading.Thread(target=produce)
    producer.start()
    path = disk / "logs" / "connbeat"
    for number in range(5):
        wait_until(path.exists, 20, "the file was made again")
        wait_until(lambda: path.stat().st_size > 0, 20, "something was written")
        path.rename(disk / f"moved.{number}")
        delivery.worker.reopen()
    producer.join()
    assert delivery.stop(20).delivered == len(put)
    moved = [(disk / f"moved.{number}").read_bytes() for number in range(5)]
    written = b"".join(moved) + b"".join(one + b"\n" for one in lines(disk / "logs"))
    assert written.splitlines() == [one.body for one in put]
