"""Pairs: the two ends of a connection that both are on this host.

An end looks for the one whose addresses are its own, reversed. A loopback address means something
only within its namespace; any other may be answered from another namespace, but where the same
addresses exist in several (isolated networks with one plan) there is no telling, and no pair: so
all new ends of a poll are put in before any looks for its other end.
Only ends without a partner are kept here, so paired connections cost nothing.
"""

from collections.abc import Collection, Sequence

from connbeat.connections.life import Life
from connbeat.model.addresses import is_loopback

_Ends = tuple[int, bytes, int, bytes, int]


class PairIndex:
    """The ends that have no partner yet. Mutable, one owner."""

    def __init__(self) -> None:
        self._lonely: dict[_Ends, tuple[Life, ...]] = {}

    def add(self, ends: Collection[Life]) -> None:
        """Pair new ends with their other ends, or keep them until those come."""
        lonely = self._lonely
        keyed = [(life, _keys(life)) for life in ends]
        for life, keys in keyed:
            for key in keys:
                others = lonely.get(key)
                lonely[key] = (life,) if others is None else (*others, life)
        for life, keys in keyed:
            if life.peer is not None or self._pair_alone(life, keys):
                continue
            other = self._partner(life, keys)
            if other is not None and self._partner(other, _keys(other)) is life:
                life.peer, other.peer = other, life
                self.discard(life)
                self.discard(other)
        if not lonely:  # a dict keeps the size it had when 20,000 ends came at once
            self._lonely = {}

    def discard(self, life: Life) -> None:
        """The end closed, or has found its partner."""
        lonely = self._lonely
        for key in _keys(life):
            others = lonely.get(key)
            if others is None:
                continue
            left = tuple(other for other in others if other is not life) if others[1:] else ()
            if left:
                lonely[key] = left
            elif others[0] is life or others[1:]:
                del lonely[key]

    def __len__(self) -> int:
        return len(self._lonely)

    def _pair_alone(self, life: Life, keys: Sequence[_Ends]) -> bool:
        """Pair the rule by two looks: one end each of these addresses, and nothing translated."""
        lonely, own = self._lonely, keys[0]
        scope, local_ip, local_port, remote_ip, remote_port = own
        theirs = scope, remote_ip, remote_port, local_ip, local_port
        others = lonely.get(theirs)
        if others is None or len(keys) > 1 or len(others) > 1 or len(lonely[own]) > 1:
            return False
        other = others[0]
        if other is life or other.nat is not None:
            return False
        life.peer, other.peer = other, life
        del lonely[own], lonely[theirs]
        return True

    def _partner(self, life: Life, keys: Collection[_Ends]) -> Life | None:
        """The only end that can be this one's other end; None if there is none or several."""
        candidates: list[Life] = []
        for scope, local_ip, local_port, remote_ip, remote_port in keys:
            others = self._lonely.get((scope, remote_ip, remote_port, local_ip, local_port))
            if others is not None:
                candidates += [other for other in others if other is not life]
        if len(candidates) == 1:
            return candidates[0]
        near = [other for other in candidates if other.netns == life.netns]
        chosen = near or candidates
        return chosen[0] if len(chosen) == 1 else None


def _keys(life: Life) -> list[_Ends]:
    row = life.socket
    scope = life.netns if is_loopback(row.local_ip) or is_loopback(row.remote_ip) else 0
    keys = [(scope, row.local_ip, row.local_port, row.remote_ip, row.remote_port)]
    if life.nat is not None:  # the accepting end knows its own address, not the published one
        keys.append((0, row.local_ip, row.local_port, life.nat.ip, life.nat.port))
    return keys
