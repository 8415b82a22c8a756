"""The Redis output, put together: hosts, logins, TLS, lanes."""

import random
from collections.abc import Iterator

import msgspec

from connbeat.model.batches import Batch, Outcome
from connbeat.model.selectors import Selector
from connbeat.outputs.failover import Failover
from connbeat.outputs.host_tls import HostTls
from connbeat.outputs.hosts import HostUrl, parse_hosts
from connbeat.outputs.lanes import Lanes, first_hosts
from connbeat.outputs.protocol import Check, OutputContext
from connbeat.outputs.redis.checks import check_host
from connbeat.outputs.redis.config import RedisConfig, host_defaults
from connbeat.outputs.redis.connection import Connection, Login
from connbeat.outputs.redis.lane import RedisLane
from connbeat.outputs.tls_policy import TlsPolicy


def build(config: RedisConfig, context: OutputContext) -> "RedisOutput":
    return RedisOutput(config, context)


class RedisOutput:
    """An `Output`. A list may get an event twice when a reply is lost; see the package."""

    name = "redis"

    def __init__(self, config: RedisConfig, context: OutputContext) -> None:
        """Raises ValueError for hosts or rules that cannot be meant."""
        self._config = config
        self._clock = context.clock
        self._urls = parse_hosts(config.hosts, host_defaults(config.port))
        self._tls = HostTls(config.ssl or TlsPolicy(), timeout_seconds=config.timeout_seconds)
        self._rows = [self._lane(begin) for begin in self._begins()]
        self._lanes = Lanes(self._rows)

    def open(self) -> None:
        if any(self._has_tls(url) for url in self._urls):
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
            policy = (self._config.ssl or TlsPolicy()) if self._has_tls(url) else None
            yield from check_host(url, self._config, policy, self._connect)

    def _begins(self) -> tuple[int, ...]:
        count = len(self._urls)
        begin = random.SystemRandom().randrange(count)  # so that a fleet spreads by itself
        return first_hosts(count, self._config.worker, begin, loadbalance=self._config.loadbalance)

    def _lane(self, begin: int) -> RedisLane:
        config = self._config
        failover = Failover(
            self._urls,
            self._connect,
            begin=begin,
            returns=config.loadbalance,
            clock=self._clock,
        )
        selector = Selector.parse(config.keys, "key", config.key)
        return RedisLane(failover, selector, config.datatype, self._clock)

    def _connect(self, url: HostUrl) -> Connection:
        return Connection(
            url.host,
            url.port,
            login_for(url, self._config),
            timeout_seconds=self._config.timeout_seconds,
            tls=self._tls.context(url) if self._has_tls(url) else None,
        )

    def _has_tls(self, url: HostUrl) -> bool:
        return url.scheme == "rediss" or (url.scheme == "tcp" and self._config.ssl is not None)


def login_for(url: HostUrl, config: RedisConfig) -> Login:
    """What the host's URL says wins over the options."""
    login = Login(username=config.username, password=config.password, db=config.db)
    if url.username or url.password:
        login = msgspec.structs.replace(login, username=url.username, password=url.password)
    if (number := url.path.strip("/")).isdecimal():
        login = msgspec.structs.replace(login, db=int(number))
    return login
