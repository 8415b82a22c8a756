"""Reloader: SIGHUP reads the configuration again and changes what can be changed under way.

`agent.reload` decides, this tells the parts. Nothing is told of a configuration with a fault in it.
"""

import logging
from collections.abc import Callable
from functools import partial

import msgspec

from connbeat.agent.build import Agent, capture_policy, document_policy, tracker_policy
from connbeat.agent.delivery.outputs import build_outputs, delivery_policy
from connbeat.agent.logs import log_settings
from connbeat.agent.processing import build_processing
from connbeat.agent.reload import Part, Plan, plan
from connbeat.clock import Clock
from connbeat.config.schema import Settings
from connbeat.errors import ConfigError
from connbeat.outputs.protocol import Output
from connbeat.telemetry.log import set_up

log = logging.getLogger(__name__)

#: Reads everything again, the command line's part as well: settings and warnings. Blocks on the
#: disk. Raises ConfigError with every fault.
ReadSettings = Callable[[], tuple[Settings, tuple[str, ...]]]


class Reloader:
    """Knows the settings in force. The main thread uses it."""

    def __init__(self, agent: Agent, settings: Settings, read: ReadSettings, clock: Clock) -> None:
        self.settings = settings
        self._agent = agent
        self._read = read
        self._clock = clock
        self._tell = {
            Part.LOG: self._tell_log,
            Part.SUPERVISOR: _tell_nobody,
            Part.DOCUMENTS: self._tell_documents,
            Part.REPORTS: self._tell_reports,
            Part.POLLS: self._tell_polls,
        }

    def reload(self) -> frozenset[str]:
        """The names of the outputs that are made anew. Raises nothing."""
        try:
            return self._reload()
        except ConfigError as error:
            for fault in error.faults:
                log.error("A fault in the new configuration. fault=%s", fault)  # noqa: TRY400  for the user
            log.error(  # noqa: TRY400  as above
                "The new configuration is refused, the old one stays. faults=%d", len(error.faults)
            )
        except Exception:  # a bug must not end an agent that works
            log.exception("The new configuration could not be put in force as a whole.")
        return frozenset()

    def _reload(self) -> frozenset[str]:
        new, warnings = self._read()
        for warning in warnings:
            log.warning("The new configuration is doubtful. warning=%s", warning)
        planned = plan(self.settings, new)
        # Before anything changes, for they may be impossible.
        outputs = self._new_outputs(planned)
        if Part.PROCESSORS in planned.live:
            self._exchange_processors(planned.settings)
        self.settings = planned.settings
        for part in planned.live:
            if part in self._tell:
                self._tell[part]()
        self._tell_workers(planned, outputs)
        _log_plan(planned)
        return frozenset(outputs)

    def _new_outputs(self, planned: Plan) -> dict[str, Output]:
        """Those whose settings changed, and those that could not take what they should."""
        refused = {worker.name for worker in self._agent.workers if worker.has_refused}
        running = {worker.name for worker in self._agent.workers}
        names = (planned.new_outputs | refused) & running
        wanted = {name: planned.settings.outputs[name] for name in names}
        settings = msgspec.structs.replace(planned.settings, outputs=wanted)
        return build_outputs(settings, self._clock, self._agent.metrics)

    def _exchange_processors(self, settings: Settings) -> None:
        """Nothing is told where a library is missing: that is a ConfigError."""
        processing = build_processing(settings.processors, self._clock, self._agent.metrics)
        self._agent.observer_thread.set_processing(processing)

    def _tell_log(self) -> None:
        set_up(log_settings(self.settings, is_start=False))

    def _tell_documents(self) -> None:
        policy = document_policy(self.settings)
        self._agent.observer_thread.adjust(partial(self._agent.builder.set_policy, policy))

    def _tell_reports(self) -> None:
        fresh_ns = capture_policy(self.settings, {}).fresh_ns
        observer = self._agent.observation.observer
        self._agent.observer_thread.adjust(
            partial(observer.set_policy, tracker_policy(self.settings), fresh_ns)
        )

    def _tell_polls(self) -> None:
        interval_ns = int(self.settings.connbeat.poll_interval_seconds * 1e9)
        self._agent.observer_thread.set_poll_interval(interval_ns)

    def _tell_workers(self, planned: Plan, outputs: dict[str, Output]) -> None:
        for worker in self._agent.workers:
            if worker.name in outputs or planned.touches_output(worker.name):
                policy = delivery_policy(
                    worker.name, self.settings, self._clock, self._agent.metrics
                )
                worker.exchange(policy, outputs.get(worker.name))


def _tell_nobody() -> None:
    """Who looks into the settings each time needs no telling."""


def _log_plan(planned: Plan) -> None:
    changed = [key for keys in planned.live.values() for key in keys]
    log.info("The configuration was read again. changed=%s", ",".join(changed) or "nothing")
    for key in planned.restart:
        log.warning("A changed setting needs a restart. setting=%s", key)
