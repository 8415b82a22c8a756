"""Dead letters: a place for events that an output gave up, each with the reason."""

import logging
from pathlib import Path

import msgspec

from connbeat.clock import Clock
from connbeat.errors import OutputError
from connbeat.model.batches import Batch, Drop, Event
from connbeat.model.dates import date_format
from connbeat.outputs.protocol import Output
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metric, Metrics

_log = logging.getLogger(__name__)

_RFC3339 = date_format("yyyy-MM-dd'T'HH:mm:ss'Z'")


class DeadLetters:
    """The dead letters of one output, in a file of their own. Its worker's thread calls it.

    The file is made when the first event goes there. An event whose body is no JSON is kept as
    text, so that every line stays JSON.
    """

    def __init__(self, name: str, file: Output, metrics: Metrics, clock: Clock) -> None:
        """`file` takes the lines; it belongs to us."""
        self._name = name
        self._file = file
        self._metrics = metrics
        self._clock = clock
        self._lines = RateLimited(_log, clock)

    def keep(self, drops: tuple[Drop, ...]) -> bool:
        """Whether they are all on the disk now. Blocks on it, never raises."""
        events = tuple(self._letter(drop) for drop in drops)
        try:
            kept = len(self._file.send(Batch(lease=0, events=events)).delivered)
        except OutputError as error:
            kept = 0
            self._lines.warning(
                "Dead letters cannot be written. output=%s error=%s", self._name, error
            )
        if kept:
            self._metrics.add(Metric.DEAD_LETTERS, kept, output=self._name)
        return kept == len(events)

    def close(self) -> None:
        self._file.close()

    def _letter(self, drop: Drop) -> Event:
        body = msgspec.json.encode(
            {
                "dropped_at": _RFC3339(self._clock.now_ns()),
                "output": self._name,
                "id": drop.event.id,
                "reason": drop.reason,
                "error": drop.detail,
                "event": _as_json(drop.event.body),
            }
        )
        return Event(drop.event.id, drop.event.timestamp_ns, body)


def dead_letter_directory(path: str, data: str) -> Path:
    """Where the files are: `dead_letter.path`, otherwise below `path.data`."""
    return Path(path) if path else Path(data or "data", "dead_letter")


def _as_json(body: bytes) -> msgspec.Raw | str:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return body.decode(errors="replace")
    return msgspec.Raw(body)
