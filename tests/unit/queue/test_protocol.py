"""The protocols say no more than they need; what keeps them is held by tests/contract."""

from connbeat.queue.memory import MemoryQueue
from connbeat.queue.protocol import Intake, Queue
from connbeat.telemetry.metrics import Metrics
from tests.deliveries import FakeClock, events


def test_a_place_in_memory_is_its_own_intake() -> None:
    queue = MemoryQueue("x", Metrics(), FakeClock(), max_events=1, max_bytes=100)
    intake: Intake = queue  # that it may be called so is mypy's to say
    place: Queue = queue
    intake.put(events(1))
    assert len(place) == 1
