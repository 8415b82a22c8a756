"""Tracker: folds the snapshots of every poll into lives, and reports what became of them.

A poll is: `fold` each snapshot, `forget` each namespace that is gone, ask `unattributed` and give
the answers to `attribute`, then `report`. One thread calls it. Everything it decides follows from
what it was given; `now_ns` is passed in.

A life is reported as opened at the first poll that saw it and knows its owner (or knows that
nobody will), or as ongoing if it was there before the agent; then as ongoing every `aggregation`;
at last as closed. One that opened and closed between two polls is one closed event.
"""

import errno
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from connbeat.connections.coverage import Coverage
from connbeat.connections.direction import Decision, Evidence, decide, decide_alone
from connbeat.connections.life import Life
from connbeat.connections.listeners import ListenerTable
from connbeat.connections.namespace import NamespaceLives
from connbeat.connections.owners import CurrentOwners, ProcessRefresher
from connbeat.connections.pairs import PairIndex
from connbeat.connections.patience import Patience
from connbeat.connections.published import PublishedPorts
from connbeat.connections.relays import Relays
from connbeat.connections.reports import ReportMaker
from connbeat.connections.schedule import Schedule
from connbeat.connections.teller import Teller, TellerPolicy, Volume
from connbeat.connections.translations import Translations, Translator
from connbeat.model.addresses import Network, is_loopback
from connbeat.model.connections import (
    Direction,
    EventKind,
    RemoteParty,
    Report,
    Step,
    SummaryReason,
)
from connbeat.model.containers import ContainerLookup
from connbeat.model.processes import Attribution, Process, UnknownReason, Wanted
from connbeat.model.sockets import SocketSnapshot
from connbeat.model.traces import Close, Tick, Trace
from connbeat.telemetry.metrics import Metric, Metrics


class TrackerPolicy(TellerPolicy, frozen=True, kw_only=True):
    """What is reported and how often. `id_prefix` makes ids unique between hosts and boots."""

    id_prefix: str
    max_connections: int


#: Cookies told as closed before the kernel said so.
_REMEMBERED = 50_000
#: The other end of an end that was told of already: nobody asks any more who that was.
_TOLD = RemoteParty(None, None)
#: Whose a connection is that waited for its owner when the agent stopped.
_UNDECIDED = Attribution(UnknownReason.NOT_FOUND, None)


