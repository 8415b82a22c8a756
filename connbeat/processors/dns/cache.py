"""What is known of addresses, each for its time, and no more of them than a number. Pure."""

from typing import Any


class NameCache:
    """Names by address, and addresses that have none. One thread at a time uses it."""

    def __init__(self, *, most_names: int, most_failures: int) -> None:
        self._names: dict[str, tuple[str, int]] = {}
        self._failures: dict[str, int] = {}
        self._most_names = most_names
        self._most_failures = most_failures

    def get(self, address: str, now_ns: int) -> str | None:
        """The name, "" where there is none, None where nothing is known (any more)."""
        found = self._names.get(address)
        if found is not None and now_ns < found[1]:
            return found[0]
        return "" if now_ns < self._failures.get(address, 0) else None

    def add(self, address: str, name: str, until_ns: int) -> None:
        """A name, or "" for none. Where there is no room, what came first goes."""
        if name:
            self._failures.pop(address, None)
            self._names.pop(address, None)
            _make_room(self._names, self._most_names)
            self._names[address] = name, until_ns
        else:
            self._names.pop(address, None)
            self._failures.pop(address, None)
            _make_room(self._failures, self._most_failures)
            self._failures[address] = until_ns


def _make_room(held: dict[str, Any], most: int) -> None:
    while len(held) >= most:
        del held[next(iter(held))]
