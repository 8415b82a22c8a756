"""Supervise: the order of start and stop, signals, and the periodic lines of the log.

Start: outputs, container engine, capture. Stop: capture (with one last poll, so that what is known
is told), then the outputs drain within `shutdown_timeout`. A second signal leaves at once.
"""

import gc
import logging
import os
import signal
import threading
from collections.abc import Mapping
from types import FrameType

import connbeat
from connbeat.agent.build import Agent
from connbeat.agent.monitoring.monitor import Monitor, build_vitals
from connbeat.agent.monitoring.service import Service
from connbeat.agent.reloader import Reloader
from connbeat.agent.sight import read_sight
from connbeat.agent.signals import Wake, leave_at_once
from connbeat.capture.advice import lacks
from connbeat.capture.ladder import Rung
from connbeat.clock import Clock
from connbeat.discovery.docker_host import read_docker_host
from connbeat.errors import Permanent
from connbeat.linux.malloc import return_large_blocks
from connbeat.linux.rlimits import raise_descriptor_limit
from connbeat.telemetry.changes import MetricsLog
from connbeat.telemetry.metrics import Metric
from connbeat.telemetry.systemd import find_notifier

log = logging.getLogger(__name__)

#: The first poll waits so long for the engine's list, so that the first events have names.
_NAMES_SECONDS = 3.0
_POLL_END_SECONDS = 5.0
#: Objects made between two searches for garbage in circles, of which a turn makes next to none.
#: With Python's 700 they went through the values of a turn again and again: 0.9 us an end.
_GC_OBJECTS = 50_000