class Tracker:
    """All lives of all namespaces. Mutable, one owner."""

    def __init__(
        self,
        policy: TrackerPolicy,
        containers: ContainerLookup,
        processes: ProcessRefresher,
        metrics: Metrics,
        *,
        translator: Translator,
        volume: Volume | None = None,
    ) -> None:
        self._policy = policy
        self.coverage = Coverage()
        self._published = PublishedPorts(containers)
        self._translations = Translations(translator)
        self._relays = Relays(metrics)
        self._maker = ReportMaker(
            policy.id_prefix, containers, self._published, self._listeners, relays=self._relays
        )
        self._teller = Teller(self._maker, policy, volume or Volume(), metrics)
        self._owners = CurrentOwners(processes)
        self._metrics = metrics
        self._namespaces: dict[int, NamespaceLives] = {}
        self._pairs = PairIndex()
        self._born: list[Life] = []
        self._new: list[Life] = []
        self._accepted: list[Life] = []
        self._closed: list[Life] = []
        self._heard: list[Life] = []
        self._patience = Patience()
        self._failed: list[Trace] = []
        self._schedule = Schedule()
        self._ended: set[int] = set()
        self._without_message: dict[int, None] = {}
        self._count = 0
        self._is_first_poll = True

    def set_policy(self, policy: TrackerPolicy, now_ns: int) -> None:
        """From now on; ids stay as they are."""
        self._policy = policy
        before, after = self._teller.set_policy(policy), self._teller.interval_ns
        self._schedule.change(before, after, now_ns)
        waiting = self._schedule.ids()
        for namespace in self._namespaces.values():
            for life in namespace.lives.values():
                is_open = life.is_reported and life.closed_ns is None
                if is_open and not before(life) and id(life) not in waiting:
                    self._schedule.spread(life, now_ns, after(life))

    def set_host(
        self, netns: int, addresses: frozenset[bytes], networks: Collection[Network] = ()
    ) -> None:
        """The host's namespace, its interfaces' addresses (where ports are published) and the
        networks behind them.
        """  # noqa: D205  one thought
        self._published.set_host(netns, addresses)
        self._translations.set_host(netns, addresses, networks)
        self._relays.set_host(addresses)

    def fold(self, snapshot: SocketSnapshot) -> None:
        namespace = self._namespace(snapshot.netns)
        room = self._policy.max_connections - self._count + len(namespace.lives)
        folded = namespace.fold(snapshot, room)
        self._metrics.add(Metric.CONNECTIONS_OVER_LIMIT, folded.refused)
        self._count += len(folded.new)
        for life in folded.new:
            if isinstance(life.key, int):
                self._without_message.pop(life.key, None)  # a torn dump had called it gone
            if not life.is_listener and not life.was_here:
                self.coverage.take_up(life.netns)
        self._born += folded.new
        self._new += folded.new
        self._accepted += folded.accepted
        self._closed += folded.closed
        self._remember(folded.closed)

    def shed(self, reason: SummaryReason | None) -> None:
        """Tell everything in summaries from here on, for this reason; None: as configured."""
        self._teller.shed(reason)

    def in_doubt(self) -> list[int]:
        """The namespaces to be dumped at this poll in any case: of some connections there nobody
        knows whether they are open. One that was reset while its program keeps the socket has no
        message. To be asked once what the kernel told by itself was folded.
        """  # noqa: D205  one thought
        return [netns for netns, namespace in self._namespaces.items() if namespace.is_in_doubt]

    def fold_tick(self, tick: Tick) -> None:
        """Take in what the kernel told by itself: closes, and connects that failed."""
        self._relays.fold(tick)
        told = self._without_message
        for close in tick.closes:
            trace = close.trace
            if trace is None or not trace.failed_ns:
                is_news = close.socket.cookie not in told  # else gone before its message came
            else:
                # It was told when it failed, unless a dump had seen it under way and it is open.
                is_news = self._netns_of(close.socket.cookie) != 0
            if is_news:
                self._fold_close(close)
        for trace in tick.failed:
            self._failed.append(trace)
            if trace.process is not None and trace.errno != errno.EADDRNOTAVAIL:
                self.coverage.take_up(trace.process.netns)  # without a port there was no SYN

    def _fold_close(self, close: Close) -> None:
        netns = close.netns or self._netns_of(close.socket.cookie)
        namespace = self._namespace(netns)
        life = namespace.lives.get(close.socket.cookie)
        if life is None:
            life = namespace.begin_closed(close)
            if life is None:
                return
            is_first_seen = True
            self._count += 1
            self._born.append(life)
            if life.attribution is None:
                self._new.append(life)
        elif life.closed_ns is None:
            is_first_seen = life.was_here
            life.finish(close)
        else:
            return
        self._heard.append(life)
        if is_first_seen and not life.is_listener and (life.opened_ns or life.is_table_older):
            self.coverage.take_up(netns)

    def know(self, netns: int, cookie: int, trace: Trace) -> None:
        """What the transitions told of a connection that is open and was folded."""
        self._relays.disown(netns, trace)
        life = self._namespace(netns).lives.get(cookie)
        if life is None:
            return
        if life.was_here:  # it was not: the agent's first look was simply late
            self.coverage.take_up(netns)
        life.know(trace)

    def listening(self, ip: bytes, port: int) -> list[int]:
        """The namespaces that accept connections to this address."""
        return [
            netns
            for netns, namespace in self._namespaces.items()
            if namespace.listeners.match(ip, port)
        ]

    def forget(self, netns: int, now_ns: int) -> None:
        """The namespace is gone, and with it everything in it."""
        namespace = self._namespaces.get(netns)
        if namespace is not None:
            ended = namespace.end(now_ns)
            self._closed += ended
            self._remember(ended)
            self._ended.add(netns)
        self.coverage.forget(netns)

    def _remember(self, closed: Iterable[Life]) -> None:
        """These closed without a message of the kernel; it may still come."""
        told = self._without_message
        told |= {life.key: None for life in closed if isinstance(life.key, int)}
        for cookie in list(islice(told, max(0, len(told) - _REMEMBERED))):
            del told[cookie]

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

    def report(
        self, now_ns: int, *, is_last: bool = False, is_tick: bool = False
    ) -> Iterator[Report]:
        """What is to be told after this poll, one at a time: there can be 200,000.

        Between two polls (`is_tick`) only what is new. What goes on is told in few large turns: of
        a thousand events each costs a sixth less than of a hundred, for while the agent sleeps the
        processor forgets all of it.

        A connection whose other end may still come waits for the next turn, if this is not the
        last. To be taken to its end before anything else is asked: what closed is forgotten there.
        """
        self._is_first_poll = False
        if is_tick and not self._has_news():
            return
        self._teller.begin(now_ns)
        self._pair_born()
        new, self._new = self._new, []
        closed = self._closed + self._patience.settle(self._heard, self._ended, is_last=is_last)
        self._closed, self._heard = [], []
        self._decide_directions(new)
        self._decide_directions(closed)
        try:
            yield from filter(
                None, self._reports(new, closed, now_ns, is_tick=is_tick, is_last=is_last)
            )
            if not is_tick:
                yield from self._teller.summaries(now_ns, is_last=is_last)
        finally:
            self._remove_all(closed)
            self._schedule.trim(self._count)
            self._teller.measure()
            if not is_tick or self._teller.told:
                self._measure()

    def __len__(self) -> int:
        """Connections and listeners open now."""
        return self._count

    def _namespace(self, netns: int) -> NamespaceLives:
        namespace = self._namespaces.get(netns)
        if namespace is None:
            namespace = NamespaceLives(netns, was_here=self._is_first_poll)
            self._namespaces[netns] = namespace
        return namespace

    def _has_news(self) -> bool:
        return bool(self._new or self._closed or self._heard or self._failed or len(self._patience))

    def _is_over(self, netns: int) -> bool:
        """Whether a namespace was known from its closes only, and these are told."""
        return netns in self._namespaces and self._namespaces[netns].is_empty

    def _netns_of(self, cookie: int) -> int:
        """Where a socket lives whose close came from nowhere; 0 if it was never seen."""
        for netns, namespace in self._namespaces.items():
            if cookie in namespace.lives:
                return netns
        return 0

    def _without_owner(self) -> Iterator[Life]:
        for life in chain(self._new, self._accepted):
            if life.attribution is None:
                yield life

    def _pair_born(self) -> None:
        born, self._born = self._born, []
        connections = [life for life in born if not life.is_listener]
        self._relays.link(connections)
        for life in connections:
            life.nat = self._published.behind(life)
        self._pairs.add(connections)
        translated = self._translations.find(connections)
        for life, real in translated:
            self._pairs.discard(life)
            life.nat = real
        self._pairs.add([life for life, _ in translated])

    def _reports(
        self,
        new: Iterable[Life],
        closed: Iterable[Life],
        now_ns: int,
        *,
        is_tick: bool,
        is_last: bool,
    ) -> Iterator[Step | None]:
        """None where one could not be made."""
        yield from self._first_reports(new, now_ns, is_last=is_last)
        if not is_tick:
            yield from self._due_reports(now_ns, is_last=is_last)
        if is_last:
            yield from self._last_counts()
        for life in closed:
            yield self._teller.tell(life, EventKind.CLOSED)
        failed, self._failed = self._failed, []
        for trace, nat in zip(failed, self._translations.of_failed(failed), strict=True):
            yield self._teller.tell_failed(trace, nat)

    def _first_reports(
        self, new: Iterable[Life], now_ns: int, *, is_last: bool
    ) -> Iterator[Step | None]:
        for life in new:
            if life.closed_ns is not None:
                continue  # one closed event says it all
            if life.attribution is None and is_last:
                life.attribution = life.former or _UNDECIDED
            if life.attribution is None:
                self._new.append(life)
                continue
            is_known = life.is_reported or life.was_here
            life.is_reported = True
            if life.is_listener:
                self._learn_relay(life, life.attribution)
            self._schedule.add(life, now_ns, self._teller.interval_ns(life))
            yield self._teller.tell(life, EventKind.ONGOING if is_known else EventKind.OPENED)

    def _due_reports(self, now_ns: int, *, is_last: bool) -> Iterator[Step | None]:
        self._owners.begin(now_ns)
        for life in self._schedule.due(now_ns):
            if not self._is_owner_current(life) and not is_last:
                # Somebody else holds it by now, if anybody: told at the next poll.
                life.former, life.attribution = life.attribution, None
                self._new.append(life)
                continue
            if life.direction is Direction.UNKNOWN:
                self._decide_directions([life])
            self._schedule.add_again(life, now_ns, self._teller.interval_ns(life))
            yield self._teller.tell(life, EventKind.ONGOING)

    def _last_counts(self) -> Iterator[Step | None]:
        """Of what is open and told in summaries: nobody will tell what it moved until the stop."""
        for life in chain(*(namespace.lives.values() for namespace in self._namespaces.values())):
            if life.account is not None and life.account.group and life.closed_ns is None:
                yield self._teller.tell(life, EventKind.ONGOING)

    def _is_owner_current(self, life: Life) -> bool:
        """Bring the owner up to date; false if there is none yet, or it ended and another holds
        the socket.
        """  # noqa: D205  one thought
        if life.attribution is None:
            return False
        current = self._owners.of(life.attribution)
        if current is None:
            return not life.is_held  # an orphan: nobody holds it, it was that process's
        life.attribution = current
        return True

    def _decide_directions(self, lives: Sequence[Life]) -> None:
        """Several times over those still unknown: one end is known by what the other end proves,
        which may be decided after it.
        """  # noqa: D205  one thought
        unknown = [
            life for life in lives if life.direction is Direction.UNKNOWN and not life.is_listener
        ]
        for step in (decide_alone, decide, decide):
            for life in unknown:
                if life.direction is Direction.UNKNOWN:
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

    def _remove_all(self, closed: Collection[Life]) -> None:
        """What closed, now that it is told, and the namespaces that ended with it."""
        for life in closed:
            if not life.is_listener:
                self._remove(life)
        for life in closed:  # last: they explained the other connections that closed with them
            if life.is_listener:
                self._remove(life)
        # Nobody will be asked whose a closed one was, least of all in a namespace that is gone.
        self._accepted = [life for life in self._accepted if life.closed_ns is None]
        over = {netns for netns in {life.netns for life in closed} if self._is_over(netns)}
        self._ended |= over - self._patience.namespaces()
        for netns in self._ended:
            self._namespaces.pop(netns, None)
        self._ended.clear()

    def _remove(self, life: Life) -> None:
        self._namespaces[life.netns].remove(life)
        self._count -= 1
        if life.account is not None:  # also where nobody was to hear of its end
            life.account.leave()
        if life.is_listener:
            self._forget_relay(life)
            return
        relayed = life.relayed
        if relayed is not None:
            beyond = self._maker.beyond(relayed, life)
            relayed.end(life, self._maker.far_party(life))
            if life.peer is not None:
                life.peer.remote, life.peer.nat = beyond
        peer, life.peer = life.peer, None
        if peer is None:
            if life.remote is None:  # otherwise it had a partner, and stands there no more
                self._pairs.discard(life)
            return
        peer.peer = None
        if relayed is None:
            is_asked = peer.closed_ns is None or peer.relayed is not None
            peer.remote = self._maker.as_remote(life) if is_asked else _TOLD

    def _learn_relay(self, life: Life, attribution: Attribution) -> None:
        if isinstance(attribution.owner, Process):
            self._relays.learn(attribution.owner, life.socket.local_ip, life.socket.local_port)

    def _forget_relay(self, life: Life) -> None:
        if life.attribution is not None and isinstance(life.attribution.owner, Process):
            self._relays.forget(life.attribution.owner.pid)

    def _measure(self) -> None:
        listeners = sum(len(namespace.listeners) for namespace in self._namespaces.values())
        self._metrics.set(Metric.LISTENERS, listeners)
        self._metrics.set(Metric.COVERAGE, self.coverage.total().share)
        self._metrics.set(Metric.COVERAGE_LOWEST, self.coverage.lowest())
        self._metrics.set(Metric.COVERAGE_UNKNOWN, self.coverage.unknown)
        self._metrics.set(Metric.CONNECTIONS, self._count - listeners)
