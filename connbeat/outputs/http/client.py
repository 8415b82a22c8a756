"""The HTTP output: batches over several connections at once."""

import logging
import random
import ssl
import threading
from collections.abc import Iterator

from connbeat.errors import Permanent, Transient
from connbeat.model.batches import Batch, Outcome
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.http.answers import Meaning, describe, meaning_of
from connbeat.outputs.http.codec import urls_of
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.http.lane import Lane
from connbeat.outputs.http.pool import HttpConnection, proxy_of
from connbeat.outputs.http.progress import Chunk, Progress
from connbeat.outputs.probing import Endpoint, probe
from connbeat.outputs.protocol import Check, OutputContext, Step
from connbeat.outputs.tls import ssl_context
from connbeat.outputs.tls_policy import TlsPolicy

_log = logging.getLogger(__name__)


def build(config: HttpConfig, context: OutputContext) -> "HttpOutput":
    return HttpOutput(config, context)


class HttpOutput:
    """An `Output`. With one connection, which is the default, events arrive in their order."""

    name = "http"

    def __init__(self, config: HttpConfig, context: OutputContext) -> None:
        """Raises ValueError for hosts that are none."""
        self._config = config
        self._context = context
        self._urls = urls_of(config)
        # A fleet spreads over the hosts by itself.
        self._begin = random.randrange(len(self._urls))  # noqa: S311  no secret
        self._lanes: tuple[Lane, ...] = ()

    def open(self) -> None:
        """Reads certificates, so that a wrong one is told at the start. Connects to nothing."""
        if not any(url.scheme == "https" for url in self._urls):
            return
        if ssl_context(self._config.ssl).verify_mode is ssl.CERT_NONE:
            _log.warning("Certificates of servers are not verified. output=http")

    def send(self, batch: Batch) -> Outcome:
        if not self._lanes:
            self._lanes = self._new_lanes()
        chunks = self._chunks(batch)
        progress = Progress(chunks)
        first, *others = self._lanes[: max(1, len(chunks))]
        # Daemons of this batch alone: a connection that hangs must not keep the agent from ending.
        threads = [
            threading.Thread(target=lane.run, args=(progress,), daemon=True) for lane in others
        ]
        for thread in threads:
            thread.start()
        first.run(progress)
        for thread in threads:
            thread.join()
        return progress.outcome()

    def reopen(self) -> None:
        """New connections, which read the certificates anew."""
        self.close()

    def close(self) -> None:
        for lane in self._lanes:
            lane.close()
        self._lanes = ()

    def checks(self) -> Iterator[Check]:
        try:
            self.open()
        except Permanent as error:
            yield Check(step=Step.TLS, target="output.http", error=str(error))
            return
        for url in self._urls:
            yield from self._checks_of(url)

    def _checks_of(self, url: HostUrl) -> Iterator[Check]:
        if not proxy_of(url, self._config):  # with one, only the proxy can tell
            tls = (self._config.ssl or TlsPolicy()) if url.scheme == "https" else None
            seconds = self._config.timeout_seconds
            endpoint = Endpoint(host=url.host, port=url.port, seconds=seconds, tls=tls)
            for check in probe(endpoint):
                yield check
                if check.error:
                    return
        yield self._talk(url)

    def _talk(self, url: HostUrl) -> Check:
        """HEAD, for any answer but a refusal says that somebody listens; no event is sent."""
        try:
            connection = HttpConnection(url, self._config, self._context.version)
            answer = connection.request("HEAD", None)
            connection.close()
        except Transient as error:
            return Check(step=Step.TALK, target=url.url, error=str(error))
        if answer.status in (401, 403, 407) or 300 <= answer.status < 400 or answer.status >= 500:
            return Check(step=Step.TALK, target=url.url, error=describe(answer))
        note = "" if meaning_of(answer) is Meaning.TAKEN else ", which says nothing about POST"
        return Check(
            step=Step.TALK, target=url.url, detail=f"answers HEAD with {answer.status}{note}"
        )

    def _new_lanes(self) -> tuple[Lane, ...]:
        """With load balancing every host has as many as `worker`, otherwise the first one has."""
        hosts = len(self._urls)
        numbers = range(self._config.worker * (hosts if self._config.loadbalance else 1))
        step = 1 if self._config.loadbalance else 0
        version, clock = self._context.version, self._context.clock
        return tuple(
            Lane(self._config, version, clock, begin=(self._begin + step * number) % hosts)
            for number in numbers
        )

    def _chunks(self, batch: Batch) -> tuple[Chunk, ...]:
        """What one request carries: an event, or the lane's share of the batch."""
        events = batch.events
        size = 1
        if self._config.batch != "off":
            size = max(1, -(-len(events) // len(self._lanes)))
        return tuple(events[first : first + size] for first in range(0, len(events), size))
