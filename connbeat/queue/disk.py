"""A queue on disk: one spool for all outputs, in which an event is written once.

    put -> stage (memory, bounded) -> writer thread -> spool (SQLite) -> one place an output

Whoever puts never waits for the disk: events stand in the stage until the writer has committed and
synced them. Only then can they be leased, so an event that an output has is one that a crash does
not lose. Where the disk takes nothing, the stage fills, and its oldest events go, counted.
"""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from connbeat.backoff import Backoff
from connbeat.clock import Clock
from connbeat.errors import SpoolDamaged, SpoolUnavailable
from connbeat.model.batches import Batch, Event, Outcome
from connbeat.queue.drops import CLOSED, DISK_SLOW, Drops
from connbeat.queue.place import Row
from connbeat.queue.spool import Spool
from connbeat.queue.stage import Stage
from connbeat.queue.state import SpoolState
from connbeat.queue.store import Store
from connbeat.queue.writer import SpoolWriter, WriterPolicy
from connbeat.telemetry.log import RateLimited
from connbeat.telemetry.metrics import Metrics

# The last transaction; a disk that takes longer hangs, and an agent that stops must stop.
_CLOSING_SECONDS = 5.0
# Before the next try of a reader whose disk failed.
_READ_AGAIN_SECONDS = 1.0

_log = logging.getLogger(__name__)


class DiskPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`max_bytes` is for the files on disk, 0 is without limit; the stage is in memory."""

    max_bytes: int = 10_000_000_000
    stage_events: int = 65_536
    stage_bytes: int = 64 * 1024 * 1024
    commit_seconds: float = 0.1
    backoff: Backoff = Backoff(init_seconds=1.0, max_seconds=30.0)


class DiskQueue:
    """The `Intake` of all outputs, and their places.

    `start` and `close` are called once each, by the thread that starts and stops the agent; the
    rest by any.
    """

    def __init__(
        self,
        directory: Path,
        outputs: Sequence[str],
        policy: DiskPolicy,
        *,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        stage = Stage(policy.stage_events, policy.stage_bytes)
        self._state = SpoolState(outputs, stage, metrics, policy.max_bytes)
        self._writer = SpoolWriter(
            self._state,
            Spool(directory, policy.max_bytes, clock),
            WriterPolicy(commit_seconds=policy.commit_seconds, backoff=policy.backoff),
            metrics=metrics,
            clock=clock,
        )
        self._drops = Drops(_log, metrics, clock)
        self._thread = threading.Thread(target=self._writer.run, name="spool", daemon=True)
        lines = RateLimited(_log, clock)
        self._places = {output: DiskPlace(self._state, output, lines) for output in outputs}

    def place(self, output: str) -> "DiskPlace":
        """The `Queue` of one output."""
        return self._places[output]

    def start(self) -> None:
        """Open the spool and start its thread. Raises `Permanent` if it can never be used."""
        self._writer.open()
        for output, place in self._places.items():
            if len(place):
                _log.info(
                    "Events of an earlier run wait in the spool. output=%s events=%d bytes=%d",
                    output,
                    len(place),
                    place.size_bytes,
                )
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why the disk takes or gives nothing now, "" if it does."""
        return self._state.trouble

    def put(self, events: Sequence[Event]) -> None:
        """As `Intake.put`. What does not fit costs the oldest events that are not written yet."""
        if not events:
            return
        state = self._state
        with state.changed:
            if state.is_closing:
                dropped, reason = len(events), CLOSED
            else:
                dropped, reason = state.stage.put(events), state.trouble or DISK_SLOW
                state.tell()
        if dropped:
            self._drop(reason, dropped)

    def close(self) -> None:
        """Write what is there, and let go of the disk; every event on it stays for the next start.

        What cannot be written within a few seconds is lost, and counted.
        """
        state = self._state
        with state.changed:
            state.is_closing = True
            state.changed.notify_all()
        self._thread.join(_CLOSING_SECONDS)
        with state.changed:
            reason = state.trouble or DISK_SLOW
            lost = state.stage.clear()
            state.tell()
        if lost:
            self._drop(reason, lost)
        for output, place in self._places.items():
            place.close(CLOSED)
            _log.info(
                "The spool is closed; what waits in it stays for the next start."
                " output=%s events=%d bytes=%d",
                output,
                len(place),
                place.size_bytes,
            )
        if not self._thread.is_alive():
            self._writer.close()

    def _drop(self, reason: str, count: int) -> None:
        for output in self._places:
            self._drops.count(output, reason, count)


