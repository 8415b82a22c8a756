"""How long to wait before the next try: exponential with full jitter, capped.

Full jitter (a uniform draw between nothing and the cap of the attempt) is what keeps a fleet of
agents from coming back in step after an outage.
"""

import random

import msgspec


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """The policy. `init_seconds` caps the first wait, `max_seconds` every later one."""

    init_seconds: float = 1.0
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.init_seconds <= self.max_seconds:
            raise ValueError("init_seconds must be above 0 and at most max_seconds")

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait after failed attempt number `attempt` (the first is 1)."""
        cap = min(self.max_seconds, self.init_seconds * 2 ** min(attempt - 1, 32))
        return rng.uniform(0.0, cap)
