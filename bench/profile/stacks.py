"""Stacks: samples of a program's stacks, summed by what they were at. Pure."""

import re
from collections import Counter
from collections.abc import Iterable

import msgspec

# _fold (connbeat/connections/tracker.py:120)
_FRAME = re.compile(r"(\S+) \((?:.*/)?(connbeat/[\w/]+)\.py(?::\d+)?\)$")
#: Where a frame of connbeat is in no sample: the start, the end, threads of libraries.
ELSEWHERE = ("elsewhere", "")


class Place(msgspec.Struct, frozen=True):
    """A function of connbeat; `room` is its package, `module` the whole name."""

    module: str
    function: str

    @property
    def room(self) -> str:
        return "/".join(self.module.split("/")[:2])


def parse_stacks(text: str) -> Counter[Place]:
    """Count the samples of each place, from py-spy's `raw` format: `outer;inner 12`.

    Raises ValueError for a line without a count.
    """
    found: Counter[Place] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        found[_innermost(stack.split(";"))] += int(count)
    return found


def _innermost(frames: Iterable[str]) -> Place:
    places = [match.groups() for frame in frames if (match := _FRAME.match(frame.strip()))]
    function, module = places[-1] if places else ELSEWHERE[::-1]
    return Place(module, function)


def by_room(samples: Counter[Place]) -> Counter[str]:
    return _summed((place.room, count) for place, count in samples.items())


def by_module(samples: Counter[Place]) -> Counter[str]:
    return _summed((place.module, count) for place, count in samples.items())


def by_function(samples: Counter[Place]) -> Counter[str]:
    return _summed((f"{place.module}: {place.function}", count) for place, count in samples.items())


def _summed(counts: Iterable[tuple[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, count in counts:
        found[name] += count
    return found
