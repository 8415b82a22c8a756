"""Observe: the capture thread. It asks every source, folds, and hands events on.

It owns every `setns` and never waits for a disk, a server or the container engine. A step that
fails costs that poll only: it is logged, counted, and the next poll makes up for it.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from queue import SimpleQueue

from connbeat.agent.opens import OpenFinder
from connbeat.agent.processing import Processing
from connbeat.agent.shedding import Shedding
from connbeat.attribution.lineage import Lineage
from connbeat.attribution.owners import OwnerResolver
from connbeat.attribution.processes import ProcessTable
from connbeat.capture.kernel import KernelSource
from connbeat.capture.nat import NatSource
from connbeat.capture.reader import SnapshotReader
from connbeat.clock import Clock, read_both
from connbeat.connections.tracker import Tracker, TrackerPolicy
from connbeat.discovery.namespaces import NamespaceReader
from connbeat.errors import CaptureError
from connbeat.events.document import Documents
from connbeat.linux.netns import own_netns
from connbeat.linux.rtnetlink import read_addresses, read_networks
from connbeat.model.addresses import Network
from connbeat.model.batches import Event
from connbeat.model.connections import Report
from connbeat.model.processes import Wanted
from connbeat.model.targets import Namespaces
from connbeat.queue.protocol import Intake
from connbeat.telemetry.heartbeat import Heartbeat
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

#: Events handed on at a time: outputs begin before the last of 200,000 is written.
_CHUNK_EVENTS = 1000
#: How often the kernel's notifications are drained between two polls.
_TICK_NS = 250_000_000
_ADDRESSES_EVERY_NS = 10_000_000_000
#: How long more may be kept of threads than they are to have.
_EXPIRE_EVERY_NS = 1_000_000_000


class Observer:
    """One poll after another: namespaces, snapshots, owners, reports. One thread uses it."""

    def __init__(  # noqa: PLR0913  the one place where the stages of a poll meet
        self,
        *,
        namespaces: NamespaceReader,
        snapshots: SnapshotReader,
        kernel: KernelSource,
        nat: NatSource,
        processes: ProcessTable,
        lineage: Lineage,
        owners: OwnerResolver,
        tracker: Tracker,
        clock: Clock,
        metrics: Metrics,
        shedding: Shedding | None = None,
    ) -> None:
        self._namespaces = namespaces
        self._snapshots = snapshots
        self._kernel = kernel
        self._nat = nat
        self._processes = processes
        self._lineage = lineage
        self._owners = owners
        self._tracker = tracker
        self._opens = OpenFinder(snapshots, tracker.listening)
        self._clock = clock
        self._metrics = metrics
        self._shedding = shedding
        self._addresses_due_ns = 0
        self._expire_due_ns = 0
        self.seen = Namespaces({}, ())
        self.host_netns = 0

    def poll(self, *, is_last: bool = False) -> Iterator[Report]:
        """Look at everything once. The reports are made one by one, to be taken to their end.

        What waits for a later turn is told as it is if this is the last.

        Raises nothing that one namespace or process could cause.
        """
        now_ns = self._clock.monotonic_ns()
        self.seen = self._namespaces.read()
        self._look_at_host(now_ns)
        self._kernel.open(now_ns)
        self._nat.open(self.seen.targets.get(self.host_netns), now_ns)
        self._kernel.see(self.seen.targets)
        self._fold_tick(is_last=is_last)
        self._fold_opens(now_ns)
        for netns in self._tracker.in_doubt():
            self._snapshots.force(netns)
        # The time of the dump, not of the poll: what it comes upon may be younger than that.
        if is_last:  # what was not found by its addresses has no later poll
            self._snapshots.force(None)
        poll = self._snapshots.poll(self.seen.targets.values(), self._clock.monotonic_ns())
        for snapshot in poll.snapshots:
            self._tracker.fold(snapshot)
        self._tracker.coverage.read(poll.opens, self.seen.targets)
        for netns in poll.gone:
            self._tracker.forget(netns, now_ns)
        self._attribute(self._tracker.unattributed(), now_ns)
        self._processes.expire(now_ns)
        self._expire_lineage(now_ns)
        self._metrics.add(Metric.POLLS)
        return self._tracker.report(now_ns, is_last=is_last)

    def tick(self) -> Iterator[Report]:
        """Between two polls: only what the kernel tells by itself."""
        now_ns = self._clock.monotonic_ns()
        self._fold_tick()
        # A socket that is held has to be looked for in all descriptors: that waits for the poll.
        self._attribute([w for w in self._tracker.unattributed() if not w.inode], now_ns)
        self._expire_lineage(now_ns)
        return self._tracker.report(now_ns, is_tick=True)

    def set_policy(self, policy: TrackerPolicy, fresh_ns: int) -> None:
        """From now on: what is reported and how often, and how old counters may be then."""
        self._tracker.set_policy(policy, self._clock.monotonic_ns())
        self._snapshots.set_fresh(fresh_ns)

    def close(self) -> None:
        self._snapshots.close()
        self._kernel.close()
        self._nat.close()

    def _fold_tick(self, *, is_last: bool = False) -> None:
        tick = self._kernel.tick(is_last=is_last)
        self._tracker.fold_tick(tick)
        self._opens.add(tick.opened)
        if self._shedding is not None:
            now_ns = self._clock.monotonic_ns()
            self._tracker.shed(self._shedding.step(now_ns, is_overrun=tick.is_lossy))
        if tick.is_lossy:  # twice, for what a first dump misses is only gone at the second
            self._snapshots.force(None, dumps=2)

    def _fold_opens(self, now_ns: int) -> None:
        snapshots, known = self._opens.find(self.seen, now_ns)
        for snapshot in snapshots:
            self._tracker.fold(snapshot)
        for netns, cookie, trace in known:
            self._tracker.know(netns, cookie, trace)

    def _attribute(self, wanted: Sequence[Wanted], now_ns: int) -> None:
        if wanted:
            self._tracker.attribute(self._owners.resolve(wanted, self.seen, now_ns))

    def _expire_lineage(self, now_ns: int) -> None:
        """Not only at polls: a minute without one would keep a minute of the machine's execs."""
        if now_ns >= self._expire_due_ns:
            self._expire_due_ns = now_ns + _EXPIRE_EVERY_NS
            self._lineage.expire(now_ns)

    def _look_at_host(self, now_ns: int) -> None:
        """The host's own addresses, where its published ports answer: they change rarely."""
        if now_ns < self._addresses_due_ns:
            return
        self._addresses_due_ns = now_ns + _ADDRESSES_EVERY_NS
        self.host_netns = next(
            (netns for netns, target in self.seen.targets.items() if target.is_host), 0
        )
        addresses: frozenset[bytes] = frozenset()
        networks: frozenset[Network] = frozenset()
        if self.host_netns == own_netns():
            try:
                addresses, networks = read_addresses(), read_networks()
            except CaptureError as error:
                log.debug("Addresses of the host not read. error=%s", error)
        self._tracker.set_host(self.host_netns, addresses, networks)


