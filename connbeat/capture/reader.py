"""The reader of all namespaces: per namespace a ladder, a gate, and a socket inside it.

One thread calls it, and that thread is the one that goes into namespaces.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from connbeat.capture.dump import dump, open_diag
from connbeat.capture.gate import Gate
from connbeat.capture.ladder import Ladder, Rung, Standing, Watch
from connbeat.capture.tables import read_table_files, read_tables
from connbeat.errors import CaptureError, NetnsGone, NotPermitted
from connbeat.linux.diag_socket import DiagSocket
from connbeat.linux.proc_net import fingerprint, parse_opens
from connbeat.linux.procfs import ProcFs
from connbeat.model.sockets import Socket, SocketSnapshot
from connbeat.model.targets import Target
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)


class CapturePolicy(msgspec.Struct, frozen=True):
    """How high to climb, the files that stand in for the host's tables, if any, and how old the
    byte counters of an open connection may be.
    """  # noqa: D205  one thought

    highest: Rung = max(Rung)
    table_files: tuple[Path | None, Path | None] = (None, None)
    fresh_ns: int = 10_000_000_000


class Poll(msgspec.Struct, frozen=True):
    """What one poll gave: snapshots of what may have changed, and the namespaces that are gone.

    A namespace in neither is as it was, or could not be read this time. `opens` is, by namespace,
    how many connects and accepts its own counters tell of.
    """

    snapshots: tuple[SocketSnapshot, ...]
    gone: tuple[int, ...]
    opens: Mapping[int, int]


class _Namespace:
    """What the reader keeps of one namespace."""

    __slots__ = ("diag", "gate", "ladder")

    def __init__(self, policy: CapturePolicy) -> None:
        self.ladder = Ladder(min(policy.highest, Rung.DUMP))
        self.gate = Gate(policy.fresh_ns)
        self.diag: DiagSocket | None = None

    def close(self) -> None:
        if self.diag is not None:
            self.diag.close()
            self.diag = None


class SnapshotReader:
    """Takes the targets of a poll, gives their snapshots. Never raises for one namespace's sake."""

    def __init__(
        self, procfs: ProcFs, policy: CapturePolicy, watch: Watch, metrics: Metrics
    ) -> None:
        self._procfs = procfs
        self._policy = policy
        self._metrics = metrics
        self._watch = watch
        self._namespaces: dict[int, _Namespace] = {}
        self._opens: dict[int, int] = {}

    def set_fresh(self, fresh_ns: int) -> None:
        """From now on, how old the byte counters of an open connection may be."""
        self._policy = msgspec.structs.replace(self._policy, fresh_ns=fresh_ns)
        for namespace in self._namespaces.values():
            namespace.gate.fresh_ns = fresh_ns

    def force(self, netns: int | None, dumps: int = 1) -> None:
        """Dump this namespace (None: every one) at the next polls, whatever the gate says."""
        for known, entry in self._namespaces.items():
            if netns is None or known == netns:
                entry.gate.force(dumps)

    def get(self, target: Target, wanted: Socket) -> Socket | None:
        """The one socket of a namespace that has these addresses now. Raises CaptureError."""
        return self._diag(self._entry(target.netns), target).get(wanted)

    def poll(self, targets: Iterable[Target], now_ns: int) -> Poll:
        snapshots: list[SocketSnapshot] = []
        seen: set[int] = set()
        self._opens = {}
        for target in targets:
            try:
                snapshot = self._read(target, now_ns)
            except NetnsGone:
                continue  # vanished under us: not seen, so gone below
            except CaptureError as error:
                self._metrics.add(Metric.DUMPS_FAILED, reason=type(error).__name__)
                log.debug("Namespace not read. netns=%d error=%s", target.netns, error)
                seen.add(target.netns)
                continue
            seen.add(target.netns)
            if snapshot is not None:
                snapshots.append(snapshot)
        gone = tuple(self._namespaces.keys() - seen)
        for netns in gone:
            self._namespaces.pop(netns).close()
        self._count()
        return Poll(tuple(snapshots), gone, self._opens)

    def standings(self) -> dict[int, Standing]:
        """Where each namespace stands on the ladder. From another thread: possibly a poll old."""
        return {
            netns: self._standing(netns, entry) for netns, entry in list(self._namespaces.items())
        }

    def close(self) -> None:
        for entry in self._namespaces.values():
            entry.close()
        self._namespaces.clear()

    def _read(self, target: Target, now_ns: int) -> SocketSnapshot | None:
        snapshot = self._snapshot(target, now_ns)
        if snapshot is None:
            self._metrics.add(Metric.DUMPS_SKIPPED)
            return None
        self._metrics.add(Metric.DUMPS, source=snapshot.source)
        self._metrics.add(Metric.ROWS_MALFORMED, snapshot.malformed)
        self._metrics.add(Metric.DUMPS_INTERRUPTED, int(not snapshot.is_complete))
        return snapshot

    def _snapshot(self, target: Target, now_ns: int) -> SocketSnapshot | None:
        """None where nothing can have changed."""
        entry = self._entry(target.netns)
        if target.is_host and self._policy.table_files != (None, None):
            entry.ladder.refused("PROC_NET_TCP is set", now_ns)
            return read_table_files(target.netns, self._policy.table_files, now_ns)
        print_ = self._fingerprint(target)
        is_watched = self._watch.has_transitions and self._watch.covers(target.netns)
        if not entry.gate.is_open(print_, now_ns, is_watched=is_watched):
            return None
        snapshot = self._climb(entry, target, now_ns)
        if snapshot.is_complete:
            entry.gate.dumped(print_, now_ns)
        return snapshot

    def _climb(self, entry: _Namespace, target: Target, now_ns: int) -> SocketSnapshot:
        """The highest rung's snapshot, or the one below's where that one is refused."""
        rung = entry.ladder.use(now_ns)
        if rung is Rung.DUMP:
            try:
                snapshot = self._dump(entry, target, now_ns)
            except NetnsGone:
                raise
            except NotPermitted as error:
                entry.ladder.refused(str(error), now_ns)
            except CaptureError as error:
                entry.close()  # a socket in an unknown state is not asked again
                entry.ladder.failed(str(error), now_ns)
                log.debug("Dump failed. netns=%d error=%s", target.netns, error)
            else:
                entry.ladder.worked(rung)
                return snapshot
        if not target.pids:  # not gone: NetnsGone would close all that is open in it
            raise CaptureError("the tables of a namespace can be read through a process alone")
        return read_tables(self._procfs, target.netns, target.pids, now_ns)

    def _dump(self, entry: _Namespace, target: Target, now_ns: int) -> SocketSnapshot:
        covers = self._watch.covers(target.netns)
        return dump(
            self._diag(entry, target),
            target.netns,
            now_ns,
            closes_heard=covers,
            transitions_seen=covers and self._watch.has_transitions,
        )

    def _entry(self, netns: int) -> _Namespace:
        entry = self._namespaces.get(netns)
        if entry is None:
            entry = self._namespaces[netns] = _Namespace(self._policy)
        return entry

    def _diag(self, entry: _Namespace, target: Target) -> DiagSocket:
        if entry.diag is None:
            entry.diag = open_diag(target, self._procfs.root)
        return entry.diag

    def _standing(self, netns: int, entry: _Namespace) -> Standing:
        standing = entry.ladder.standing
        return self._watch.standing(netns) if standing.rung is Rung.DUMP else standing

    def _fingerprint(self, target: Target) -> bytes | None:
        """The namespace's own counters, through the first process that is left; None if none."""
        for pid in target.pids[:3]:
            try:
                snmp = self._procfs.read(pid, "net/snmp")
                self._opens[target.netns] = parse_opens(snmp)
                sockstat = self._procfs.read(pid, "net/sockstat")
            except CaptureError:
                continue
            try:
                sockstat6 = self._procfs.read(pid, "net/sockstat6")
            except CaptureError:
                sockstat6 = b""  # a kernel without IPv6 has no such file
            return fingerprint(snmp, sockstat, sockstat6)
        return None

    def _count(self) -> None:
        counts = dict.fromkeys(Rung, 0)
        for netns, entry in self._namespaces.items():
            counts[self._standing(netns, entry).rung] += 1
        for rung, count in counts.items():
            self._metrics.set(Metric.NAMESPACES, count, rung=rung.label)
