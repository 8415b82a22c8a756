"""Connections to several hosts of one destination: which one is used, and who is left alone. Pure.

A host that failed rests, longer each time, and is tried before its time only when no other is left.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from connbeat.backoff import Backoff
from connbeat.clock import Clock
from connbeat.errors import Transient
from connbeat.outputs.hosts import HostUrl


class Connection(Protocol):
    """What is kept of a host between two batches."""

    def is_usable(self) -> bool:
        """Whether it can be expected to work; does not wait."""
        ...

    def close(self) -> None:
        """Never raises; closing twice is harmless."""
        ...


C = TypeVar("C", bound=Connection)


class _Host(Generic[C]):
    """A host, our connection to it, and how it does."""

    def __init__(self, url: HostUrl) -> None:
        self.url = url
        self.connection: C | None = None
        self.failures = 0
        self.rests_until_ns = 0

    def let_go(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Failover(Generic[C]):
    """At most one connection to each host, one of them in use. One thread uses it.

    It begins with the host of number `begin`. With `returns` it goes back there after that host's
    rest, which keeps hosts balanced; without, it stays with the host that took over.
    """

    def __init__(
        self,
        urls: Sequence[HostUrl],
        connect: Callable[[HostUrl], C],
        *,
        begin: int,
        returns: bool,
        clock: Clock,
    ) -> None:
        """`connect` may block and raises Transient."""
        self._hosts: tuple[_Host[C], ...] = tuple(_Host(url) for url in urls)
        self._connect = connect
        self._first = begin
        self._returns = returns
        self._clock = clock
        self._rng = random.Random()  # noqa: S311  jitter is no secret
        self._rest = Backoff()
        self._used = begin

    def connection(self) -> C:
        """To the first host that can be reached.

        Raises Transient, which names every host and what was wrong there.
        """
        errors = []
        for index in self._order():
            self._used = index
            host = self._hosts[index]
            try:
                return self._connected(host)
            except Transient as error:
                errors.append(f"{host.url.netloc}: {error}")
                self.failed()
        raise Transient("; ".join(errors))

    def worked(self) -> None:
        """The host in use did what it was asked."""
        self._hosts[self._used].failures = 0

    def failed(self) -> str:
        """Its connection is of no use any more, or the host none for now. Returns its name."""
        host = self._hosts[self._used]
        host.let_go()
        host.failures += 1
        rest_ns = int(self._rest.delay(host.failures, self._rng) * 1e9)
        host.rests_until_ns = self._clock.monotonic_ns() + rest_ns
        return host.url.netloc

    def close(self) -> None:
        for host in self._hosts:
            host.let_go()

    def _order(self) -> Iterator[int]:
        """Beginning with the one we want; those that rest come last."""
        now_ns = self._clock.monotonic_ns()
        count = len(self._hosts)
        wanted = self._first if self._returns else self._used
        in_turn = [(wanted + step) % count for step in range(count)]
        resting = [index for index in in_turn if self._hosts[index].rests_until_ns > now_ns]
        yield from (index for index in in_turn if index not in resting)
        yield from resting

    def _connected(self, host: _Host[C]) -> C:
        if host.connection is not None and not host.connection.is_usable():
            host.let_go()
        if host.connection is None:
            host.connection = self._connect(host.url)
        return host.connection