class EventMaker:
    """Reports to encoded events, through the processors if there are any. One thread uses it."""

    def __init__(
        self,
        builder: Documents,
        clock: Clock,
        metrics: Metrics,
        processing: Processing | None = None,
    ) -> None:
        self._builder = builder
        self._processing = processing
        self._late: tuple[Event, ...] = ()
        self._clock = clock
        self._metrics = metrics

    def make(self, reports: Iterable[Report], host_netns: int) -> Iterator[Event]:
        """One event a report, or none if a processor drops it; and those that waited for a name.

        A report that cannot be written costs itself only, and is counted.
        """
        builder = self._builder
        builder.begin(host_netns, *read_both(self._clock))
        yield from self._late
        self._late = ()
        processing = self._processing
        if processing is not None:
            yield from processing.released()
        for report in reports:
            try:
                if processing is None:
                    yield builder.event(report)
                    continue
                document = builder.build(report)
                timestamp_ns = builder.timestamp_ns(report)
                if event := processing.event(report.event_id, timestamp_ns, document):
                    yield event
            except Exception:  # one bad report must not cost the rest of the poll
                self._metrics.add(Metric.REPORTS_FAILED)
                log.exception("A report could not be written. id=%s", report.id)

    def start(self) -> None:
        """Whatever the processors look things up with. Blocks for a millisecond or two."""
        if self._processing is not None:
            self._processing.start()

    def rest(self) -> Iterator[Event]:
        """What still waits, as it is: there is no later turn with these processors."""
        yield from self._late
        self._late = ()
        if self._processing is not None:
            yield from self._processing.released(is_last=True)

    def exchange(self, processing: Processing | None) -> None:
        """Other processors from the next report on; what waits for the old ones goes on now."""
        self._late = tuple(self.rest())
        self.close()
        self._processing = processing
        self.start()

    def close(self) -> None:
        if self._processing is not None:
            self._processing.close()


