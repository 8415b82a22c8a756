"""When a file is full, and what becomes of it: `connbeat` is `connbeat.1`, and so on.

Names and limits are those of libbeat 5.6: `number_of_files` counts the file that is written to,
and what has a number beyond is removed.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

# libbeat 5.6's own bound. A larger number is not ours (`connbeat.20261123`) and is left alone.
MAX_FILES = 1024


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """The policy. A file is never larger than `max_bytes` unless its only event is."""

    max_bytes: int = 10240 * 1024
    number_of_files: int = 7
    on_startup: bool = True

    def __post_init__(self) -> None:
        if self.max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        if not 2 <= self.number_of_files <= MAX_FILES:
            raise ValueError(f"number_of_files must be from 2 to {MAX_FILES}")


class Shift(msgspec.Struct, frozen=True):
    """The steps that free `filename`, in this order: removals, then renames (from, to)."""

    removals: tuple[str, ...]
    renames: tuple[tuple[str, str], ...]


def plan_shift(names: Iterable[str], filename: str, number_of_files: int) -> Shift:
    """What to do with the files of the directory. Every rename leads to a name that is free."""
    numbers = sorted(filter(None, (_number(name, filename) for name in names)), reverse=True)
    last = number_of_files - 1
    removals = tuple(f"{filename}.{number}" for number in numbers if number >= last)
    renames = [
        (f"{filename}.{number}", f"{filename}.{number + 1}") for number in numbers if number < last
    ]
    return Shift(removals, (*renames, (filename, f"{filename}.1")))


def count_fitting(ends: Sequence[int], first: int, size: int, max_bytes: int) -> int:
    """How many lines from number `first` on a file of `size` bytes takes; 0 means rotate first.

    `ends` are the running totals of the lines' lengths. An empty file takes any line.
    """
    begin = ends[first - 1] if first else 0
    count = bisect_right(ends, begin + max_bytes - size, lo=first) - first
    return count or int(size == 0)


def _number(name: str, filename: str) -> int:
    """The number of a rotated file; 0 if the name is not one's."""
    prefix, _, digits = name.rpartition(".")
    if prefix != filename or not re.fullmatch(r"[1-9][0-9]{0,3}", digits, re.ASCII):
        return 0
    number = int(digits)
    return number if number < MAX_FILES else 0
