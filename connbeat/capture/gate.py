"""Gate: whether a namespace can have anything new since its last dump.

A dump of an empty namespace costs as much as one of a full one, because it walks the machine's
whole hash; reading three small files costs a twentieth. Counters lie in one case (a listener
closed and another opened between two polls leaves them as they were), so a dump is due every
10 s whatever they say.
"""

_DUE_NS = 10_000_000_000
#: Where the kernel tells of every connect, accept, listen and close, a dump is for the counters of
#: what stays open. Where not even a segment came or went it can bring nothing, and is a check.
_CHECK_NS = 60_000_000_000


class Gate:
    """The memory of one namespace. One thread uses it.

    `fresh_ns` is how old the counters of an open connection may be where the kernel tells of
    everything else by itself (`is_watched`).
    """

    def __init__(self, fresh_ns: int = _DUE_NS) -> None:
        self.fresh_ns = fresh_ns
        self._fingerprint: bytes | None = None
        self._dumped_ns = 0
        self._forced = 0

    def is_open(self, fingerprint: bytes | None, now_ns: int, *, is_watched: bool = False) -> bool:
        """Whether to dump. A fingerprint of None means the counters could not be read."""
        age_ns = now_ns - self._dumped_ns
        if self._forced > 0 or self._fingerprint is None or age_ns >= _CHECK_NS:
            return True
        has_changed = fingerprint is None or fingerprint != self._fingerprint
        if is_watched:
            return has_changed and age_ns >= self.fresh_ns
        return has_changed or age_ns >= _DUE_NS

    def force(self, dumps: int) -> None:
        """Stay open for so many dumps, whatever the counters say."""
        self._forced = max(self._forced, dumps)

    def dumped(self, fingerprint: bytes | None, now_ns: int) -> None:
        """A dump succeeded; `fingerprint` was read before it, so that a change during it shows."""
        self._fingerprint = fingerprint
        self._dumped_ns = now_ns
        self._forced = max(0, self._forced - 1)
