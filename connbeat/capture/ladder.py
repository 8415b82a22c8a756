"""Ladder: which rung of capture a namespace is on, and why not the next.

A namespace climbs as high as the configuration, the privileges and the kernel allow, falls by one
rung when a source fails, and tries again later. Pure: `now_ns` is passed in.
"""

import enum
from typing import Protocol

import msgspec

_RETRY_NS = 60_000_000_000
_FAILURES_TO_FALL = 3
#: What a rung lacks that the configuration does not want.
SWITCHED_OFF = "switched off by `capture`"
#: What the trace lacks in a pid namespace of its own: a pid would be another process there.
OTHER_PIDS = "the trace has the host's pids, the agent sees others"


class Rung(enum.IntEnum):
    """The sources, each on top of the ones below; `label` is the name in configuration and docs."""

    PROCFS = 0
    DUMP = 1
    CLOSES = 2
    TRANSITIONS = 3
    NAT = 4

    @property
    def label(self) -> str:
        return self.name.lower()


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Where a namespace stands. `missing` says what the next rung lacks, "" at the top."""

    rung: Rung
    missing: str


class Watch(Protocol):
    """What the rungs above the dump see; see `capture.kernel`."""

    @property
    def has_transitions(self) -> bool:
        """Whether every connect and accept of the machine is seen."""
        ...

    def covers(self, netns: int) -> bool:
        """Whether every close of this namespace is heard."""
        ...

    def standing(self, netns: int) -> Standing:
        """The rung of a namespace that can be dumped."""
        ...


class Ladder:
    """The rung of one namespace. One thread uses it."""

    def __init__(self, highest: Rung) -> None:
        self._highest = highest
        self._failures = 0
        self._retry_ns = 0
        self.standing = Standing(highest, "")

    def use(self, now_ns: int) -> Rung:
        """The rung to use in this poll: a fallen namespace tries to climb once a minute."""
        if self.standing.rung < self._highest and now_ns >= self._retry_ns:
            self._retry_ns = now_ns + _RETRY_NS
            return self._highest
        return self.standing.rung

    def worked(self, rung: Rung) -> None:
        self._failures = 0
        if rung > self.standing.rung:
            self.standing = Standing(rung, "")

    def refused(self, missing: str, now_ns: int) -> None:
        """The rung needs what we do not have: fall at once."""
        self.standing = Standing(Rung.PROCFS, missing)
        self._failures = 0
        self._retry_ns = now_ns + _RETRY_NS

    def failed(self, why: str, now_ns: int) -> None:
        """The rung failed for another reason: fall after three times in a row."""
        self._failures += 1
        if self._failures >= _FAILURES_TO_FALL:
            self.refused(why, now_ns)
