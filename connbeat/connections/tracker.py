"""Tracker: folds the snapshots of every poll into lives, and reports what became of them.

A poll is: `fold` each snapshot, `forget` each namespace that is gone, ask `unattributed` and give
the answers to `attribute`, then `report`. One thread calls it. Everything it decides follows from
what it was given; `now_ns` is passed in.

A life is reported as opened at the first poll that saw it and knows its owner (or knows that
nobody will), or as ongoing if it was there before the agent; then as ongoing every `aggregation`;
at last as closed. One that opened and closed between two polls is one closed event.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Protocol

import msgspec

from connbeat.connections.direction import Decision, Evidence, decide, decide_alone
from connbeat.connections.life import Life
from connbeat.connections.listeners import ListenerTable
from connbeat.connections.namespace import NamespaceLives
from connbeat.connections.pairs import PairIndex
from connbeat.connections.published import PublishedPorts
from connbeat.connections.reports import ReportMaker
from connbeat.connections.schedule import Schedule
from connbeat.model.addresses import is_loopback
from connbeat.model.connections import (
    Direction,
    EventKind,
    Report,
)
from connbeat.model.containers import ContainerLookup
from connbeat.model.processes import Attribution, Process, Wanted
from connbeat.model.sockets import SocketSnapshot
from connbeat.telemetry.metrics import Metric, Metrics


class TrackerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is reported and how often.

    `id_prefix` makes ids unique between hosts and boots. `own_pid` is left out of the reports; 0
    reports it too. `with_host` false reports only what belongs to a container.
    """

    id_prefix: str
    aggregation_ns: int
    max_connections: int
    own_pid: int
    with_host: bool


class ProcessRefresher(Protocol):
    """Tells what became of a process; see `attribution.processes.ProcessTable`."""

    def current(self, process: Process, now_ns: int) -> Process | None: ...


