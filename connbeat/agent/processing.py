"""Documents through the processors to bodies of events; those that wait for a look-up are kept.

One thread uses it: the one that makes the events, which never waits. What waits is looked at
again at every turn, a few times a second, and goes on when it can or when its time is up.
"""

import logging
from collections.abc import Callable, Iterator, Sequence

import msgspec

from connbeat.agent.lookups import Lookups
from connbeat.clock import Clock
from connbeat.model.batches import Event
from connbeat.model.documents import Document
from connbeat.processors.accounts import ChainAccounts
from connbeat.processors.chain import compile_chain
from connbeat.processors.protocol import Held, Processor, Step
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

#: Documents that may wait at once: some 40 MB. What is more goes on without its look-up.
_MOST_HELD = 10_000


class _Waiting(msgspec.Struct, frozen=True):
    event_id: str
    timestamp_ns: int
    held: Held
    due_ns: int


class Processing:
    """The chain of `processors:`, its look-ups, and the events that wait for them."""

    def __init__(self, chain: Processor, lookups: Lookups, clock: Clock, metrics: Metrics) -> None:
        self._chain = chain
        self._clock = clock
        self._metrics = metrics
        self._waiting: list[_Waiting] = []
        self._encode = msgspec.json.Encoder().encode
        self.start: Callable[[], None] = lookups.start
        self.close: Callable[[], None] = lookups.close

    def event(self, event_id: str, timestamp_ns: int, document: Document) -> Event | None:
        """The event; None if a processor dropped it, or if it waits until `released` has it."""
        return self._run(event_id, timestamp_ns, self._chain, document)

    def released(self, *, is_last: bool = False) -> Iterator[Event]:
        """What can go on, what has waited long enough, or, if it is the last time, everything."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        now_ns = self._clock.monotonic_ns()
        for one in waiting:
            is_ready = one.held.is_ready()
            if not is_ready and not is_last and now_ns < one.due_ns:
                self._waiting.append(one)
                continue
            if not is_ready:
                self._metrics.add(Metric.EVENTS_HURRIED, reason="stop" if is_last else "late")
            try:
                event = self._resumed(one, may_wait=is_ready and not is_last)
            except Exception:  # one bad document must not cost the others
                self._metrics.add(Metric.REPORTS_FAILED)
                log.exception("An event could not be written. id=%s", one.event_id)
                continue
            if event is not None:
                yield event
        self._metrics.set(Metric.EVENTS_HELD, len(self._waiting))

    def _resumed(self, one: _Waiting, *, may_wait: bool) -> Event | None:
        run = one.held.resume if may_wait else _hurried(one.held.resume)
        return self._run(one.event_id, one.timestamp_ns, run, one.held.document)

    def _run(
        self, event_id: str, timestamp_ns: int, run: Processor, document: Document
    ) -> Event | None:
        try:
            result = run(document)
        except Held as held:
            if len(self._waiting) < _MOST_HELD:
                due_ns = self._clock.monotonic_ns() + int(held.seconds * 1e9)
                self._waiting.append(_Waiting(event_id, timestamp_ns, held, due_ns))
                return None
            self._metrics.add(Metric.EVENTS_HURRIED, reason="full")
            result = _hurried(held.resume)(held.document)
        return None if result is None else Event(event_id, timestamp_ns, self._encode(result))


def _hurried(resume: Processor) -> Processor:
    """To the end of the chain, whatever else it would wait for."""

    def run(document: Document) -> Document | None:
        go_on = resume
        while True:
            try:
                return go_on(document)
            except Held as held:
                go_on, document = held.resume, held.document

    return run


def build_processing(steps: Sequence[Step], clock: Clock, metrics: Metrics) -> Processing | None:
    """None where there are no processors. Nothing is started. Raises ConfigError."""
    if not steps:
        return None
    lookups = Lookups(clock, metrics)
    chain = compile_chain(steps, lookups, ChainAccounts(metrics, clock))
    return Processing(chain, lookups, clock, metrics)
