"""Pairs: the two ends of a connection that both are on this host.

An end looks for the one whose addresses are its own, reversed. A loopback address means something
only within its namespace; any other may be answered from another namespace, but where the same
addresses exist in several (isolated networks with one plan) there is no telling, and no pair: so
all new ends of a poll are put in before any looks for its other end.
Only ends without a partner are kept here, so paired connections cost nothing.
"""

from collections.abc import Iterable

from connbeat.connections.life import Life
from connbeat.model.addresses import is_loopback
from connbeat.model.connections import Address

_Ends = tuple[int, bytes, int, bytes, int]


class PairIndex:
    """The ends that have no partner yet. Mutable, one owner."""

    def __init__(self) -> None:
        self._lonely: dict[_Ends, tuple[Life, ...]] = {}

    def add(self, ends: Iterable[Life]) -> None:
        """Pair new ends with their other ends, or keep them until those come."""
        lonely = self._lonely
        keyed = [(life, _own_key(life)) for life in ends]
        for life, own in keyed:
            others = lonely.get(own)
            lonely[own] = (life,) if others is None else (*others, life)
            if life.nat is not None:
                key = _translated_key(life, life.nat)
                lonely[key] = (*lonely.get(key, ()), life)
        for life, own in keyed:
            if life.peer is None and not self._pair_alone(life, own):
                self._pair_of_several(life)
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

    def _pair_alone(self, life: Life, own: _Ends) -> bool:
        """Pair the rule by two looks: one end each of these addresses, and nothing translated."""
        lonely = self._lonely
        scope, local_ip, local_port, remote_ip, remote_port = own
        theirs = scope, remote_ip, remote_port, local_ip, local_port
        others = lonely.get(theirs)
        if others is None or life.nat is not None or len(others) > 1 or len(lonely[own]) > 1:
            return False
        other = others[0]
        if other is life or other.nat is not None:
            return False
        life.peer, other.peer = other, life
        del lonely[own], lonely[theirs]
        return True

    def _pair_of_several(self, life: Life) -> None:
        """Pair an end with the only one that can be its other end, if there is one."""
        other = self._partner(life)
        if other is not None and self._partner(other) is life:
            life.peer, other.peer = other, life
            self.discard(life)
            self.discard(other)

    def _partner(self, life: Life) -> Life | None:
        """The only end that can be this one's other end; None if there is none or several."""
        candidates: list[Life] = []
        for scope, local_ip, local_port, remote_ip, remote_port in _keys(life):
            others = self._lonely.get((scope, remote_ip, remote_port, local_ip, local_port))
            if others is not None:
                candidates += [other for other in others if other is not life]
        if len(candidates) == 1:
            return candidates[0]
        near = [other for other in candidates if other.netns == life.netns]
        chosen = near or candidates
        return chosen[0] if len(chosen) == 1 else None


def _own_key(life: Life) -> _Ends:
    row = life.socket
    local_ip, remote_ip = row.local_ip, row.remote_ip
    scope = life.netns if is_loopback(local_ip) or is_loopback(remote_ip) else 0
    return scope, local_ip, row.local_port, remote_ip, row.remote_port


def _translated_key(life: Life, nat: Address) -> _Ends:
    """The accepting end knows its own address, not the published one."""
    return 0, life.socket.local_ip, life.socket.local_port, nat.ip, nat.port


def _keys(life: Life) -> tuple[_Ends, ...]:
    own = _own_key(life)
    return (own,) if life.nat is None else (own, _translated_key(life, life.nat))
