"""Deliver: one worker an output, the one place that retries.

A worker leases a batch, sends it and settles what became of it. What is to be retried goes back
to the front of the queue and is leased again together with what came since, so one event that is
refused for ever does not hold up those behind it. Between tries the worker waits: exponentially
longer while nothing arrives at all, from the beginning again as soon as anything does.

Stopping takes two calls, so that all outputs drain at the same time: `drain` tells the worker the
deadline, `join` waits for it.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable

import msgspec

from connbeat.agent.delivery.dead_letters import DeadLetters
from connbeat.agent.delivery.delivery_report import DeliveryCounts, DeliveryReport, Failure
from connbeat.agent.delivery.filters import WhenFilter
from connbeat.agent.delivery.retries import Retries
from connbeat.backoff import Backoff
from connbeat.clock import Clock
from connbeat.errors import Permanent, Transient
from connbeat.model.batches import Batch, Drop, Outcome
from connbeat.outputs.protocol import Output
from connbeat.queue.protocol import Queue
from connbeat.telemetry.metrics import Metrics

SHUTDOWN = "shutdown"
OUTPUT_GONE = "output_gone"

# A `Retry-After` beyond this is a mistake or an attack, not a plan.
_LONGEST_WAIT_SECONDS = 3600.0
# What a worker that keeps the deadline may take to close its output.
_CLOSING_SECONDS = 0.5

_log = logging.getLogger(__name__)


class DeliveryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How one output's batches are made and tried again, and where what it refuses goes.

    `max_retries` None is without limit. `dead_letters` belongs to the worker.
    """

    max_events: int = 2048
    min_events: int = 1
    flush_seconds: float = 1.0
    backoff: Backoff = Backoff()
    max_retries: int | None = None
    wanted: WhenFilter = WhenFilter(None)
    dead_letters: DeadLetters | None = None

    def __post_init__(self) -> None:
        if self.max_events < 1 or self.min_events < 1:
            raise ValueError("max_events and min_events must be at least 1")
        if self.flush_seconds < 0 or (self.max_retries or 0) < 0:
            raise ValueError("flush_seconds and max_retries must be at least 0")


