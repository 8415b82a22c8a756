"""Translations: who is really at the other end, and for which connections that is asked.

A published port is known from the containers (see `published`). All else the kernel's connection
tracking has to be asked, so only what has no other end on this host by its own addresses is: a
caller of an address of the host or of one outside every local network (a service address, say),
and a connection accepted in another namespace from an address of the host (which hides the caller
where it masquerades).
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from connbeat.connections.life import Life
from connbeat.model.addresses import Network, is_loopback
from connbeat.model.connections import Address, Direction, FourTuple
from connbeat.model.traces import Trace


class Translator(Protocol):
    """Tells who is at the other end of connections; see `capture.nat.NatSource`."""

    def real_remotes(self, asked: Sequence[FourTuple]) -> list[Address | None]: ...


class Translations:
    """One thread uses it."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator
        self._host_netns = 0
        self._host_addresses: frozenset[bytes] = frozenset()
        self._networks: Collection[Network] = ()

    def set_host(
        self, netns: int, addresses: frozenset[bytes], networks: Collection[Network]
    ) -> None:
        self._host_netns = netns
        self._host_addresses = addresses
        self._networks = networks

    def find(self, lives: Collection[Life]) -> list[tuple[Life, Address]]:
        """Those of these lives, all without another end, that have another than they think."""
        asked = [life for life in lives if life.peer is None and self._can_be_translated(life)]
        answers = self._translator.real_remotes([_ends_of(life) for life in asked])
        return [(life, real) for life, real in zip(asked, answers, strict=True) if real is not None]

    def of_failed(self, traces: Sequence[Trace]) -> list[Address | None]:
        """For each connect that failed, which address did not answer or refused it."""
        asked = [trace for trace in traces if self._is_asked(trace.remote_ip)]
        if not asked:
            return [None] * len(traces)
        answers = self._translator.real_remotes(
            [(it.local_ip, it.local_port, it.remote_ip, it.remote_port) for it in asked]
        )
        found = dict(zip(map(id, asked), answers, strict=True))
        return [found.get(id(trace)) for trace in traces]

    def _can_be_translated(self, life: Life) -> bool:
        if life.nat is not None:
            return False
        remote_ip = life.socket.remote_ip
        if life.direction is Direction.INBOUND:
            return life.netns != self._host_netns and (
                remote_ip in self._host_addresses and not is_loopback(remote_ip)
            )
        return self._is_asked(remote_ip)

    def _is_asked(self, remote_ip: bytes) -> bool:
        if is_loopback(remote_ip):
            return False
        return remote_ip in self._host_addresses or not any(
            remote_ip in network for network in self._networks
        )


def _ends_of(life: Life) -> FourTuple:
    row = life.socket
    return row.local_ip, row.local_port, row.remote_ip, row.remote_port
