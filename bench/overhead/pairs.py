"""Pairs: the same load without and with an observer, in turns, and what the difference is. Pure."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from bench.truth import percent

_Turn = TypeVar("_Turn")


class Cost(msgspec.Struct, frozen=True):
    """CPU µs for one connection: of the program that made it, and of who watched it."""

    program: float
    observer: float


class Served(msgspec.Struct, frozen=True):
    """One run of nginx under wrk.

    `failed` are requests without an answer. `ends` is how many ends of connections there were by
    the kernel's own counters; the rest is the observer's: how many it told of, its CPU, and what it
    says of itself (coverage, losses).
    """

    requests_per_second: float
    failed: int = 0
    ends: int = 0
    told: int = 0
    cpu_seconds: float = 0.0
    own_words: Mapping[str, float] = {}


def in_turns(things: Sequence[_Turn], turn: int) -> Sequence[_Turn]:
    """Every other turn the other way round: what drifts favours none of them."""
    return things[::-1] if turn % 2 else things


def compare_costs(alone: Cost, watched: Cost) -> dict[str, float]:
    return {
        "µs of the program": watched.program,
        "more than alone": watched.program - alone.program,
        "ratio": watched.program / alone.program,
        "µs of the observer": watched.observer,
        "µs in all": watched.program + watched.observer,
        "ratio in all": (watched.program + watched.observer) / alone.program,
    }


def compare_served(alone: Served, watched: Served) -> dict[str, float]:
    ratio = watched.requests_per_second / alone.requests_per_second
    failed = alone.failed + watched.failed
    return {
        "requests/s without": alone.requests_per_second,
        "requests/s with": watched.requests_per_second,
        "change %": 100 * (ratio - 1),
        **({"failed": float(failed)} if failed else {}),
        "ends": float(watched.ends),
        "ends reported %": percent(watched.told, watched.ends),
        **({"µs an end told": 1e6 * watched.cpu_seconds / watched.told} if watched.told else {}),
        "CPU s": watched.cpu_seconds,
        **watched.own_words,
    }
