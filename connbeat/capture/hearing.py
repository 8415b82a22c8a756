"""Hearing: the sockets that hear closes, and which namespace each message is from.

One socket of the host's namespace hears all namespaces that have an id there (a bridge container
gets one by its veth); into each of the others one goes. An id is learnt from a process or a bind
mount of its namespace; one that nobody knows yet is a namespace that is new, or whose first link
came after we had gone in: then both sockets hear it until the ids are learnt again.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from connbeat.capture.closes import CloseSocket
from connbeat.capture.joins import Heard
from connbeat.capture.ladder import SWITCHED_OFF
from connbeat.errors import CaptureError, NetnsGone
from connbeat.linux import netns
from connbeat.linux.procfs import ProcFs
from connbeat.linux.recvmmsg import OWN_NSID, Inbox, Message
from connbeat.linux.rtnetlink import read_nsid, read_nsid_at
from connbeat.model.targets import Target
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

#: Close messages taken from a socket in one turn: 8 MB of them.
_MESSAGES = 20_000
#: More than a socket can hold.
_ALL_MESSAGES = 200_000
#: Processes that are asked for the way into their namespace: any may just have ended.
_DOORS = 3
_NEEDS_BROADCAST = "closes of other namespaces need CAP_NET_BROADCAST"


class Hearing:
    """One thread uses it, and it goes into namespaces. `missing` says what is not heard, and why:
    "" where all can be.
    """  # noqa: D205  one thought

    def __init__(self, procfs: ProcFs, metrics: Metrics) -> None:
        self._procfs = procfs
        self._metrics = metrics
        self._host: CloseSocket | None = None
        self._own_netns = 0
        self._inside: dict[int, CloseSocket] = {}
        self._netns_by_nsid: dict[int, int] = {}
        self._met_stranger = False
        self.missing = SWITCHED_OFF

    @property
    def is_open(self) -> bool:
        return self._host is not None

    def open(self) -> None:
        """Hear our own namespace and, where we may, all with an id. Open already is fine."""
        if self._host is not None:
            return
        try:
            self._own_netns = netns.own_netns()
            self._host = CloseSocket(Inbox(), all_namespaces=True)
        except CaptureError as error:
            self.missing = str(error)
        else:
            self.missing = "" if self._host.hears_all else _NEEDS_BROADCAST

    def covers(self, where: int) -> bool:
        """Whether every close of this namespace is heard, and known to be from there."""
        return self._host is not None and (
            where == self._own_netns
            or where in self._inside
            or where in self._netns_by_nsid.values()
        )

    def see(self, targets: Mapping[int, Target]) -> None:
        """The namespaces that exist now: learn the ids of new ones, or go into them."""
        if self._host is None:
            return
        known = set(self._inside)
        if not self._met_stranger:
            known.update(self._netns_by_nsid.values())
        elif self._host.hears_all:
            known.clear()
        self._met_stranger = False
        for target in targets.values():
            if target.netns not in known and target.netns != self._own_netns:
                self._reach(target, self._host)
        for nsid in [i for i, where in self._netns_by_nsid.items() if where not in targets]:
            del self._netns_by_nsid[nsid]
        for where in [where for where in self._inside if where not in targets]:
            self._inside.pop(where).close()

    def hear(self, *, is_last: bool = False) -> tuple[list[Heard], bool]:
        """The close messages since the last call, and whether some were lost.

        Very many are left to the next call, if this is not the last. A socket that fails is given
        up, the host's with all the others.
        """
        found: list[Heard] = []
        is_lossy = False
        limit = _ALL_MESSAGES if is_last else _MESSAGES
        for where, opened in list(self._inside.items()):
            try:
                messages, overruns = self._drain(opened, limit)
            except CaptureError as error:
                self._inside.pop(where).close()
                log.debug("Closes not heard any more. netns=%d error=%s", where, error)
                is_lossy = True
                continue
            found += [(where, data, True) for _, data in messages]
            is_lossy = is_lossy or overruns
        if self._host is not None:
            try:
                messages, overruns = self._drain(self._host, limit)
            except CaptureError as error:
                self._lose(error)
                return found, True
            found += self._placed(messages)
            is_lossy = is_lossy or overruns
        return found, is_lossy

    def close(self) -> None:
        for opened in (self._host, *self._inside.values()):
            if opened is not None:
                opened.close()
        self._host = None
        self._inside.clear()
        self._netns_by_nsid.clear()

    def _drain(self, opened: CloseSocket, limit: int) -> tuple[list[Message], bool]:
        messages: list[Message] = []
        overruns = opened.drain(messages, limit)
        if overruns:
            # The kernel sends nothing more until it finds the socket empty (netlink_rcv_wake() in
            # net/netlink/af_netlink.c), and does not tell again.
            overruns += opened.drain(messages, _ALL_MESSAGES)
            self._metrics.add(Metric.CLOSES_OVERRUN, overruns)
        return messages, overruns > 0

    def _placed(self, messages: list[Message]) -> Iterator[Heard]:
        """With the namespace, 0 where the id is not known: it may be one that we are inside of."""
        places = {OWN_NSID: self._own_netns, **self._netns_by_nsid}
        for nsid, data in messages:
            where = places.get(nsid, 0)
            if not where:
                self._met_stranger = True
            yield where, data, not where

    def _reach(self, target: Target, host: CloseSocket) -> None:
        """By the id that the host has for it; one without is listened to from inside."""
        nsid = self._nsid_of(target) if host.hears_all else None
        if nsid is not None:
            self._netns_by_nsid[nsid] = target.netns
            if target.netns in self._inside:
                self._inside.pop(target.netns).close()
        elif target.netns not in self._inside:
            self._go_into(target, host.inbox)

    def _nsid_of(self, target: Target) -> int | None:
        for pid in target.pids[:1]:
            nsid = read_nsid(pid)
            if nsid is not None:
                return nsid
        return read_nsid_at(Path(target.path)) if target.path else None

    def _go_into(self, target: Target, inbox: Inbox) -> None:
        doors = [self._procfs.root / str(pid) / "ns/net" for pid in target.pids[:_DOORS]]
        for door in [*doors, *([Path(target.path)] if target.path else [])]:
            try:
                with netns.entered(door, target.netns):
                    self._inside[target.netns] = CloseSocket(inbox, all_namespaces=False)
            except NetnsGone:
                continue
            except CaptureError as error:
                log.debug("Closes not heard. netns=%d error=%s", target.netns, error)
            return

    def _lose(self, error: CaptureError) -> None:
        log.warning("Closes are not heard any more; dumps go on. error=%s", error)
        self._metrics.add(Metric.SOURCES_LOST, source="closes")
        self.missing = str(error)
        self.close()
