"""The Elasticsearch output, put together: hosts, logins, TLS, lanes, preparation."""

import random
from collections.abc import Iterator
from pathlib import Path

from connbeat.errors import Transient
from connbeat.model.batches import Batch, Outcome
from connbeat.outputs.elasticsearch.checks import check_host
from connbeat.outputs.elasticsearch.client import ElasticsearchHost
from connbeat.outputs.elasticsearch.cluster import Cluster
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.lane import BulkLane
from connbeat.outputs.elasticsearch.policy import read_policy
from connbeat.outputs.elasticsearch.preparation import Preparation, Prepared
from connbeat.outputs.elasticsearch.requests import HostSettings, host_settings
from connbeat.outputs.failover import Failover
from connbeat.outputs.host_tls import HostTls
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.lanes import Lanes, first_hosts
from connbeat.outputs.protocol import Check, OutputContext
from connbeat.outputs.tls_policy import TlsPolicy


def build(config: ElasticsearchConfig, context: OutputContext) -> "ElasticsearchOutput":
    return ElasticsearchOutput(config, context)


class ElasticsearchOutput:
    """An `Output`. An event arrives once, however often it is sent."""

    name = "elasticsearch"

    def __init__(self, config: ElasticsearchConfig, context: OutputContext) -> None:
        """Raises ValueError for hosts or rules that cannot be meant."""
        self._config = config = config.in_schema(context.schema)
        self._context = context
        self._urls = config.urls
        self._tls = HostTls(config.ssl or TlsPolicy(), timeout_seconds=config.timeout_seconds)
        self._preparation: Preparation | None = None
        self._rows = [self._lane(begin) for begin in self._begins()]
        self._lanes = Lanes(self._rows)

    def open(self) -> None:
        if any(url.scheme == "https" for url in self._urls):
            self._tls.check()
        self._preparation = self._make_preparation()
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
            yield from check_host(self._settings(url), self._config, self._host)

    def prepare(self) -> Prepared:
        """`connbeat setup`: put there what `open` does, by the first host that answers.

        Raises Transient if it cannot all be put there, for want of rights too, or Permanent.
        """
        preparation = self._make_preparation(is_required=True)
        errors = []
        for url in self._urls:
            host = self._host(self._settings(url))
            try:
                return preparation.prepare(host)
            except Transient as error:
                errors.append(f"{url.url}: {error}")
            finally:
                host.close()
        raise Transient("; ".join(errors))

    def _begins(self) -> tuple[int, ...]:
        config, count = self._config, len(self._urls)
        begin = random.SystemRandom().randrange(count) if config.loadbalance else 0
        return first_hosts(count, config.worker, begin, loadbalance=config.loadbalance)

    def _lane(self, begin: int) -> BulkLane:
        failover = Failover(
            self._urls,
            self._connect,
            begin=begin,
            returns=self._config.loadbalance,
            clock=self._context.clock,
        )
        return BulkLane(self._config, failover, self._context.clock)

    def _connect(self, url: HostUrl) -> Cluster:
        """Every new connection finds out again what is there: it may be another cluster by now."""
        if self._preparation is None:
            self._preparation = self._make_preparation()
        host = self._host(self._settings(url))
        try:
            self._preparation.prepare(host)
        except BaseException:
            host.close()
            raise
        return host

    def _host(self, settings: HostSettings) -> Cluster:
        is_tls = settings.url.scheme == "https"
        return ElasticsearchHost(settings, self._tls.context(settings.url) if is_tls else None)

    def _settings(self, url: HostUrl) -> HostSettings:
        return host_settings(url, self._config, self._context.version)

    def _make_preparation(self, *, is_required: bool = False) -> Preparation:
        """Raises Permanent if the policy's file cannot be used."""
        path = self._config.ilm_policy_file
        policy = read_policy(Path(path)) if path else None
        return Preparation(
            self._config, policy, schema=self._context.schema, is_required=is_required
        )
