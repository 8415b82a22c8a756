"""Patience: a connection that closed waits one turn for its other end, if that is still unknown.

The kernel tells of both ends of a local connection at almost the same moment, but a turn can fall
between the two, and on a busy host the second message comes later than the first by some
milliseconds. Told at once, one end of such a connection would not know the other.
"""

from collections.abc import Collection, Iterable

from connbeat.connections.life import Life


class Patience:
    """Mutable, owned by the tracker."""

    def __init__(self) -> None:
        self._waiting: list[Life] = []

    def settle(
        self, closed: Iterable[Life], ended: Collection[int], *, is_last: bool
    ) -> list[Life]:
        """Those to be told of now: what waited, and what of the new ones need not.

        Nothing waits in a namespace that ended, or at the last turn.
        """
        told, self._waiting = self._waiting, []
        for life in closed:
            peer = life.peer
            if peer is not None and peer.relayed is None and life.relayed is None:
                told.append(life)  # the rule
            elif is_last or life.netns in ended or not _lacks_other_end(life):
                told.append(life)
            else:
                self._waiting.append(life)
        return told

    def __len__(self) -> int:
        return len(self._waiting)

    def namespaces(self) -> set[int]:
        """Where something waits."""
        return {life.netns for life in self._waiting}


def _lacks_other_end(life: Life) -> bool:
    peer = life.peer
    if peer is None:
        return life.remote is None and not life.is_listener
    # Client, docker-proxy's two ends and the container are one chain, and go together.
    relayed = peer.relayed or life.relayed
    return relayed is not None and not relayed.is_whole
