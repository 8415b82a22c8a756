"""Addresses seen in use, by whose they are: the host's and each container's."""

from operator import itemgetter

from connbeat.model.addresses import format_ip, is_loopback, is_wildcard

_KEPT_NS = 3_600_000_000_000
_FRESH_NS = 60_000_000_000
_MAX_ADDRESSES = 256
_MAX_OWNERS = 10_000


class LocalIps:
    """Remembers for an hour which addresses were used. Bounded; one thread uses it.

    Where there is no place for another one, that takes the place of what was unused for longest, if
    nobody used that for a minute.
    """

    def __init__(self) -> None:
        self._seen: dict[str, dict[bytes, int]] = {}
        self._texts: dict[str, list[str]] = {}

    def add(self, owner: str, ip: bytes, now_ns: int) -> bool:
        """Whether that changes what `of` says. `owner` is a container's id, or "" for the host."""
        addresses = self._seen.get(owner)
        if addresses is not None and now_ns - addresses.get(ip, -_FRESH_NS) < _FRESH_NS:
            return False  # the rule: seen lately
        if is_loopback(ip) or is_wildcard(ip):
            return False
        if addresses is None:
            if len(self._seen) >= _MAX_OWNERS:
                oldest = next(iter(self._seen))
                del self._seen[oldest]
                self._texts.pop(oldest, None)
            addresses = self._seen[owner] = {}
        is_new = ip not in addresses
        if is_new:
            if len(addresses) >= _MAX_ADDRESSES:
                unused, seen_ns = min(addresses.items(), key=itemgetter(1))
                if now_ns - seen_ns < _FRESH_NS:
                    # Else with 300 in use the list would be another for every event: 42 us each.
                    return False
                del addresses[unused]
            self._texts.pop(owner, None)
        addresses[ip] = now_ns
        return is_new

    def of(self, owner: str) -> list[str]:
        """In the order in which they were first seen. The list is shared: do not change it."""
        texts = self._texts.get(owner)
        if texts is None:
            texts = self._texts[owner] = [format_ip(ip) for ip in self._seen.get(owner, ())]
        return texts

    def expire(self, now_ns: int) -> None:
        for owner, addresses in list(self._seen.items()):
            old = [ip for ip, seen_ns in addresses.items() if now_ns - seen_ns > _KEPT_NS]
            for ip in old:
                del addresses[ip]
            if old:
                self._texts.pop(owner, None)
            if not addresses:
                del self._seen[owner]
