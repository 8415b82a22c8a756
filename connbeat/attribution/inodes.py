"""Inode to process: the budgeted walk over `/proc/*/fd`.

One descriptor costs 4 us of the kernel's time, so the walk is the agent's most expensive act: it
is made only for sockets never attributed before, asks the likely process first, then the
processes of the socket's own namespace, and stops when everything is found or the budget is
spent. Processes whose number of descriptors changed since last time go first (`st_size` of
`/proc/<pid>/fd`, Linux 6.2).

Several processes can hold one socket (a forked child, a worker, a socket-activated service). The
walk goes up the pids with pid 1 last, so that the opener wins over its children, and anybody
over an init that only passes sockets on.
"""

from collections.abc import Iterable, Sequence

import msgspec

from connbeat.errors import CaptureError, NotPermitted
from connbeat.linux.procfs import ProcFs
from connbeat.model.processes import UnknownReason, Wanted
from connbeat.model.targets import Namespaces
from connbeat.telemetry.metrics import Metric, Metrics

#: Descriptors a poll may read: 0.2 s of CPU at the worst. Half as many again, if the likely
#: processes alone spent them.
BUDGET_FDS = 50_000
#: Complete walks without the socket before it counts as not there: it may be on its way from one
#: process to another during the first.
_WALKS = 2
#: Walks cut by the budget before we give up on a socket.
_CUTS = 10


class Holder(msgspec.Struct, frozen=True, gc=False):
    """A process that holds the socket, and under which descriptor."""

    pid: int
    fd: int


class _Search(msgspec.Struct):
    """How often a socket was looked for in vain."""

    walks: int = 0
    cuts: int = 0
    was_denied: bool = False


class InodeIndex:
    """Finds holders of sockets. One thread uses it; its memory is the sockets asked for last."""

    def __init__(self, procfs: ProcFs, metrics: Metrics, budget_fds: int = BUDGET_FDS) -> None:
        self._procfs = procfs
        self._metrics = metrics
        self._budget_fds = budget_fds
        self._searches: dict[int, _Search] = {}
        self._fd_counts: dict[int, dict[int, int]] = {}
        self._next_pid: dict[int, int] = {}

    def find(
        self, wanted: Sequence[Wanted], namespaces: Namespaces
    ) -> dict[int, Holder | UnknownReason]:
        """Inode to holder, or to the reason there is none. An inode that is missing from the
        answer is not decided yet: ask again at the next poll.
        """  # noqa: D205  one thought
        if not wanted:
            return {}
        self._searches = {w.inode: self._searches.get(w.inode, _Search()) for w in wanted}
        self._forget_gone(namespaces)
        walk = _Walk(self._procfs, {w.inode for w in wanted}, self._budget_fds)
        walk.look_into(dict.fromkeys(w.likely_pid for w in wanted if w.likely_pid))
        walk.keep_half()
        by_netns: dict[int, set[int]] = {}
        for w in wanted:
            by_netns.setdefault(w.netns, set()).add(w.inode)
        for netns, inodes in by_netns.items():
            self._walk_namespace(walk, netns, inodes, namespaces)
        self._walk_elsewhere(walk, wanted, namespaces)
        self._metrics.add(Metric.WALKS)
        self._metrics.add(Metric.WALKED_FDS, walk.fds_read)
        self._metrics.add(Metric.WALKS_CUT, int(walk.is_cut))
        # Only those asked for again need a memory, and at the start all of the host was.
        self._searches = {inode: self._searches[inode] for inode in walk.missing}
        return walk.found | self._undecided(walk.missing)

    def _walk_namespace(
        self, walk: "_Walk", netns: int, inodes: set[int], namespaces: Namespaces
    ) -> None:
        missing = inodes & walk.missing
        if not missing:
            return
        target = namespaces.targets.get(netns)
        pids = target.pids if target else ()
        is_whole = self._walk_pids(walk, netns, pids, missing)
        was_denied = not walk.denied.isdisjoint(pids)
        for inode in missing & walk.missing:
            search = self._searches[inode]
            search.walks += is_whole
            search.cuts += not is_whole
            search.was_denied = was_denied

    def _walk_elsewhere(
        self, walk: "_Walk", wanted: Sequence[Wanted], namespaces: Namespaces
    ) -> None:
        """A descriptor can be held outside its namespace (passed on, or made before a setns)."""
        last = {w.inode for w in wanted if self._searches[w.inode].walks == _WALKS}
        homes = {w.netns for w in wanted if w.inode in last & walk.missing}
        if not homes:
            return
        is_whole = all(
            self._walk_pids(walk, netns, target.pids, last)
            for netns, target in namespaces.targets.items()
            if homes != {netns}
        )
        if not is_whole:
            for inode in last & walk.missing:  # somebody was not asked: the last walk is to come
                self._searches[inode].walks -= 1
                self._searches[inode].cuts += 1

    def _walk_pids(self, walk: "_Walk", netns: int, pids: Sequence[int], missing: set[int]) -> bool:
        """False if it was cut: the next one goes on where this one stopped."""
        is_whole = walk.look_into(self._in_order(netns, pids), missing)
        if not is_whole:
            self._next_pid[netns] = walk.last_pid
        return is_whole

    def _in_order(self, netns: int, pids: Sequence[int]) -> list[int]:
        """Where the last cut walk stopped, then those whose descriptors changed, then the rest."""
        start = self._next_pid.pop(netns, 0)
        if start:
            return _init_last([p for p in pids if p > start] + [p for p in pids if p <= start])
        before = self._fd_counts.get(netns, {})
        counts = self._fd_counts[netns] = {pid: self._count_fds(pid) for pid in pids}
        changed = [pid for pid in pids if counts[pid] != before.get(pid, 0)]
        return _init_last(list(dict.fromkeys([*changed, *pids])))

    def _count_fds(self, pid: int) -> int:
        try:
            return self._procfs.fd_count(pid)
        except CaptureError:
            return 0

    def _forget_gone(self, namespaces: Namespaces) -> None:
        for netns in self._fd_counts.keys() - namespaces.targets.keys():
            del self._fd_counts[netns]
            self._next_pid.pop(netns, None)

    def _undecided(self, missing: Iterable[int]) -> dict[int, Holder | UnknownReason]:
        reasons: dict[int, Holder | UnknownReason] = {}
        for inode in missing:
            search = self._searches[inode]
            if search.walks >= _WALKS or search.cuts >= _CUTS:
                reasons[inode] = (
                    UnknownReason.NOT_PERMITTED if search.was_denied else UnknownReason.NOT_FOUND
                )
        return reasons


