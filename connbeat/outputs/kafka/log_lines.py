"""librdkafka's own log lines, in ours: a few of them, and never on stderr."""

import logging

from connbeat.clock import Clock
from connbeat.telemetry.log import RateLimited

_log = logging.getLogger(__name__)


class LibrdkafkaLog:
    """What the client takes for a logger. Called in `poll`, by whoever polls."""

    def __init__(self, clock: Clock) -> None:
        self._lines = RateLimited(_log, clock)

    def log(self, level: int, _: str, facility: str, __: str, text: str) -> None:
        """As the client calls it: a format, librdkafka's facility, the handle's name, the line.

        librdkafka calls a lost connection an error; here nothing is lost by it.
        """
        if level < logging.WARNING:
            _log.debug("librdkafka tells. facility=%s text=%s", facility, text)
        else:
            self._lines.warning(
                "librdkafka complains. facility=%s text=%s", facility, text, key=facility
            )
