"""Truth: what the load generator wrote down, and how a report compares with it. Pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

#: One end of a connection on loopback: its own port, and the other's.
Ports = tuple[int, int]


class Made(msgspec.Struct, frozen=True, gc=False):
    """A connection that was made. `closed_ns` is 0 for one that stays open."""

    kind: str
    client_pid: int
    server_pid: int
    client_port: int
    server_port: int
    opened_ns: int
    closed_ns: int


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """An end of a connection as an observer told of it, once or several times.

    `identity` tells two connections of the same ports apart, where the observer can. `pid` is 0
    where it names no process.
    """

    identity: str
    local_port: int
    remote_port: int
    pid: int
    cmdline: str = ""
    container: str = ""


class Score(msgspec.Struct, frozen=True):
    """How much of the truth was told. An end is `right` if it was told with its process.

    `surplus` are ends told more often than made: not one of them should be there.
    """

    ends: int
    reported: int
    right: int
    surplus: int


def parse_truth(text: str) -> list[Made]:
    return [_parse_line(line) for line in text.splitlines()]


def _parse_line(line: str) -> Made:
    kind, *numbers = line.split("\t")
    return Made(kind, *map(int, numbers))


def calling_ends(made: Iterable[Made]) -> list[tuple[Ports, int]]:
    """The ends that called, each with its process."""
    return [((one.client_port, one.server_port), one.client_pid) for one in made]


def answering_ends(made: Iterable[Made]) -> list[tuple[Ports, int]]:
    """The ends that accepted, each with its process."""
    return [((one.server_port, one.client_port), one.server_pid) for one in made]


def score(ends: Iterable[tuple[Ports, int]], sightings: Iterable[Sighting]) -> Score:
    """Compare the ends that were made with those that were told.

    Ports can be used again, so both sides are counted. Of several sightings of one connection the
    last that names a process counts.
    """
    made: defaultdict[Ports, Counter[int]] = defaultdict(Counter)
    for ports, pid in ends:
        made[ports][pid] += 1
    seen: defaultdict[Ports, dict[str, int]] = defaultdict(dict)
    for sighting in sightings:
        ports = sighting.local_port, sighting.remote_port
        if ports in made:
            named = seen[ports]
            named[sighting.identity] = sighting.pid or named.get(sighting.identity, 0)
    total = reported = right = surplus = 0
    for ports, pids in made.items():
        count, told = pids.total(), Counter(seen[ports].values())
        total += count
        reported += min(count, told.total())
        surplus += max(0, told.total() - count)
        right += (pids & told).total()
    return Score(total, reported, right, surplus)


def percent(part: int, whole: int) -> float:
    """Cut, not rounded: 100 means all of them."""
    return math.floor(10_000 * part / whole) / 100 if whole else 0.0