class Tracker:
    """All lives of all namespaces. Mutable, one owner."""

    def __init__(
        self,
        policy: TrackerPolicy,
        containers: ContainerLookup,
        processes: ProcessRefresher,
        metrics: Metrics,
    ) -> None:
        self._policy = policy
        self._published = PublishedPorts(containers)
        self._maker = ReportMaker(policy.id_prefix, containers, self._published, self._listeners)
        self._processes = processes
        self._metrics = metrics
        self._namespaces: dict[int, NamespaceLives] = {}
        self._pairs = PairIndex()
        self._born: list[Life] = []
        self._new: list[Life] = []
        self._accepted: list[Life] = []
        self._closed: list[Life] = []
        self._schedule = Schedule(policy.aggregation_ns)
        self._ended: set[int] = set()
        self._count = 0
        self._is_first_poll = True

    def set_host(self, netns: int, addresses: frozenset[bytes]) -> None:
        """The host's namespace and its interfaces' addresses: where ports are published."""
        self._published.set_host(netns, addresses)

    def fold(self, snapshot: SocketSnapshot) -> None:
        namespace = self._namespaces.get(snapshot.netns)
        if namespace is None:
            namespace = NamespaceLives(snapshot.netns, was_here=self._is_first_poll)
            self._namespaces[snapshot.netns] = namespace
        room = self._policy.max_connections - self._count + len(namespace.lives)
        folded = namespace.fold(snapshot, room)
        self._metrics.add(Metric.CONNECTIONS_OVER_LIMIT, folded.refused)
        self._count += len(folded.new)
        self._born += folded.new
        self._new += folded.new
        self._accepted += folded.accepted
        self._closed += folded.closed

    def forget(self, netns: int, now_ns: int) -> None:
        """The namespace is gone, and with it everything in it."""
        namespace = self._namespaces.get(netns)
        if namespace is not None:
            self._closed += namespace.end(now_ns)
            self._ended.add(netns)

    def unattributed(self) -> list[Wanted]:
        """The sockets whose owner is not known yet, each once."""
        wanted = {
            (life.netns, life.inode): Wanted(life.netns, life.inode, self._likely_pid(life))
            for life in self._without_owner()
        }
        return list(wanted.values())

    def attribute(self, answers: Mapping[tuple[int, int], Attribution]) -> None:
        """Owners by (namespace, inode). A life without an answer waits for the next poll."""
        for life in self._without_owner():
            life.attribution = answers.get((life.netns, life.inode))
        self._accepted = [life for life in self._accepted if life.attribution is None]

    def report(self, now_ns: int) -> Iterator[Report]:
        """What is to be told after this poll, one at a time: there can be 200,000.

        To be taken to its end before anything else is asked: what closed is forgotten there.
        """
        self._is_first_poll = False
        self._pair_born()
        new, self._new = self._new, []
        closed, self._closed = self._closed, []
        self._decide_directions(new)
        told: Counter[EventKind] = Counter()
        try:
            for report in self._reports(new, closed, now_ns):
                if self._is_told(report):
                    told[report.kind] += 1
                    if not isinstance(report.local.owner, Process):
                        self._metrics.add(Metric.OWNERS_UNKNOWN, reason=report.local.owner)
                    yield report
        finally:
            # Listeners last: they still explain the other connections that closed with them.
            for life in sorted(closed, key=lambda life: life.is_listener):
                self._remove(life)
            # Nobody will be asked whose a closed one was, least of all in a namespace that is gone.
            self._accepted = [life for life in self._accepted if life.closed_ns is None]
            for netns in self._ended:
                self._namespaces.pop(netns, None)
            self._ended.clear()
            self._schedule.trim(self._count)
            self._measure(told)

    def __len__(self) -> int:
        """Connections and listeners open now."""
        return self._count

    def _without_owner(self) -> Iterator[Life]:
        for life in chain(self._new, self._accepted):
            if life.attribution is None:
                yield life

    def _pair_born(self) -> None:
        born, self._born = self._born, []
        connections = [life for life in born if not life.is_listener]
        for life in connections:
            life.nat = self._published.behind(life)
        self._pairs.add(connections)

    def _reports(
        self, new: Iterable[Life], closed: Iterable[Life], now_ns: int
    ) -> Iterator[Report]:
        yield from self._first_reports(new, now_ns)
        yield from self._due_reports(now_ns)
        for life in closed:
            yield self._maker.report(life, EventKind.CLOSED, now_ns)

    def _first_reports(self, new: Iterable[Life], now_ns: int) -> Iterator[Report]:
        for life in new:
            if life.closed_ns is not None:
                continue  # one closed event says it all
            if life.attribution is None:
                self._new.append(life)
                continue
            is_known = life.is_reported or life.was_here
            life.is_reported = True
            self._schedule.add(life, now_ns)
            yield self._maker.report(
                life, EventKind.ONGOING if is_known else EventKind.OPENED, now_ns
            )

    def _due_reports(self, now_ns: int) -> Iterator[Report]:
        for life in self._schedule.due(now_ns):
            if not self._is_owner_current(life, now_ns):
                # Somebody else holds it by now, if anybody: told at the next poll.
                life.former, life.attribution = life.attribution, None
                self._new.append(life)
                continue
            if life.direction is Direction.UNKNOWN:
                self._decide_directions([life])
            self._schedule.add_again(life, now_ns)
            yield self._maker.report(life, EventKind.ONGOING, now_ns)

    def _is_owner_current(self, life: Life, now_ns: int) -> bool:
        """Bring the owner up to date; false if there is none yet, or it ended and another holds
        the socket.
        """  # noqa: D205  one thought
        attribution = life.attribution
        if attribution is None or not isinstance(attribution.owner, Process):
            return attribution is not None
        process = self._processes.current(attribution.owner, now_ns)
        if process is None:
            return not life.is_held  # an orphan: nobody holds it, it was that process's
        if process is not attribution.owner:
            life.attribution = Attribution(process, process.container)
        return True

    def _decide_directions(self, lives: Sequence[Life]) -> None:
        """Several times over those still unknown: one end is known by what the other end proves,
        which may be decided after it.
        """  # noqa: D205  one thought
        for step in (decide_alone, decide, decide):
            for life in lives:
                if life.direction is Direction.UNKNOWN and not life.is_listener:
                    life.direction, life.direction_source = step(self._evidence(life))

    def _evidence(self, life: Life) -> Evidence:
        row = life.socket
        listeners = self._listeners(life.netns)
        is_own = is_loopback(row.remote_ip) or row.remote_ip == row.local_ip
        is_new = not life.is_reported  # a listener that came or went later proves nothing
        peer: Decision | None = None
        if life.peer is not None:
            peer = life.peer.direction, life.peer.direction_source
        return Evidence(
            state=life.state,
            client_excess=row.counters.client_excess if row.counters is not None else None,
            listens_here=is_new and bool(listeners.match(row.local_ip, row.local_port)),
            listens_there=is_new
            and is_own
            and bool(listeners.match(row.remote_ip, row.remote_port)),
            is_table_older=life.is_table_older and is_new and life.peer is None,
            peer=peer,
        )

    def _listeners(self, netns: int) -> ListenerTable:
        return self._namespaces[netns].listeners

    def _likely_pid(self, life: Life) -> int:
        row = life.socket
        if life.is_listener:
            return 0
        process = self._listeners(life.netns).owner(row.local_ip, row.local_port)
        return process.pid if process is not None else 0

    def _remove(self, life: Life) -> None:
        self._namespaces[life.netns].remove(life)
        self._count -= 1
        if life.is_listener:
            return
        self._pairs.discard(life)
        peer, life.peer = life.peer, None
        if peer is not None:
            peer.remote, peer.peer = self._maker.as_remote(life), None

    def _is_told(self, report: Report) -> bool:
        owner = report.local.owner
        if isinstance(owner, Process) and owner.pid == self._policy.own_pid:
            return False
        return self._policy.with_host or report.local.container is not None

    def _measure(self, told: Mapping[EventKind, int]) -> None:
        listeners = sum(len(namespace.listeners) for namespace in self._namespaces.values())
        self._metrics.set(Metric.LISTENERS, listeners)
        self._metrics.set(Metric.CONNECTIONS, self._count - listeners)
        for kind, count in told.items():
            self._metrics.add(Metric.REPORTS, count, kind=kind)
