"""What tests of queues, outputs and delivery share: events, a clock that obeys, real trouble."""

import resource
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from connbeat.clock import SystemClock
from connbeat.model.batches import Batch, Event, Outcome
from connbeat.outputs.protocol import Check, OutputContext, Step
from connbeat.telemetry.metrics import Metrics


def event(number: int, body: bytes = b"") -> Event:
    """The event with this number; its body says so unless another is given."""
    return Event(f"e{number}", number, body or b'{"n":%d}' % number)


def events(count: int, first: int = 0) -> tuple[Event, ...]:
    return tuple(event(number) for number in range(first, first + count))


def batch(*sent: Event, lease: int = 1) -> Batch:
    return Batch(lease, sent)


def ids(these: Iterable[Event]) -> list[str]:
    return [one.id for one in these]


class FakeClock:
    """A `Clock` on which time passes only in `wait` and `advance`; it remembers every wait."""

    def __init__(self) -> None:
        self.monotonic = 1_000_000_000
        self.waits: list[float] = []
        self.on_wait: Callable[[], None] = lambda: None

    def now_ns(self) -> int:
        return self.monotonic

    def monotonic_ns(self) -> int:
        return self.monotonic

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        self.on_wait()
        if event.is_set():
            return True
        self.advance(seconds)
        return False

    def advance(self, seconds: float) -> None:
        self.monotonic += int(seconds * 1e9)


def context() -> OutputContext:
    """What an output is told of its agent."""
    return OutputContext(
        clock=SystemClock(), metrics=Metrics(), name="n1", hostname="h1", version="1.0.0"
    )


class FakeOutput:
    """An `Output` that keeps what it takes, and answers as `plan` says: one item a `send`.

    An item is an exception to raise, an `Outcome` maker, or None for "took all"; a plan that has
    come to its end takes everything.
    """

    name = "fake"

    def __init__(self, *plan: Exception | Callable[[Batch], Outcome] | None) -> None:
        self.plan = list(plan)
        self.taken: list[Event] = []
        self.sent: list[list[str]] = []
        self.calls: list[str] = []
        self.trouble: Exception | None = None

    def open(self) -> None:
        self._call("open")

    def send(self, batch: Batch) -> Outcome:
        self.sent.append(ids(batch.events))
        answer = self.plan.pop(0) if self.plan else None
        if isinstance(answer, Exception):
            raise answer
        outcome = answer(batch) if answer else Outcome(delivered=batch.events)
        self.taken += outcome.delivered
        return outcome

    def reopen(self) -> None:
        self._call("reopen")

    def close(self) -> None:
        self.calls.append("close")

    def checks(self) -> Iterator[Check]:
        yield Check(step=Step.WRITE, target=self.name)

    def _call(self, call: str) -> None:
        self.calls.append(call)
        if self.trouble is not None:
            raise self.trouble


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size`: the kernel cuts a write, then refuses it.

    The same two steps as on a full disk, at any byte one likes, and without being root.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
