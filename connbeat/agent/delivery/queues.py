"""From `queue.*` to the queues of all outputs: in memory, one each; on disk, one spool for all."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from connbeat.backoff import Backoff
from connbeat.clock import Clock
from connbeat.config.schema import QueueDiskConfig, Settings
from connbeat.queue.fanout import FanOut
from connbeat.queue.memory import MemoryQueue
from connbeat.queue.protocol import Intake, Queue
from connbeat.telemetry.metrics import Metrics


class Queues(msgspec.Struct, frozen=True):
    """Where events go in, and each output's place, in the order the outputs were named in.

    `open` comes before anything else and raises `Permanent` if events can never be kept there.
    `close` comes last: what is on disk stays for the next start. `trouble` says why the disk takes
    nothing now, "" if it does or there is none; any thread may ask.
    """

    intake: Intake
    places: tuple[Queue, ...]
    open: Callable[[], None]
    close: Callable[[], None]
    trouble: Callable[[], str]


def build_queues(
    settings: Settings, outputs: Sequence[str], clock: Clock, metrics: Metrics
) -> Queues:
    """The queues of these outputs, none of them opened."""
    if settings.queue_disk.enabled and outputs:
        return _on_disk(settings, outputs, clock, metrics)
    config = settings.queue_mem
    queues = tuple(
        MemoryQueue(output, metrics, clock, max_events=config.events, max_bytes=config.max_bytes)
        for output in outputs
    )
    return Queues(FanOut(queues), queues, _nothing, _nothing, str)


def flushing(settings: Settings) -> tuple[int, float]:
    """How many events a batch should wait for, and how many seconds at most.

    From disk events come in the writer's own batches, which have waited already.
    """
    if settings.queue_disk.enabled:
        return 1, 0.0
    config = settings.queue_mem
    return min(config.flush_min_events, config.events), config.flush_timeout_seconds


def spool_directory(config: QueueDiskConfig, path_data: str) -> Path:
    return Path(config.path) if config.path else Path(path_data, "spool")


def _on_disk(settings: Settings, outputs: Sequence[str], clock: Clock, metrics: Metrics) -> Queues:
    # SQLite is 2 MB of an agent that has no use for it otherwise.
    from connbeat.queue.disk import DiskPolicy, DiskQueue  # noqa: PLC0415  see above

    config = settings.queue_disk
    queue = DiskQueue(
        spool_directory(config, settings.path.data),
        outputs,
        DiskPolicy(
            max_bytes=config.max_size,
            stage_events=config.write_ahead,
            backoff=Backoff(
                init_seconds=config.retry_interval_seconds,
                max_seconds=config.max_retry_interval_seconds,
            ),
        ),
        metrics=metrics,
        clock=clock,
    )
    places = tuple(map(queue.place, outputs))
    return Queues(queue, places, queue.start, queue.close, lambda: queue.trouble)


def _nothing() -> None:
    """What there is to do for memory."""
