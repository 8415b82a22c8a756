"""What the agent itself uses: CPU, memory, descriptors, its helper process included."""

import logging
from collections.abc import Callable

import msgspec
import psutil

from connbeat.telemetry.metrics import Metric, Metrics

_log = logging.getLogger(__name__)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The figures in detail; `private_bytes` are those of memory that nobody else shares."""

    user_seconds: float = 0.0
    system_seconds: float = 0.0
    memory_bytes: int = 0
    private_bytes: int = 0
    open_fds: int = 0


class SelfUsage:
    """Puts the agent's own figures into the metrics when asked. One thread at a time calls it.

    `helper` tells the pid of the process that the agent keeps beside it, 0 if there is none now.
    """

    def __init__(self, metrics: Metrics, helper: Callable[[], int]) -> None:
        self._metrics = metrics
        self._helper = helper
        self._process = psutil.Process()
        self.last = Usage()

    def cpu_seconds(self) -> float | None:
        """User and system time so far; None if it cannot be read."""
        try:
            cpu, helper = self._process.cpu_times(), self._helper_figures()
        except (psutil.Error, OSError):
            return None
        ended = cpu.children_user + cpu.children_system
        helpers = helper.user_seconds + helper.system_seconds
        return float(cpu.user + cpu.system + ended + helpers)

    def update(self) -> None:
        """Never raises; a figure that cannot be read keeps its last value."""
        try:
            self.last = self._read()
        except (psutil.Error, OSError) as error:
            _log.debug("The agent's own figures could not be read. error=%s", error)
            return
        cpu = self.last.user_seconds + self.last.system_seconds
        self._metrics.set(Metric.CPU_SECONDS, cpu)
        self._metrics.set(Metric.MEMORY_BYTES, self.last.memory_bytes)
        self._metrics.set(Metric.OPEN_FDS, self.last.open_fds)

    def _read(self) -> Usage:
        with self._process.oneshot():
            cpu, memory = self._process.cpu_times(), self._process.memory_info()
            helper = self._helper_figures()
            return Usage(
                # Of helpers that have ended the kernel keeps it itself.
                user_seconds=cpu.user + cpu.children_user + helper.user_seconds,
                system_seconds=cpu.system + cpu.children_system + helper.system_seconds,
                memory_bytes=memory.rss + helper.private_bytes,
                private_bytes=memory.rss - memory.shared + helper.private_bytes,
                open_fds=self._process.num_fds(),
            )

    def _helper_figures(self) -> Usage:
        """Its CPU, and the memory that it does not share with us."""
        pid = self._helper()
        if not pid:
            return Usage()
        process = psutil.Process(pid)
        cpu, memory = process.cpu_times(), process.memory_info()
        return Usage(
            user_seconds=cpu.user,
            system_seconds=cpu.system,
            private_bytes=memory.rss - memory.shared,
        )
