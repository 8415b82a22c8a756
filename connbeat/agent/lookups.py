"""What processors need of the world: names, host, cloud.

Its clients are loaded and started only where a processor wants them. Each has threads of its own.
"""

import importlib
from collections.abc import Callable
from typing import Protocol

from connbeat.clock import Clock
from connbeat.errors import ConfigError
from connbeat.processors.cloud.processor import CloudMetadataConfig
from connbeat.processors.dns.processor import DnsConfig
from connbeat.processors.host.processor import HostMetadataConfig
from connbeat.processors.protocol import Facts, Names, ProcessorConfig
from connbeat.telemetry.metrics import Metrics


class _Client(Protocol):
    def start(self) -> None: ...

    def close(self) -> None: ...


class _FactsClient(_Client, Protocol):
    @property
    def facts(self) -> Facts: ...


class Lookups:
    """The `Services` of a chain. `start` comes after it was compiled and before its first event."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self.clock = clock
        self._metrics = metrics
        self._clients: list[_Client] = []

    def start(self) -> None:
        for client in self._clients:
            client.start()

    def close(self) -> None:
        """Nobody is asked any more. Returns at once."""
        for client in self._clients:
            client.close()

    def names(self, config: ProcessorConfig) -> Names:
        """Raises ConfigError where the library is missing or no server is known."""
        assert isinstance(config, DnsConfig)
        try:
            module = importlib.import_module("connbeat.processors.dns.client")
        except ModuleNotFoundError as error:
            fault = "processors: dns: dnspython is not installed; install connbeat[dns]"
            raise ConfigError((fault,)) from error
        resolver = module.Resolver(config, self.clock, self._metrics)
        self._clients.append(resolver)
        names: Names = resolver
        return names

    def facts(self, config: ProcessorConfig) -> Facts:
        client = _facts_client(config)(config, self.clock)
        self._clients.append(client)
        return client.facts


def _facts_client(config: ProcessorConfig) -> Callable[[ProcessorConfig, Clock], _FactsClient]:
    if isinstance(config, HostMetadataConfig):
        host: Callable[[ProcessorConfig, Clock], _FactsClient] = importlib.import_module(
            "connbeat.processors.host.client"
        ).HostReader
        return host
    assert isinstance(config, CloudMetadataConfig)
    cloud: Callable[[ProcessorConfig, Clock], _FactsClient] = importlib.import_module(
        "connbeat.processors.cloud.client"
    ).CloudProbe
    return cloud
