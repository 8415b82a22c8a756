"""The listeners of one namespace, by port: who would accept a connection to this address?"""

from connbeat.connections.life import Life
from connbeat.model.addresses import is_wildcard
from connbeat.model.processes import Process


class ListenerTable:
    """Mutable, one owner. Several listeners can share an address (SO_REUSEPORT)."""

    def __init__(self) -> None:
        self._by_port: dict[int, list[Life]] = {}

    def add(self, life: Life) -> None:
        self._by_port.setdefault(life.socket.local_port, []).append(life)

    def remove(self, life: Life) -> None:
        port = life.socket.local_port
        left = [other for other in self._by_port.get(port, ()) if other is not life]
        if left:
            self._by_port[port] = left
        else:
            self._by_port.pop(port, None)

    def __len__(self) -> int:
        return sum(map(len, self._by_port.values()))

    def match(self, ip: bytes, port: int) -> list[Life]:
        """The listeners that accept connections to this address; the specific ones win."""
        at_port = self._by_port.get(port)
        if not at_port:
            return []
        exact = [life for life in at_port if life.socket.local_ip == ip]
        return exact or [life for life in at_port if _accepts_any(life, ip)]

    def owner(self, ip: bytes, port: int) -> Process | None:
        """The process behind those listeners, if it is one."""
        owners = {
            life.attribution.owner.pid: life.attribution.owner
            for life in self.match(ip, port)
            if life.attribution is not None and isinstance(life.attribution.owner, Process)
        }
        return next(iter(owners.values())) if len(owners) == 1 else None


def _accepts_any(listener: Life, ip: bytes) -> bool:
    """`0.0.0.0` accepts IPv4; `::` both, unless the socket is for IPv6 only."""
    bound = listener.socket.local_ip
    if not is_wildcard(bound):
        return False
    if len(bound) == len(ip):
        return True
    return len(bound) == 16 and not listener.socket.is_v6_only