class DiskPlace:
    """The `Queue` of one output. One thread at a time leases."""

    def __init__(self, state: SpoolState, output: str, lines: RateLimited) -> None:
        self._state = state
        self._place = state.places[output]
        self._lines = lines
        self._is_woken = False
        self._is_closed = False

    def lease(
        self, max_events: int, *, min_events: int = 1, flush_seconds: float = 0.0
    ) -> Batch | None:
        with self._state.changed:
            if min_events > 0:
                self._await(min(min_events, max_events), flush_seconds)
            else:
                self._await_stage(max_events)
            self._is_woken = False
        while True:
            with self._state.changed:
                after_seq = self._place.read.seq
                unread = self._state.last.seq - after_seq
                wanted = min(max_events - self._place.to_retry, unread)
                store = self._state.store
                if wanted <= 0 or store is None or self._is_closed:
                    return self._lease(max_events, [])
            rows = self._read(store, after_seq, wanted)
            with self._state.changed:
                fresh = [row for row in rows if row[0] > self._place.read.seq]
                if fresh or self._place.read.seq == after_seq:
                    return self._lease(max_events, fresh)
            # The writer made room meanwhile: all that was read has been dropped.

    def settle(self, batch: Batch, outcome: Outcome) -> bool:
        """As `Queue.settle`. Never waits; a crash within the next commit sends the events again."""
        state = self._state
        with state.changed:
            if not self._place.settle(batch, outcome):
                return False
            state.is_dirty = True
            state.tell()
            return True

    def wake(self) -> None:
        with self._state.changed:
            self._is_woken = True
            self._state.changed.notify_all()

    def close(self, reason: str) -> int:  # noqa: ARG002  nothing is dropped, so nothing is counted
        with self._state.changed:
            if self._is_closed:
                return 0
            self._is_closed = True
            self._place.end_leases()
            self._state.changed.notify_all()
            return self._state.events(self._place)

    def __len__(self) -> int:
        with self._state.changed:
            return self._state.events(self._place)

    @property
    def size_bytes(self) -> int:
        with self._state.changed:
            return self._state.size_bytes(self._place)

    @property
    def fill_ratio(self) -> float:
        with self._state.changed:
            return self._state.fill_ratio(self._place)

    @property
    def oldest_ns(self) -> int | None:
        with self._state.changed:
            return self._state.oldest_ns(self._place)

    def _lease(self, max_events: int, fresh: list[Row]) -> Batch | None:
        if self._is_closed:
            return None
        batch = self._place.lease(max_events, fresh)
        self._state.tell()
        return batch

    def _await(self, min_events: int, flush_seconds: float) -> None:
        def is_hurried() -> bool:
            return self._is_woken or self._is_closed

        changed = self._state.changed
        changed.wait_for(lambda: self._waiting() or is_hurried())
        changed.wait_for(lambda: self._waiting() >= min_events or is_hurried(), flush_seconds)

    def _await_stage(self, max_events: int) -> None:
        """What was put before this call is in the queue: wait until it can be leased."""
        state = self._state
        state.is_hurried = state.stage.events > 0
        state.changed.notify_all()
        state.changed.wait_for(
            lambda: (
                not state.stage.events
                or self._waiting() >= max_events
                or self._is_closed
                or bool(state.trouble)
            )
        )

    def _waiting(self) -> int:
        return self._place.waiting(self._state.last)

    def _read(self, store: Store, after_seq: int, wanted: int) -> list[Row]:
        """Events from disk; none, after a while, if it does not give them."""
        state = self._state
        try:
            rows = store.read(after_seq, wanted)
            self._check(rows, after_seq)
        except SpoolDamaged as error:
            with state.changed:
                if state.store is store:
                    state.damage = error
                    state.changed.notify_all()
                    state.changed.wait_for(lambda: state.store is not store or self._is_closed)
        except SpoolUnavailable as error:
            self._lines.warning(
                "Events cannot be read from the spool. output=%s error=%s",
                self._place.output,
                error,
                key=self._place.output,
            )
            with state.changed:
                state.changed.wait_for(
                    lambda: self._is_woken or self._is_closed, _READ_AGAIN_SECONDS
                )
        else:
            return rows
        return []

    def _check(self, rows: list[Row], after_seq: int) -> None:
        """Events may be missing because the writer has dropped them; else the spool is damaged."""
        seqs = [seq for seq, _ in rows]
        if seqs and seqs == list(range(after_seq + 1, after_seq + len(seqs) + 1)):
            return
        with self._state.changed:
            read_seq = self._place.read.seq
        seqs = [seq for seq in seqs if seq > read_seq]
        is_whole = seqs == list(range(read_seq + 1, read_seq + len(seqs) + 1))
        if not is_whole or (not seqs and read_seq == after_seq):
            raise SpoolDamaged(f"events after {read_seq} are missing")