class DeliveryWorker:
    """The thread of one output. It may block in the output; nobody waits for it but `join`.

    `start`, `drain` and `join` are called in this order by one thread; `reopen` and `exchange` by
    any.
    """

    def __init__(
        self,
        output: Output,
        queue: Queue,
        policy: DeliveryPolicy,
        *,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._output = output
        self._queue = queue
        self._policy = policy
        self._clock = clock
        self._report = DeliveryReport(output.name, metrics, clock)
        self._thread = threading.Thread(target=self.run, name=f"output-{output.name}", daemon=True)
        # What others tell the worker: flags first, then `_nudged`, which ends its waiting.
        self._nudged = threading.Event()
        self._must_reopen = False
        self._exchanges: deque[tuple[DeliveryPolicy, Output | None]] = deque()
        self._deadline_ns: int | None = None
        # The worker's own.
        self._on_gone: Callable[[str, Permanent], None] = _ignore
        self._rng = random.Random()  # noqa: S311  jitter is no secret
        self._retries = Retries(policy.max_retries)
        self._failures = 0

        #: Whether the last output that was to take its place could not; the old one goes on.
        self.has_refused = False

    @property
    def name(self) -> str:
        return self._output.name

    @property
    def trying_since_ns(self) -> int | None:
        """When it began to try what has brought nothing through so far. For any thread."""
        return self._report.trying_since_ns

    def start(self, on_gone: Callable[[str, Permanent], None]) -> None:
        """Open the output, start the thread. Raises `Permanent` if the output can never work.

        `on_gone(name, error)` is called by the worker's thread if the output goes away for good
        later: what is queued for it is lost then, and counted.
        """
        self._on_gone = on_gone
        try:
            self._output.open()
        except Transient as error:
            self._fail(Failure.TRANSIENT, error)
        self._thread.start()

    def reopen(self) -> None:
        """SIGHUP: reopen the output before the next batch, and cut short any waiting."""
        self._must_reopen = True
        self._nudge()

    def exchange(self, policy: DeliveryPolicy, output: Output | None) -> None:
        """Go on like this after the batch under way, with another output unless that is None.

        It belongs to us from here on. If it can never work, the old one goes on, and `has_refused`
        says so. The dead letters stay the old ones.
        """
        self._exchanges.append((policy, output))
        self._nudge()

    def drain(self, deadline_ns: int) -> None:
        """Send what is queued without waiting for more, and end; at the deadline in any case."""
        self._deadline_ns = deadline_ns
        self._nudge()

    def join(self) -> DeliveryCounts:
        """Wait for the end of `drain`, give up what is left (reason `shutdown`), and count."""
        self._thread.join(self._remaining_seconds() + _CLOSING_SECONDS)
        self._queue.close(SHUTDOWN)
        return self._report.counts()

    def run(self) -> None:
        """The thread's body. Returns when drained, too late, or the output is gone."""
        try:
            while self._work():
                pass
        except Permanent as error:
            _log.error("The output is gone. output=%s error=%s", self.name, error)
            self._queue.close(OUTPUT_GONE)
            self._on_gone(self.name, error)
        finally:
            self._output.close()
            if self._policy.dead_letters is not None:
                self._policy.dead_letters.close()

    def _work(self) -> bool:
        """One turn; false if it was the last. Only `Permanent` comes out of it."""
        try:
            return self._turn()
        except Permanent:
            raise
        except Exception as error:  # noqa: BLE001  the top of a worker: it goes on, whatever it was
            self._fail(Failure.UNEXPECTED, error)
            self._pause(0.0)
            return True

    def _turn(self) -> bool:
        self._nudged.clear()  # before the flags are read: what is set from here on ends a wait
        is_draining = self._deadline_ns is not None
        if is_draining and not self._remaining_seconds():
            return False
        while self._exchanges:
            self._take(*self._exchanges.popleft())
        if self._must_reopen:
            self._must_reopen = False
            self._reopen()
        batch = self._queue.lease(
            self._policy.max_events,
            min_events=0 if is_draining else self._policy.min_events,
            flush_seconds=self._policy.flush_seconds,
        )
        if batch is None:
            return not is_draining
        try:
            self._deliver(batch)
        except Exception:  # whatever it was: a batch that nobody settles is never sent again
            self._queue.settle(batch, Outcome(retry=batch.events))
            raise
        return True

    def _deliver(self, batch: Batch) -> None:
        wanted, unwanted = self._policy.wanted.split(batch.events)
        sent = self._send(msgspec.structs.replace(batch, events=wanted)) if wanted else Outcome()
        outcome = self._retries.limit(sent)
        is_kept = self._keep(outcome.dropped)
        gone = msgspec.structs.replace(outcome, delivered=(*outcome.delivered, *unwanted))
        if self._queue.settle(batch, gone):
            self._report.settled(outcome, filtered=len(unwanted), is_kept=is_kept)
        if sent.retry:
            self._pause(sent.retry_after_seconds)

    def _keep(self, dropped: tuple[Drop, ...]) -> bool:
        """Before they leave the queue: whether they all are among the dead letters."""
        letters = self._policy.dead_letters
        return letters is not None and bool(dropped) and letters.keep(dropped)

    def _send(self, batch: Batch) -> Outcome:
        self._report.sending(batch)
        try:
            outcome = self._output.send(batch)
        except Transient as error:
            self._fail(Failure.TRANSIENT, error)
            return Outcome(retry=batch.events, retry_after_seconds=error.after_seconds)
        except Permanent:
            raise
        except Exception as error:  # noqa: BLE001  a mistake of an output must not lose its batch
            self._fail(Failure.UNEXPECTED, error)
            return Outcome(retry=batch.events)
        finally:
            self._report.sent()
        if outcome.delivered or not outcome.retry:
            self._failures = 0
            self._report.worked()
        else:
            self._fail(Failure.TRANSIENT, Transient("it asked for all of them again"))
        return outcome

    def _take(self, policy: DeliveryPolicy, output: Output | None) -> None:
        letters = self._policy.dead_letters
        self._policy = msgspec.structs.replace(policy, dead_letters=letters)
        self._retries = Retries(policy.max_retries)
        self._failures = 0
        if output is not None:
            self._replace_output(output)

    def _replace_output(self, output: Output) -> None:
        try:
            output.open()
        except Transient as error:
            self._fail(Failure.TRANSIENT, error)
        except Exception as error:  # noqa: BLE001  Permanent, or a mistake: it takes no place of another's
            output.close()
            self.has_refused = True
            _log.error(
                "The new settings cannot work, the old ones stay. output=%s error=%s",
                self.name,
                error,
            )
            return
        self._output.close()
        self._output = output
        self.has_refused = False
        _log.info("The output has its new settings. output=%s", self.name)

    def _reopen(self) -> None:
        try:
            self._output.reopen()
        except Transient as error:
            self._fail(Failure.TRANSIENT, error)

    def _nudge(self) -> None:
        self._nudged.set()
        self._queue.wake()

    def _pause(self, at_least_seconds: float) -> None:
        """Wait before the next try, at most to the deadline; a nudge is a fresh start."""
        delay = self._policy.backoff.delay(max(1, self._failures), self._rng)
        seconds = min(max(delay, at_least_seconds), _LONGEST_WAIT_SECONDS)
        if self._deadline_ns is not None:
            seconds = min(seconds, self._remaining_seconds())
        if self._clock.wait(self._nudged, seconds):
            self._failures = 0

    def _remaining_seconds(self) -> float:
        """Until the deadline; 0 if it is over or nobody set one."""
        deadline_ns = self._deadline_ns or 0
        return max(0.0, (deadline_ns - self._clock.monotonic_ns()) / 1e9)

    def _fail(self, kind: Failure, error: Exception) -> None:
        self._failures += 1
        self._report.failed(kind, error)


def _ignore(name: str, error: Permanent) -> None:
    """Nobody asked to be told."""
