"""What the agent itself uses: CPU, memory, descriptors, its helper process included."""

import logging
from collections.abc import Callable

import psutil

from connbeat.telemetry.metrics import Metric, Metrics

_log = logging.getLogger(__name__)


class SelfUsage:
    """Puts the agent's own figures into the metrics when asked. One thread calls it.

    `helper` tells the pid of the process that the agent keeps beside it, 0 if there is none now.
    """

    def __init__(self, metrics: Metrics, helper: Callable[[], int]) -> None:
        self._metrics = metrics
        self._helper = helper
        self._process = psutil.Process()

    def cpu_seconds(self) -> float | None:
        """User and system time so far; None if it cannot be read. Cheap: two files."""
        try:
            return self._own_cpu() + self._helper_figures()[0]
        except (psutil.Error, OSError):
            return None

    def update(self) -> None:
        """Never raises; a figure that cannot be read keeps its last value."""
        try:
            with self._process.oneshot():
                helper_cpu, helper_bytes = self._helper_figures()
                self._metrics.set(Metric.CPU_SECONDS, self._own_cpu() + helper_cpu)
                own_bytes = self._process.memory_info().rss
                self._metrics.set(Metric.MEMORY_BYTES, own_bytes + helper_bytes)
                self._metrics.set(Metric.OPEN_FDS, self._process.num_fds())
        except (psutil.Error, OSError) as error:
            _log.debug("The agent's own figures could not be read. error=%s", error)

    def _own_cpu(self) -> float:
        """Of helpers that have ended, too: the kernel keeps it."""
        cpu = self._process.cpu_times()
        return float(cpu.user + cpu.system + cpu.children_user + cpu.children_system)

    def _helper_figures(self) -> tuple[float, int]:
        """Its CPU seconds, and the memory that it does not share with us."""
        pid = self._helper()
        if not pid:
            return 0.0, 0
        process = psutil.Process(pid)
        cpu, memory = process.cpu_times(), process.memory_info()
        return cpu.user + cpu.system, memory.rss - memory.shared