class ObserverThread:
    """The body of the capture thread: a poll every interval until told to stop, and one more.

    In between, every `tick_ns`, what the kernel tells by itself.
    """

    def __init__(  # noqa: PLR0913  a thread is handed all it needs
        self,
        observer: Observer,
        events: EventMaker,
        intake: Intake,
        *,
        poll_interval_ns: int,
        clock: Clock,
        metrics: Metrics,
        tick_ns: int = _TICK_NS,
    ) -> None:
        self._observer = observer
        self._events = events
        self._intake = intake
        self._poll_interval_ns = poll_interval_ns
        self._tick_ns = tick_ns
        self._clock = clock
        self._metrics = metrics
        self._changes: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stopping = threading.Event()
        self.first_poll_done = threading.Event()
        self.heartbeat = Heartbeat(clock.monotonic_ns())

    def stop(self) -> None:
        """End `run` after one last poll, from any thread. Returns at once."""
        self._stopping.set()

    def set_poll_interval(self, interval_ns: int) -> None:
        """From the next poll on, from any thread."""
        self._poll_interval_ns = interval_ns

    def set_processing(self, processing: Processing | None) -> None:
        """Other processors from the next look on, from any thread."""
        self.adjust(partial(self._events.exchange, processing))

    def adjust(self, change: Callable[[], None]) -> None:
        """Have this thread call it before its next look, from any thread."""
        self._changes.put(change)

    def run(self) -> None:
        due_ns = self._clock.monotonic_ns()
        try:
            self._events.start()
            while not self._stopping.is_set():
                self._turn(self._observer.poll)
                self.first_poll_done.set()
                # A poll that took longer than the interval is not made up for.
                due_ns = max(due_ns + self._poll_interval_ns, self._clock.monotonic_ns())
                self._tick_until(due_ns)
            self._turn(partial(self._observer.poll, is_last=True))
            self._hand_on(self._events.rest)
        finally:
            self._observer.close()
            self._events.close()

    def _tick_until(self, due_ns: int) -> None:
        """Wait for the next poll, and take on the way what the kernel tells."""
        while (left_ns := due_ns - self._clock.monotonic_ns()) > self._tick_ns:
            if self._clock.wait(self._stopping, self._tick_ns / 1e9):
                return
            self._turn(self._observer.tick)
        self._clock.wait(self._stopping, left_ns / 1e9)

    def _turn(self, look: Callable[[], Iterator[Report]]) -> None:
        self._hand_on(lambda: self._events.make(look(), self._observer.host_netns))

    def _hand_on(self, make: Callable[[], Iterator[Event]]) -> None:
        try:
            while not self._changes.empty():
                self._changes.get()()
            for chunk in _chunks(make()):
                self._intake.put(chunk)
                self.heartbeat.beat(self._clock.monotonic_ns())
            self.heartbeat.beat(self._clock.monotonic_ns())
        except Exception:  # the top of a worker: a bug costs a poll, not the agent
            self._metrics.add(Metric.POLLS_FAILED)
            log.exception("A poll failed; the next one makes up for it.")


def _chunks(events: Iterator[Event]) -> Iterator[list[Event]]:
    """Parts of them. Where an exception ends them, what came before it is a part as well."""
    while True:
        chunk: list[Event] = []
        try:
            chunk.extend(islice(events, _CHUNK_EVENTS))
        except Exception:
            if chunk:  # those that made them have forgotten them
                yield chunk
            raise
        if not chunk:
            return
        yield chunk