class Supervisor:
    """Runs an agent in the calling thread, which must be the main one: signals arrive there."""

    def __init__(
        self, agent: Agent, reloader: Reloader, environ: Mapping[str, str], clock: Clock
    ) -> None:
        self._agent = agent
        self._reloader = reloader
        self._environ = environ
        self._clock = clock
        self._wake = Wake()
        self._is_stopping = False
        self._must_reload = False
        self._has_signal = False
        self._exit_code = 0
        self._engine_name = ""
        self._capture = threading.Thread(target=self._observe, name="capture", daemon=True)
        self._service = Service(
            find_notifier(environ, os.getpid()),
            agent.observer_thread.heartbeat,
            agent.metrics,
            clock,
        )
        self._vitals = build_vitals(agent, clock)
        self._monitor = Monitor(agent, reloader.settings, self._vitals, clock)

    def run(self) -> int:
        """Until a signal, or until nothing is left to deliver to. Returns the exit code."""
        started_ns = self._clock.monotonic_ns()
        self._take_signals()
        _calm_collector()
        log.info("Setup Beat: connbeat. version=%s pid=%d", connbeat.__version__, os.getpid())
        return_large_blocks()
        raise_descriptor_limit()
        if not self._open_monitor():
            return 1
        if not self._open_queues() or not self._start_outputs():
            self._monitor.close()
            return 1
        self._monitor.start()
        self._start_docker()
        self._start_pods()
        self._capture.start()
        log.info("connbeat start running.")
        metrics_log = MetricsLog(self._agent.metrics)
        try:
            self._watch(metrics_log)
        finally:
            self._stop()
        metrics_log.write_totals((self._clock.monotonic_ns() - started_ns) / 1e9)
        log.info("connbeat stopped. exit_code=%d", self._exit_code)
        return self._exit_code

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._must_reload = True
        elif self._is_stopping:
            leave_at_once()
        else:
            self._is_stopping = self._has_signal = True
        self._wake.set()

    def _open_monitor(self) -> bool:
        try:
            self._monitor.open()
        except Permanent as error:
            log.error("The monitoring endpoint cannot be opened. error=%s", error)  # noqa: TRY400  it says it all
            return False
        return True

    def _open_queues(self) -> bool:
        try:
            self._agent.queues.open()
        except Permanent as error:
            log.error("The queue cannot be used. error=%s", error)  # noqa: TRY400  for the user
            return False
        return True

    def _start_outputs(self) -> bool:
        for worker in self._agent.workers:
            try:
                worker.start(self._on_gone)
            except Permanent as error:
                # No traceback: this is for the user, whose configuration cannot work.
                log.error(  # noqa: TRY400  for the user: no traceback
                    "The output cannot be used. output=%s error=%s", worker.name, error
                )
                return False
        return True

    def _on_gone(self, name: str, error: Permanent) -> None:
        log.error("Stopping, for an output is gone for good. output=%s error=%s", name, error)
        self._exit_code = 1
        self._is_stopping = True
        self._wake.set()

    def _start_docker(self) -> None:
        watcher = self._agent.observation.watcher
        if watcher is not None:
            threading.Thread(target=watcher.run, name="docker", daemon=True).start()
            self._clock.wait(watcher.ready, _NAMES_SECONDS)
            self._learn_docker_host()

    def _start_pods(self) -> None:
        pods = self._agent.observation.pods
        if pods is not None:
            pods.look()
            threading.Thread(target=pods.run, name="pods", daemon=True).start()

    def _learn_docker_host(self) -> None:
        """The engine names its host once it answers; the resolver may block, so not in capture."""
        watcher = self._agent.observation.watcher
        name = watcher.engine_name if watcher is not None else ""
        if name and name != self._engine_name:
            self._engine_name = name
            self._agent.builder.set_docker_host(read_docker_host(self._environ, name))

    def _observe(self) -> None:
        try:
            self._agent.observer_thread.run()
        finally:
            if not self._is_stopping:
                log.error("The capture thread ended; stopping.")
                self._exit_code = 1
                self._is_stopping = True
            self._wake.set()

    def _watch(self, metrics_log: MetricsLog) -> None:
        told_ns = self._clock.monotonic_ns()
        self._tell_sight()
        while not self._is_stopping:
            period = self._reloader.settings.logging.metrics_period_seconds
            left = period - (self._clock.monotonic_ns() - told_ns) / 1e9
            is_woken = self._wake.wait(min(left, self._service.due_seconds))
            self._service.work()
            if is_woken:
                self._reload()
                continue
            if self._clock.monotonic_ns() - told_ns < period * 1e9:
                continue
            told_ns = self._clock.monotonic_ns()
            self._learn_docker_host()
            self._vitals.refresh()
            self._service.tell_status()
            if self._reloader.settings.logging.metrics_enabled:
                metrics_log.write_changes(period)
        self._vitals.refresh()

    def _reload(self) -> None:
        if self._must_reload:
            self._must_reload = False
            log.info("Reading the configuration again, reopening outputs. signal=SIGHUP")
            self._service.reloading()
            new = self._reloader.reload()
            for worker in self._agent.workers:
                if worker.name not in new:
                    worker.reopen()
            self._service.reloaded()

    def _tell_sight(self) -> None:
        """Where capture stands, and in one line what would show more."""
        self._clock.wait(self._agent.observer_thread.first_poll_done, _POLL_END_SECONDS)
        sight = read_sight(self._agent.observation)
        for rung in Rung:
            count = sum(standing.rung is rung for standing in sight.standings)
            if count:
                log.info("Capture stands. rung=%s namespaces=%d", rung.label, count)
        missing = lacks(sight)
        if missing:
            text = "; ".join(f"{lack.what}: {lack.give}" for lack in missing)
            log.warning("More could be seen. %s", text)

    def _stop(self) -> None:
        self._is_stopping = True
        if self._has_signal:
            log.info("Received sigterm/sigint, stopping.")
        timeout_seconds = self._reloader.settings.shutdown_timeout_seconds
        self._monitor.stopping()
        self._service.stopping(timeout_seconds)
        log.info("Stopping. shutdown_timeout=%gs", timeout_seconds)
        deadline_ns = self._clock.monotonic_ns() + int(timeout_seconds * 1e9)
        self._agent.observer_thread.stop()
        if self._agent.observation.watcher is not None:
            self._agent.observation.watcher.stop()
        if self._agent.observation.pods is not None:
            self._agent.observation.pods.stop()
        if self._capture.is_alive():
            self._capture.join(max(0.1, (deadline_ns - self._clock.monotonic_ns()) / 1e9))
            if self._capture.is_alive():
                log.error("The last poll is not over in time; what it would tell is lost.")
        for worker in self._agent.workers:
            worker.drain(deadline_ns)
        for worker in self._agent.workers:
            counts = worker.join()
            log.info(
                "Output closed. output=%s delivered=%d retried=%d dropped=%d",
                worker.name,
                counts.delivered,
                counts.retried,
                counts.dropped,
            )
        self._agent.queues.close()
        self._monitor.close()
        log.info(
            "Polls and reports. polls=%d reports=%d",
            self._agent.metrics.get(Metric.POLLS),
            self._agent.metrics.total(Metric.REPORTS),
        )


def _calm_collector() -> None:
    """Look for garbage rarely, and never among what was there at the start: modules, settings."""
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS)
