"""A queue on disk without its thread: a test says when it writes, and when it crashes."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from connbeat.backoff import Backoff
from connbeat.model.batches import Batch, Event
from connbeat.queue.disk import DiskPlace
from connbeat.queue.spool import Spool
from connbeat.queue.stage import Stage
from connbeat.queue.state import SpoolState
from connbeat.queue.writer import SpoolWriter, WriterPolicy
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock, ids

_LINES = RateLimited(logging.getLogger("connbeat.queue.disk"), FakeClock())


class Desk:
    """One run of an agent, as far as its spool is concerned."""

    def __init__(
        self,
        directory: Path,
        *outputs: str,
        max_bytes: int = 0,
        stage_events: int = 10_000,
        metrics: Metrics | None = None,
    ) -> None:
        self.directory = directory
        self.outputs = outputs or ("out",)
        self.metrics = metrics or Metrics()
        self.clock = FakeClock()
        self.state = SpoolState(self.outputs, Stage(stage_events, 1 << 30), self.metrics)
        self.writer = SpoolWriter(
            self.state,
            Spool(directory, max_bytes, self.clock),
            WriterPolicy(backoff=Backoff(init_seconds=0.001, max_seconds=0.001)),
            metrics=self.metrics,
            clock=self.clock,
        )
        self.places = {output: DiskPlace(self.state, output, _LINES) for output in self.outputs}

    def open(self) -> "Desk":
        self.writer.open()
        return self

    @property
    def place(self) -> DiskPlace:
        return self.places[self.outputs[0]]

    def put(self, events: Sequence[Event]) -> None:
        with self.state.changed:
            self.state.stage.put(events)

    def write(self, *events: Event) -> None:
        """Put these, and let the writer have its turn."""
        self.put(events)
        self.writer.work()

    def lease(self, output: str = "", max_events: int = 1000) -> Batch | None:
        """What is on disk now, without waiting for the writer."""
        place = self.places[output or self.outputs[0]]
        place.wake()
        return place.lease(max_events)

    def take(self, output: str = "") -> list[str]:
        batch = self.lease(output)
        return ids(batch.events) if batch else []

    def dropped(self, reason: str, output: str = "") -> float:
        output = output or self.outputs[0]
        return self.metrics.get(Metric.EVENTS_DROPPED, output=output, reason=reason)

    def crash(self, to: Path, *outputs: str) -> "Desk":
        """What a kill -9 leaves, in another directory, not opened yet. This one still runs."""
        to.mkdir()
        for name in ("spool.db", "spool.db-wal"):
            if (self.directory / name).exists():
                shutil.copyfile(self.directory / name, to / name)
        return Desk(to, *(outputs or self.outputs))

    def close(self) -> None:
        self.writer.close()
