"""Gate: whether a namespace can have anything new since its last dump.

A dump of an empty namespace costs as much as one of a full one, because it walks the machine's
whole hash; reading three small files costs a twentieth. Counters lie in one case (a listener
closed and another opened between two polls leaves them as they were), so a dump is due every
10 s whatever they say.
"""

_DUE_NS = 10_000_000_000
#: Where the kernel tells of every connect, accept and close, a dump is a check.
_CHECK_NS = 30_000_000_000
#: What stands for the counters there: it never changes.
WATCHED = b"watched"


class Gate:
    """The memory of one namespace. One thread uses it."""

    def __init__(self) -> None:
        self._fingerprint: bytes | None = None
        self._dumped_ns = 0
        self._forced = 0

    def is_open(self, fingerprint: bytes | None, now_ns: int) -> bool:
        """Whether to dump. A fingerprint of None means the counters could not be read."""
        due_ns = _CHECK_NS if fingerprint == WATCHED else _DUE_NS
        return (
            self._forced > 0
            or fingerprint is None
            or fingerprint != self._fingerprint
            or now_ns - self._dumped_ns >= due_ns
        )

    def force(self, dumps: int) -> None:
        """Stay open for so many dumps, whatever the counters say."""
        self._forced = max(self._forced, dumps)

    def dumped(self, fingerprint: bytes | None, now_ns: int) -> None:
        """A dump succeeded; `fingerprint` was read before it, so that a change during it shows."""
        self._fingerprint = fingerprint
        self._dumped_ns = now_ns
        self._forced = max(0, self._forced - 1)
