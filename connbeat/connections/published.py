"""Published ports: what is behind a remote address that is one of this host's own.

A client that calls a published port sees the host's address; the container that answers knows
only its own. Docker's port table joins them, without asking conntrack.
"""

from connbeat.connections.life import Life
from connbeat.model.addresses import is_loopback
from connbeat.model.connections import Address
from connbeat.model.containers import ContainerLookup, PublishedPort


class PublishedPorts:
    """The containers' published ports, seen from the lives of a poll."""

    def __init__(self, containers: ContainerLookup) -> None:
        self._containers = containers
        self._host_netns = 0
        self._host_addresses: frozenset[bytes] = frozenset()

    def set_host(self, netns: int, addresses: frozenset[bytes]) -> None:
        self._host_netns = netns
        self._host_addresses = addresses

    def find(self, life: Life) -> PublishedPort | None:
        """What the life's remote address leads to; None if it is no published port of ours."""
        ip = life.socket.remote_ip
        is_ours = life.netns == self._host_netns if is_loopback(ip) else ip in self._host_addresses
        return self._containers.published(ip, life.socket.remote_port) if is_ours else None

    def behind(self, life: Life) -> Address | None:
        if life.netns != self._host_netns and life.socket.remote_ip not in self._host_addresses:
            return None  # the rule, by two looks
        published = self.find(life)
        if published is None:
            return None
        return Address(published.container_ip, published.container_port)
