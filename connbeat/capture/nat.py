"""Rung 4: who really is at the other end, where the host's kernel translates addresses.

The connection tracking of the host's namespace is asked for single connections, those that
`connections` says can be translated: the entry of one exists as long as the connection does, and
for 10 s (reset) to 120 s (TIME_WAIT) after it, so that short ones can still be asked for. Nothing
is followed and nothing dumped.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from connbeat.capture.ladder import SWITCHED_OFF, Rung, Standing, Watch
from connbeat.errors import CaptureError, Malformed, NetnsGone
from connbeat.linux import netns
from connbeat.linux.conntrack import ConntrackSocket, Entry
from connbeat.linux.procfs import ProcFs
from connbeat.model.connections import Address, FourTuple
from connbeat.model.targets import Target
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

_REOPEN_NS = 30_000_000_000
#: Nobody's connection: whether the kernel answers at all is asked with it.
_NOBODY: FourTuple = (b"\0\0\0\0", 0, b"\0\0\0\0", 0)


class NatSource:
    """One thread uses it. A source that fails is closed and opened again later."""

    def __init__(self, procfs: ProcFs, highest: Rung, metrics: Metrics) -> None:
        self._procfs = procfs
        self._highest = highest
        self._metrics = metrics
        self._conntrack: ConntrackSocket | None = None
        self._netns = 0
        self._retry_ns = 0
        #: Why the rung is not reached, "" where it is.
        self.missing = SWITCHED_OFF

    def open(self, host: Target | None, now_ns: int) -> None:
        """Open it in the host's namespace if it is not; what is refused is tried again later."""
        if self._conntrack is not None and host is not None and host.netns != self._netns:
            self.close()
        if self._highest < Rung.NAT or self._conntrack is not None or now_ns < self._retry_ns:
            return
        self._retry_ns = now_ns + _REOPEN_NS
        self.missing = ""
        # What does not track does not translate; and asking would load the module.
        if (self._procfs.root / "sys/net/netfilter/nf_conntrack_max").exists():
            try:
                self._conntrack = self._opened(host)
            except CaptureError as error:
                self.missing = str(error)

    def real_remotes(self, asked: Sequence[FourTuple]) -> list[Address | None]:
        """For each: who is at the other end, where that is not the remote address it uses.

        None where nothing is translated, or nobody knows. Never raises.
        """
        answers: list[Address | None] = [None] * len(asked)
        try:
            # Without a rule that needs it the kernel tracks nothing, and one question says so.
            if not asked or self._conntrack is None or not self._conntrack.count():
                return answers
            self._metrics.add(Metric.NAT_LOOKUPS, len(asked))
            for place, ends in enumerate(asked):
                answers[place] = self._ask(self._conntrack, ends)
        except CaptureError as error:
            self._lose(error)
        found = len(answers) - answers.count(None)
        if found:
            self._metrics.add(Metric.NAT_TRANSLATED, found)
        return answers

    def close(self) -> None:
        if self._conntrack is not None:
            self._conntrack.close()
            self._conntrack = None

    def _opened(self, host: Target | None) -> ConntrackSocket:
        if host is None:
            raise NetnsGone("the host's namespace is not seen")
        conntrack = self._in_namespace(host)
        try:
            conntrack.get(_NOBODY)
        except CaptureError:
            conntrack.close()
            raise
        self._netns = host.netns
        return conntrack

    def _in_namespace(self, host: Target) -> ConntrackSocket:
        if host.netns == netns.own_netns():
            return ConntrackSocket()
        doors = [self._procfs.root / str(pid) / "ns/net" for pid in host.pids[:1]]
        for door in [*doors, *([Path(host.path)] if host.path else [])]:
            with netns.entered(door, host.netns):
                return ConntrackSocket()
        raise NetnsGone("the host's namespace has no process")

    def _ask(self, conntrack: ConntrackSocket, ends: FourTuple) -> Address | None:
        try:
            entry = conntrack.get(ends)
        except Malformed as error:
            self._metrics.add(Metric.NAT_LOOKUPS_FAILED)
            log.debug("A conntrack entry could not be read. error=%s", error)
            return None
        return real_remote(entry, ends) if entry is not None else None

    def _lose(self, error: CaptureError) -> None:
        log.warning("Translations are not seen any more; all else goes on. error=%s", error)
        self._metrics.add(Metric.NAT_LOOKUPS_FAILED)
        self._metrics.add(Metric.SOURCES_LOST, source="nat")
        self.missing = str(error)
        self.close()


class NatWatch:
    """A `Watch` with this rung on top of those below."""

    def __init__(self, below: Watch, nat: NatSource) -> None:
        self._below = below
        self._nat = nat

    @property
    def has_transitions(self) -> bool:
        return self._below.has_transitions

    def covers(self, netns: int) -> bool:
        return self._below.covers(netns)

    def standing(self, netns: int) -> Standing:
        standing = self._below.standing(netns)
        if standing.rung is not Rung.TRANSITIONS:
            return standing
        missing = self._nat.missing
        return Standing(Rung.TRANSITIONS, missing) if missing else Standing(Rung.NAT, "")


def real_remote(entry: Entry, ends: FourTuple) -> Address | None:
    """Who is at the other end of these ends, by the entry that has them as one of its tuples.

    The caller's packets are the original, so the sender of the replies is who answers it; the
    replies are the answering one's packets, so the sender of the original is who called.
    """
    if entry.original == ends:
        ip, port = entry.reply[:2]
    elif entry.reply == ends:
        ip, port = entry.original[:2]
    else:
        return None
    return Address(ip, port) if (ip, port) != ends[2:] else None
