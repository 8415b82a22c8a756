"""Events through a queue, in a process of their own, so that its CPU is theirs.

python -m bench.queue_user mem|disk COUNT RATE OUTPUTS FOLDER

RATE 0 is as quick as they go in. Prints seconds, CPU seconds and the longest `put`, as JSON.
"""

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from connbeat.clock import SystemClock
from connbeat.model.batches import Event, Outcome
from connbeat.queue.disk import DiskPolicy, DiskQueue
from connbeat.queue.fanout import FanOut
from connbeat.queue.memory import MemoryQueue
from connbeat.queue.protocol import Intake, Queue
from connbeat.telemetry.metrics import Metrics

# An event of a connection between two containers.
_BODY = b'{"@timestamp":"2026-11-23T10:00:02.123Z","x":"%s"}' % (b"x" * 650)
_PUT_EVENTS = 200
_LEASE_EVENTS = 2048
_POLICY = DiskPolicy(stage_events=1 << 20, stage_bytes=1 << 30)


def main(kind: str, folder: Path, *, count: int, rate: int, outputs: int) -> None:
    """One run."""
    names = [f"output{number}" for number in range(outputs)]
    events = [Event(f"0123456789abcdef-{n:x}-c1", n, _BODY) for n in range(count)]
    intake, places = (_on_disk if kind == "disk" else _in_memory)(names, folder)
    workers = [threading.Thread(target=_deliver, args=(place, count)) for place in places]
    cpu, start = time.process_time(), time.perf_counter()
    for worker in workers:
        worker.start()
    longest = _put(intake, events, rate)
    for worker in workers:
        worker.join()
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "longest_put": longest,
    }
    if isinstance(intake, DiskQueue):
        intake.close()
    print(msgspec.json.encode(figures).decode())  # noqa: T201  the result


def _put(intake: Intake, events: Sequence[Event], rate: int) -> float:
    start, longest = time.perf_counter(), 0.0
    for first in range(0, len(events), _PUT_EVENTS):
        began = time.perf_counter()
        intake.put(events[first : first + _PUT_EVENTS])
        longest = max(longest, time.perf_counter() - began)
        if rate:
            due = start + (first + _PUT_EVENTS) / rate
            threading.Event().wait(max(0.0, due - time.perf_counter()))
    return longest


def _deliver(place: Queue, count: int) -> None:
    delivered = 0
    while delivered < count:
        if (batch := place.lease(_LEASE_EVENTS)) is not None:
            place.settle(batch, Outcome(delivered=batch.events))
            delivered += len(batch.events)


def _on_disk(names: Sequence[str], folder: Path) -> tuple[Intake, list[Queue]]:
    queue = DiskQueue(folder, names, _POLICY, metrics=Metrics(), clock=SystemClock())
    queue.start()
    return queue, [queue.place(name) for name in names]


def _in_memory(names: Sequence[str], _: Path) -> tuple[Intake, list[Queue]]:
    queues = [
        MemoryQueue(name, Metrics(), SystemClock(), max_events=1 << 20, max_bytes=1 << 30)
        for name in names
    ]
    return FanOut(queues), list(queues)


if __name__ == "__main__":
    _, its_kind, its_count, its_rate, its_outputs, its_folder = sys.argv
    main(
        its_kind,
        Path(its_folder),
        count=int(its_count),
        rate=int(its_rate),
        outputs=int(its_outputs),
    )
