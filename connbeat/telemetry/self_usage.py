"""What the agent itself uses: CPU, memory, descriptors."""

import logging

import psutil

from connbeat.telemetry.metrics import Metric, Metrics

_log = logging.getLogger(__name__)


class SelfUsage:
    """Puts the agent's own figures into the metrics when asked. One thread calls it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._process = psutil.Process()

    def update(self) -> None:
        """Never raises; a figure that cannot be read keeps its last value."""
        try:
            with self._process.oneshot():
                cpu = self._process.cpu_times()
                self._metrics.set(Metric.CPU_SECONDS, cpu.user + cpu.system)
                self._metrics.set(Metric.MEMORY_BYTES, self._process.memory_info().rss)
                self._metrics.set(Metric.OPEN_FDS, self._process.num_fds())
        except (psutil.Error, OSError) as error:
            _log.debug("The agent's own figures could not be read. error=%s", error)
