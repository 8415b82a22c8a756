"""What happens to documents on their way through the chain, counted and now and then logged."""

import logging

from connbeat.clock import Clock
from connbeat.processors.protocol import ProcessorFailed
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

#: A field that some events lack may be missing thousands of times a second, for ever.
_EVERY_SECONDS = 300.0


class ChainAccounts:
    """`label` is a processor's name, and its tag if it has one. Thread-safe."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._lines = RateLimited(log, clock, _EVERY_SECONDS)

    def failed(self, label: str, error: Exception) -> None:
        self._metrics.add(Metric.PROCESSOR_FAILURES, processor=label)
        if isinstance(error, ProcessorFailed):
            text = str(error)
        else:
            text = f"{type(error).__name__}: {error}"
            log.debug("A processor broke. processor=%s", label, exc_info=error)
        self._lines.warning(
            "A processor failed; the event goes on without it. processor=%s error=%s",
            label,
            text,
            key=label,
        )

    def filtered(self, label: str) -> None:
        self._metrics.add(Metric.PROCESSOR_FILTERED, processor=label)
