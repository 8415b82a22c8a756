"""Writer: the thread that brings events to disk, and the only one that writes there."""

import logging
import random

import msgspec

from connbeat.backoff import Backoff
from connbeat.clock import Clock
from connbeat.errors import Permanent, SpoolDamaged, SpoolUnavailable
from connbeat.model.batches import Event
from connbeat.queue.change import Change
from connbeat.queue.drops import DISK_ERROR, OUTPUT_REMOVED, QUEUE_FULL, SPOOL_DAMAGED, Drops
from connbeat.queue.place import Position
from connbeat.queue.spool import Spool
from connbeat.queue.state import EVENT_OVERHEAD_BYTES, SpoolState
from connbeat.queue.store import Content, Store
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metric, Metrics

# One transaction writes at most so much: then the log stays small, and a crash costs little.
BATCH_EVENTS = 4096
BATCH_BYTES = 1024 * 1024
_BATCH_OVERHEAD_BYTES = 64 * 1024

_log = logging.getLogger(__name__)


class WriterPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`commit_seconds`: events wait so long for others, so that one sync is for all of them."""

    commit_seconds: float = 0.1
    backoff: Backoff = Backoff(init_seconds=1.0, max_seconds=30.0)


class SpoolWriter:
    """`open` first, by the thread that starts the agent; then `run` is the body of a thread."""

    def __init__(
        self,
        state: SpoolState,
        spool: Spool,
        policy: WriterPolicy,
        *,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._state = state
        self._spool = spool
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._drops = Drops(_log, metrics, clock)
        self._lines = RateLimited(_log, clock)
        self._rng = random.Random()  # noqa: S311  jitter is no secret
        self._store: Store | None = None
        self._is_restored = False
        self._is_aside = True  # false while a damaged file still stands in the way
        self._is_untidy = False
        self._removed: set[str] = set()
        self._failures = 0

    def open(self) -> None:
        """Open the spool, or find that it has to wait. Raises `Permanent` if it never will work."""
        try:
            self._ready()
        except SpoolDamaged as error:
            self._give_up(error)
            self.work()
        except SpoolUnavailable as error:
            self._fail(error)

    def run(self) -> None:
        """Until the queue is closed and everything is written, or cannot be."""
        while self._await_work():
            self.work()
        # Twice, because a damaged spool takes one turn to be found and one to be replaced.
        for _ in range(2):
            if self._has_work():
                self.work()

    def work(self) -> None:
        """One turn: what waits, in one transaction. Never raises."""
        events = self._state.take(BATCH_EVENTS, BATCH_BYTES)
        try:
            self._write_all(events)
        except SpoolDamaged as error:
            self._give_up(error)
        except (SpoolUnavailable, Permanent) as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  the top of a thread: it goes on, whatever it was
            _log.exception("The spool failed unexpectedly; events wait in memory.")
            self._fail(error)
        else:
            self._worked()

    # ------------------------------------------------------------------ waiting
    def _await_work(self) -> bool:
        """Wait for the next turn; false if there is none any more."""
        state = self._state
        with state.changed:
            if self._failures:
                delay = self._policy.backoff.delay(self._failures, self._rng)
                return not state.changed.wait_for(lambda: state.is_closing, delay)
            state.changed.wait_for(lambda: self._has_work() or self._is_untidy or state.is_closing)
            state.changed.wait_for(self._is_urgent, self._policy.commit_seconds)
            return self._has_work() or not state.is_closing

    def _has_work(self) -> bool:
        state = self._state
        return bool(state.stage.events or state.is_dirty or state.damage)

    def _is_urgent(self) -> bool:
        state = self._state
        return (
            state.is_closing
            or state.is_hurried
            or state.damage is not None
            or state.stage.events >= BATCH_EVENTS
            or state.stage.size_bytes >= BATCH_BYTES
        )

    # ------------------------------------------------------------------ writing
    def _write_all(self, events: tuple[Event, ...]) -> None:
        self._raise_damage()
        store = self._ready()
        if self._failures:
            # On a full disk what is settled makes room: it must not wait for events to fit.
            store.empty_log()
            self._write(store, ())
        self._write(store, events)
        self._is_untidy = store.tidy()
        self._metrics.set(Metric.SPOOL_BYTES, store.size_bytes())

    def _raise_damage(self) -> None:
        """What a reader found is for the writer to mend."""
        with self._state.changed:
            damage, self._state.damage = self._state.damage, None
        if damage is not None:
            raise damage

    def _write(self, store: Store, events: tuple[Event, ...]) -> None:
        started_ns = self._clock.monotonic_ns()
        with store.change() as change:
            for output in self._removed:
                change.remove(output)
            change.save(self._state.marks())
            fits = not events or self._make_room(change, events)
            if fits:
                change.append(events)
        self._removed.clear()
        seconds = (self._clock.monotonic_ns() - started_ns) / 1e9
        self._metrics.add(Metric.SPOOL_COMMITS)
        self._metrics.add(Metric.SPOOL_COMMIT_SECONDS, seconds)
        if not events:
            return
        self._state.written(store.last)
        if fits:
            self._metrics.add(Metric.SPOOL_EVENTS_WRITTEN, len(events))
        else:
            self._drop(QUEUE_FULL, dict.fromkeys(self._state.places, len(events)))

    def _make_room(self, change: Change, events: tuple[Event, ...]) -> bool:
        """Let the oldest go until the events fit; false if even that is not enough."""
        size = sum([len(event.body) + EVENT_OVERHEAD_BYTES for event in events])
        after_seq = 0
        while not change.has_room(size + _BATCH_OVERHEAD_BYTES):
            oldest = change.oldest(after_seq)
            if oldest is None:
                return False
            after_seq = oldest.seq
            self._drop(QUEUE_FULL, self._skip(oldest))
            change.save(self._state.marks())
        return True

    def _skip(self, to: Position) -> dict[str, int]:
        with self._state.changed:
            return {place.output: place.skip(to) for place in self._state.places.values()}

    def _drop(self, reason: str, dropped: dict[str, int]) -> None:
        for output, count in dropped.items():
            self._drops.count(output, reason, count)

    # ------------------------------------------------------------------ opening
    def _ready(self) -> Store:
        if self._store is not None:
            return self._store
        if not self._is_aside:
            self._move_aside()
        store, content = self._spool.open()
        try:
            if self._is_restored:
                self._seed(store)
            else:
                self._restore(content)
        except BaseException:
            store.close()
            raise
        self._is_restored = True
        self._store = store
        with self._state.changed:
            self._state.store = store
            self._state.tell()
        return store

    def _restore(self, content: Content) -> None:
        """Every output goes on where it stood.

        One that is new begins with the next event. But if others were taken out of the
        configuration at the same time, it takes over from the one that has most waiting: then an
        output that does not work can be replaced by another without losing anything.
        """
        state = self._state
        removed = content.cursors.keys() - state.places.keys()
        heritage = max(removed, key=content.waiting, default="")
        heirs = sorted(state.places.keys() - content.cursors.keys())
        with state.changed:
            state.last = content.last
            for output, place in state.places.items():
                source = heritage if output in heirs else output
                cursor = content.cursors.get(source, content.last)
                place.restore(cursor, content.owed.get(source, []))
            state.is_dirty = True
        self._removed = set(removed)
        for output in sorted(removed):
            waiting = content.waiting(output)
            if waiting and output == heritage and heirs:
                _log.info(
                    "Another output takes over what waits in the spool. from=%s to=%s events=%d",
                    output,
                    ",".join(heirs),
                    waiting,
                )
            else:
                self._drops.count(output, OUTPUT_REMOVED, waiting)

    def _seed(self, store: Store) -> None:
        """A new spool, in place of a damaged one: what is held in memory is made safe again."""
        with self._state.changed:
            rows = dict(row for place in self._state.places.values() for row in place.held())
        with store.change() as change:
            change.seed(self._state.last, sorted(rows.items()))
            change.save(self._state.marks())

    # ------------------------------------------------------------------ trouble
    def _give_up(self, error: SpoolDamaged) -> None:
        """The file is damaged: what is in it only is lost, everything else goes on."""
        lost = self._lose()
        _log.error(
            "The spool is damaged; what was in it is lost. directory=%s error=%s lost=%s",
            self._spool.directory,
            error,
            ",".join(f"{output}:{count}" for output, count in sorted(lost.items())) or "unknown",
        )
        self._drop(SPOOL_DAMAGED, lost)
        self._is_aside = False
        self._note_failure(SPOOL_DAMAGED)

    def _lose(self) -> dict[str, int]:
        """Close the store; how many events each output loses, as far as anybody knows."""
        state = self._state
        store, self._store = self._store, None
        with state.changed:
            state.store = None
            lost = {one.output: one.lose_unread(state.last) for one in state.places.values()}
        if store is not None:
            store.close()
        return lost if self._is_restored else self._spool.count_waiting()

    def _move_aside(self) -> None:
        aside = self._spool.move_aside()
        self._is_aside = True
        _log.warning(
            "The damaged spool was moved aside; a new one takes its place. path=%s", aside or "gone"
        )

    def _fail(self, error: Exception) -> None:
        reason = error.reason if isinstance(error, SpoolUnavailable) else DISK_ERROR
        self._note_failure(reason)
        self._lines.warning(
            "The spool takes no events; they wait in memory. reason=%s error=%s",
            reason,
            error,
            key=reason,
        )

    def _note_failure(self, reason: str) -> None:
        self._failures += 1
        self._metrics.add(Metric.SPOOL_FAILURES, reason=reason)
        self._state.not_written()
        with self._state.changed:
            self._state.trouble = DISK_ERROR if reason == SPOOL_DAMAGED else reason
            self._state.tell()

    def _worked(self) -> None:
        if self._failures:
            self._failures = 0
            with self._state.changed:
                self._state.trouble = ""
                self._state.tell()
            _log.info("The spool takes events again.")

    def close(self) -> None:
        """Let go of the files. After `run` has ended."""
        if self._store is not None:
            self._store.close()
            self._store = None
        self._spool.close()
