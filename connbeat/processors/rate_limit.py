"""rate_limit: more events than that are dropped, in all or for each value of some fields.

A bucket of tokens: it holds as many as the limit, gets so many in each unit of time, and every
event takes one.
"""

import msgspec

from connbeat.model.documents import Document, field_getter
from connbeat.processors.protocol import Processor, ProcessorConfig, Services

#: Values that have a bucket; the ones not seen for longest lose theirs, which is a full one again.
_MOST_BUCKETS = 10_000


class Rate(msgspec.Struct, frozen=True):
    """So many events in so many seconds; `text` is how it was written."""

    events: float
    seconds: float
    text: str


class RateLimitConfig(ProcessorConfig, frozen=True, kw_only=True):
    """`limit` is required; without `fields` there is one bucket for all."""

    limit: Rate = Rate(0, 1, "0/s")
    fields: tuple[str, ...] = ()


def build(config: RateLimitConfig, services: Services) -> Processor:
    buckets = _Buckets(config.limit)
    getters = tuple(map(field_getter, config.fields))
    now_ns = services.clock.monotonic_ns

    def limit(document: Document) -> Document | None:
        key = tuple([str(get(document)) for get in getters])
        return document if buckets.take(key, now_ns()) else None

    return limit


class _Buckets:
    """One thread uses it."""

    def __init__(self, rate: Rate) -> None:
        self._most = rate.events
        self._per_ns = rate.events / rate.seconds / 1e9
        self._buckets: dict[tuple[str, ...], tuple[float, int]] = {}

    def take(self, key: tuple[str, ...], now_ns: int) -> bool:
        """Whether there was a token."""
        tokens, then_ns = self._buckets.pop(key, (self._most, now_ns))
        tokens = min(self._most, tokens + (now_ns - then_ns) * self._per_ns)
        has_one = tokens >= 1
        if len(self._buckets) >= _MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = (tokens - 1 if has_one else tokens, now_ns)
        return has_one