class _Walk:
    """One walk: what is still missing, what was found, what it cost."""

    def __init__(self, procfs: ProcFs, missing: set[int], budget_fds: int) -> None:
        self._procfs = procfs
        self._limit_fds = budget_fds
        self._visited: set[int] = set()
        self.missing = missing
        self.found: dict[int, Holder | UnknownReason] = {}
        self.denied: set[int] = set()
        self.fds_read = 0
        self.last_pid = 0
        self.is_cut = False

    def keep_half(self) -> None:
        """Whatever was spent so far, half of the budget is left from here on."""
        self._limit_fds = max(self._limit_fds, self.fds_read + self._limit_fds // 2)

    def look_into(self, pids: Iterable[int], until: set[int] | None = None) -> bool:
        """Look into these processes until none of `until` is missing; false if cut before."""
        goal = self.missing if until is None else until
        for pid in pids:
            if not goal & self.missing:
                break
            if pid in self._visited:
                continue
            if self.fds_read >= self._limit_fds:
                self.is_cut = True
                return False
            self._visit(pid)
        return True

    def _visit(self, pid: int) -> None:
        self._visited.add(pid)
        self.last_pid = pid
        try:
            held = self._procfs.socket_fds(pid)
        except NotPermitted:
            self.denied.add(pid)
            return
        except CaptureError:
            return  # ended meanwhile
        self.fds_read += len(held) + 1
        for fd, inode in held:
            if inode in self.missing:
                self.missing.discard(inode)
                self.found[inode] = Holder(pid, fd)


def _init_last(pids: Sequence[int]) -> list[int]:
    return [pid for pid in pids if pid != 1] + [pid for pid in pids if pid == 1]
