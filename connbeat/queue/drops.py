"""Events that leave a queue unsent: counted with their reason, and told now and then."""

import logging

from connbeat.clock import Clock
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metric, Metrics

#: The queue's own limit was reached.
QUEUE_FULL = "queue_full"
#: The disk takes nothing, and memory was full, too.
DISK_FULL = "disk_full"
DISK_ERROR = "disk_error"
#: The disk works, but more slowly than events come.
DISK_SLOW = "disk_slow"
#: They came after the end.
CLOSED = "queue_closed"
#: The spool was damaged; what it held lies beside it.
SPOOL_DAMAGED = "spool_damaged"
#: The output they waited for is no longer configured.
OUTPUT_REMOVED = "output_removed"
#: All of them: what a queue gave up, as opposed to an output.
QUEUE_REASONS = frozenset(
    (QUEUE_FULL, DISK_FULL, DISK_ERROR, DISK_SLOW, CLOSED, SPOOL_DAMAGED, OUTPUT_REMOVED)
)


class Drops:
    """Thread-safe. Call it outside of locks: a log that blocks must not hold up the other side."""

    def __init__(self, log: logging.Logger, metrics: Metrics, clock: Clock) -> None:
        self._lines = RateLimited(log, clock)
        self._metrics = metrics

    def count(self, output: str, reason: str, dropped: int) -> None:
        """So many events of this output are lost; nothing happens if none are."""
        if not dropped:
            return
        self._metrics.add(Metric.EVENTS_DROPPED, dropped, output=output, reason=reason)
        self._lines.error(
            "Events left the queue unsent and are lost. output=%s reason=%s count=%d total=%d",
            output,
            reason,
            dropped,
            self._metrics.get(Metric.EVENTS_DROPPED, output=output, reason=reason),
            key=f"{output} {reason}",
        )
