"""One of the connections that work on a batch: takes a chunk, posts it, notes what it means."""

import logging

from connbeat.clock import Clock
from connbeat.errors import Transient
from connbeat.model.batches import Drop
from connbeat.outputs.failover import Failover
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.http.answers import (
    Answer,
    Meaning,
    describe,
    meaning_of,
    retry_after_seconds,
)
from connbeat.outputs.http.codec import body_of, urls_of
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.http.pool import HttpConnection
from connbeat.outputs.http.progress import Chunk, Progress
from connbeat.telemetry.log import RateLimited

_log = logging.getLogger(__name__)

REFUSED = "refused"
TOO_LARGE = "too_large"


class Lane:
    """At most one connection to each host. One thread at a time uses it."""

    def __init__(self, config: HttpConfig, version: str, clock: Clock, *, begin: int) -> None:
        """`begin` is the number of the host that it prefers."""
        self._config = config
        self._clock = clock
        self._lines = RateLimited(_log, clock)
        self._hosts = Failover(
            urls_of(config),
            lambda url: HttpConnection(url, config, version),
            begin=begin,
            returns=config.loadbalance,
            clock=clock,
        )
        self._tries = len(config.hosts)

    def run(self, progress: Progress) -> None:
        """Until nothing is left to do. Never raises: what goes wrong is in `progress`."""
        try:
            while (chunk := progress.take()) is not None:
                self._send(chunk, progress)
        except Transient as error:
            progress.later(error, is_over=True)
        except Exception as error:  # noqa: BLE001  a thread's top; `outcome` raises it
            progress.failed(error)

    def close(self) -> None:
        self._hosts.close()

    def _send(self, chunk: Chunk, progress: Progress) -> None:
        """Raises Transient if no host can be talked to."""
        url, answer = self._post(body_of(chunk, self._config))
        meaning = meaning_of(answer)
        if meaning is Meaning.TAKEN:
            progress.delivered(chunk)
        elif meaning is Meaning.LATER:
            self._later(url, answer, progress)
        elif meaning is Meaning.MISDIRECTED:
            self._misdirected(url, answer, progress)
        elif len(chunk) > 1:
            progress.halve(chunk)  # which of them it was, smaller requests will tell
        else:
            reason = TOO_LARGE if meaning is Meaning.TOO_LARGE else REFUSED
            progress.dropped(Drop(chunk[0], reason, describe(answer)))

    def _post(self, body: bytes) -> tuple[HostUrl, Answer]:
        """The answer of the first host that gives one; one in trouble gives way to the next."""
        errors = []
        for left in reversed(range(self._tries)):
            connection = self._hosts.connection()
            try:
                answer = connection.post(body)
            except Transient as error:
                errors.append(f"{self._hosts.failed()}: {error}")
                continue
            if meaning_of(answer) in (Meaning.LATER, Meaning.MISDIRECTED):
                self._hosts.failed()
                if left:
                    continue
            else:
                self._hosts.worked()
            return connection.url, answer
        raise Transient("; ".join(errors))

    def _later(self, url: HostUrl, answer: Answer, progress: Progress) -> None:
        seconds = retry_after_seconds(answer.retry_after, self._clock.now_ns())
        trouble = Transient(f"{url.netloc} answers {describe(answer)}", seconds)
        progress.later(trouble, is_over=bool(seconds) or answer.status == 429)

    def _misdirected(self, url: HostUrl, answer: Answer, progress: Progress) -> None:
        self._lines.warning(
            "The server takes nothing as we are configured; events wait. url=%s answer=%s",
            url.url,
            describe(answer),
            key=f"{url.netloc} {answer.status}",
        )
        progress.later(Transient(f"{url.netloc} answers {describe(answer)}"), is_over=True)
