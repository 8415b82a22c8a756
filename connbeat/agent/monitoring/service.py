"""Service: what the service manager hears of the agent, and when. The main thread's.

`READY=1` once the queues are open and the capture thread has brought something to its end,
`WATCHDOG=1` only after it got further since the last: a capture that hangs is what the manager is
to restart the agent for.
"""

import math

from connbeat.clock import Clock
from connbeat.telemetry.heartbeat import Heartbeat
from connbeat.telemetry.metrics import Metric, Metrics
from connbeat.telemetry.systemd import Notifier

#: How often to look whether the first poll is over.
_READY_SECONDS = 0.2
#: Heard so many times in the manager's period, a beat that is late does no harm.
_BEATS = 4
#: What a stop takes beyond its timeout: the outputs' own ends, the spool's last transaction.
_STOP_SLACK_SECONDS = 15.0


class Service:
    """One thread calls it. Where no manager listens, every method does nothing."""

    def __init__(
        self, notifier: Notifier, heartbeat: Heartbeat, metrics: Metrics, clock: Clock
    ) -> None:
        self._notifier = notifier
        self._heartbeat = heartbeat
        self._metrics = metrics
        self._clock = clock
        self._is_ready = False
        self._told_beats = 0
        self._next_beat_ns = 0

    @property
    def due_seconds(self) -> float:
        """In how many seconds `work` wants to be called again, infinite for never."""
        if not self._notifier:
            return math.inf
        if not self._is_ready:
            return _READY_SECONDS
        if not self._notifier.watchdog_seconds:
            return math.inf
        return max(0.0, (self._next_beat_ns - self._clock.monotonic_ns()) / 1e9)

    def work(self) -> None:
        """Tell what is due."""
        if not self._is_ready and self._heartbeat.count:
            self._is_ready = self._notifier.tell("READY=1", self._status())
        if self._is_ready and self._notifier.watchdog_seconds:
            self._beat()

    def tell_status(self) -> None:
        """A line that `systemctl status` shows."""
        if self._is_ready:
            self._notifier.tell(self._status())

    def reloading(self) -> None:
        """The configuration is read again; `reloaded` follows."""
        if self._is_ready:
            now_us = self._clock.monotonic_ns() // 1000
            self._notifier.tell("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def reloaded(self) -> None:
        if self._is_ready:
            self._notifier.tell("READY=1", self._status())

    def stopping(self, timeout_seconds: float) -> None:
        """The stop begins; it has a deadline of its own, which the manager is asked to wait for.

        Its watchdog too: who delivers what is left has no time to say so.
        """
        lines = ["STOPPING=1", "STATUS=Delivering what is left."]
        allowed_us = int((timeout_seconds + _STOP_SLACK_SECONDS) * 1e6)
        lines.append(f"EXTEND_TIMEOUT_USEC={allowed_us}")
        if self._notifier.watchdog_seconds:
            period_us = max(allowed_us, int(self._notifier.watchdog_seconds * 1e6))
            lines += [f"WATCHDOG_USEC={period_us}", "WATCHDOG=1"]
        self._notifier.tell(*lines)

    def _beat(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._next_beat_ns:
            return
        self._next_beat_ns = now_ns + int(self._notifier.watchdog_seconds * 1e9 / _BEATS)
        if self._heartbeat.count != self._told_beats:
            self._told_beats = self._heartbeat.count
            self._notifier.tell("WATCHDOG=1")

    def _status(self) -> str:
        return f"STATUS={status_line(self._metrics)}"


def status_line(metrics: Metrics) -> str:
    """The agent in one line: rungs, connections, and what became of the events."""
    rungs = [
        f"{sample.labels[0]}:{sample.value:.0f}"
        for sample in metrics.samples()
        if sample.metric is Metric.NAMESPACES and sample.value
    ]
    return (
        f"namespaces={','.join(rungs) or 'none'}"
        f" connections={metrics.get(Metric.CONNECTIONS):.0f}"
        f" delivered={metrics.total(Metric.EVENTS_DELIVERED):.0f}"
        f" waiting={metrics.total(Metric.QUEUE_EVENTS):.0f}"
        f" dropped={metrics.total(Metric.EVENTS_DROPPED):.0f}"
    )
