"""One lane to Logstash: window after window to one host at a time."""

import logging
from collections.abc import Iterator
from typing import Protocol

from connbeat.clock import Clock
from connbeat.errors import Transient
from connbeat.model.batches import Event, Outcome
from connbeat.outputs.failover import Failover
from connbeat.outputs.logstash.frames import encode_window
from connbeat.outputs.logstash.windows import WindowSize
from connbeat.telemetry.log import RateLimited

# A window is built, and compressed, in memory.
_WINDOW_BYTES = 8 * 1024 * 1024

_log = logging.getLogger(__name__)


class WindowConnection(Protocol):
    """The part of `connection.Connection` that a lane uses."""

    def is_usable(self) -> bool: ...

    def deliver(self, window: bytes, count: int) -> tuple[int, Transient | None]: ...

    def close(self) -> None: ...


class LogstashLane:
    """A `Lane`. What is acknowledged is delivered, the rest is to be sent again."""

    def __init__(
        self,
        failover: Failover[WindowConnection],
        size: WindowSize,
        *,
        prefix: bytes,
        compression_level: int,
        clock: Clock,
    ) -> None:
        self._failover = failover
        self._size = size
        self._prefix = prefix
        self._compression_level = compression_level
        self._lines = RateLimited(_log, clock)

    def open(self) -> None:
        """Raises Transient."""
        self._failover.connection()

    def send(self, events: tuple[Event, ...]) -> Outcome:
        done = 0
        while done < len(events):
            window = take_window(events, done, self._size.events, _WINDOW_BYTES)
            acknowledged, error = self._deliver(window)
            done += acknowledged
            if error is not None and not done:
                raise error
            if error is not None:
                self._lines.warning(
                    "Logstash took a part of a batch; the rest is sent again. error=%s", error
                )
                break
        return Outcome(delivered=events[:done], retry=events[done:])

    def close(self) -> None:
        self._failover.close()

    def _deliver(self, events: tuple[Event, ...]) -> tuple[int, Transient | None]:
        try:
            connection = self._failover.connection()
        except Transient as error:
            return 0, error
        window = encode_window(
            [event.body for event in events],
            prefix=self._prefix,
            compression_level=self._compression_level,
        )
        acknowledged, trouble = connection.deliver(window, len(events))
        if trouble is None:
            self._failover.worked()
            self._size.succeeded(len(events))
            return acknowledged, None
        self._size.failed()
        return acknowledged, Transient(f"{self._failover.failed()}: {trouble}")


def take_window(
    events: tuple[Event, ...], first: int, max_events: int, max_bytes: int
) -> tuple[Event, ...]:
    """As many of the events from number `first` on as one window may have; at least one."""
    return tuple(_within(events[first : first + max_events], max_bytes))


def _within(events: tuple[Event, ...], max_bytes: int) -> Iterator[Event]:
    size = 0
    for number, event in enumerate(events):
        size += event.size_bytes
        if number and size > max_bytes:
            return
        yield event
