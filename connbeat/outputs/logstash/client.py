"""The Logstash output, put together: hosts, TLS, lanes, and what Logstash wants to be told."""

import random
from collections.abc import Callable, Iterator

import msgspec

from connbeat.model.batches import Batch, Outcome
from connbeat.outputs.failover import Failover
from connbeat.outputs.host_tls import HostTls
from connbeat.outputs.hosts import HostUrl, parse_hosts
from connbeat.outputs.lanes import Lanes, first_hosts
from connbeat.outputs.logstash.checks import check_host
from connbeat.outputs.logstash.config import LogstashConfig, host_defaults
from connbeat.outputs.logstash.connection import Connection, connect
from connbeat.outputs.logstash.frames import document_prefix
from connbeat.outputs.logstash.lane import LogstashLane
from connbeat.outputs.logstash.windows import WindowSize
from connbeat.outputs.protocol import Check, OutputContext
from connbeat.outputs.tls_policy import TlsPolicy

# `@metadata.type`, as it was in 5.6: pipelines of that time name the document type by it.
_TYPE = "connbeat"


def build(config: LogstashConfig, context: OutputContext) -> "LogstashOutput":
    return LogstashOutput(config, context)


class LogstashOutput:
    """An `Output`. An event arrives twice when its acknowledgement is lost."""

    name = "logstash"

    def __init__(self, config: LogstashConfig, context: OutputContext) -> None:
        """Raises ValueError for hosts that cannot be meant."""
        self._config = config
        self._clock = context.clock
        self._urls = parse_hosts(config.hosts, host_defaults(config.port))
        self._tls = HostTls(config.ssl or TlsPolicy(), timeout_seconds=config.timeout_seconds)
        metadata = {"beat": config.index, "type": _TYPE, "version": context.version}
        self._prefix = document_prefix(msgspec.json.encode(metadata))
        self._rows = [self._lane(begin) for begin in self._begins()]
        self._lanes = Lanes(self._rows)

    def open(self) -> None:
        if self._config.ssl is not None:
            self._tls.check()
        self._rows[0].open()

    def send(self, batch: Batch) -> Outcome:
        return self._lanes.send(batch.events)

    def reopen(self) -> None:
        """New connections from here on, with the certificates that are there now."""
        self.close()
        self._tls.forget()

    def close(self) -> None:
        self._lanes.close()

    def checks(self) -> Iterator[Check]:
        for url in self._urls:
            yield from check_host(url, self._config, self._connect)

    def _begins(self) -> tuple[int, ...]:
        count = len(self._urls)
        begin = random.SystemRandom().randrange(count)  # so that a fleet spreads by itself
        return first_hosts(count, self._config.worker, begin, loadbalance=self._config.loadbalance)

    def _lane(self, begin: int) -> LogstashLane:
        config = self._config
        return LogstashLane(
            Failover(
                self._urls,
                self._connect,
                begin=begin,
                returns=config.loadbalance,
                clock=self._clock,
            ),
            WindowSize(config.bulk_max_size, slow_start=config.slow_start),
            prefix=self._prefix,
            compression_level=config.compression_level,
            clock=self._clock,
        )

    def _connect(self, url: HostUrl) -> Connection:
        seconds = self._config.timeout_seconds
        tls = self._tls.context(url) if self._config.ssl is not None else None
        sock = connect((url.host, url.port), timeout_seconds=seconds, tls=tls)
        return Connection(sock, timeout_seconds=seconds, is_too_old=self._age_test())

    def _age_test(self) -> Callable[[], bool]:
        """Whether the connection made now is past its `ttl`."""
        if not self._config.ttl_seconds:
            return lambda: False
        ends_ns = self._clock.monotonic_ns() + int(self._config.ttl_seconds * 1e9)
        return lambda: self._clock.monotonic_ns() >= ends_ns
