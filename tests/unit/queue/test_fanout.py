from connbeat.queue.fanout import FanOut
from connbeat.queue.memory import MemoryQueue
from connbeat.telemetry.metrics import Metrics
from tests.deliveries import FakeClock, events


def test_every_place_gets_every_event_and_none_a_copy() -> None:
    places = [
        MemoryQueue(name, Metrics(), FakeClock(), max_events=10, max_bytes=1000)
        for name in ("console", "file")
    ]
    put = events(3)
    FanOut(places).put(put)
    for place in places:
        batch = place.lease(10, min_events=0)
        assert batch is not None
        assert all(one is other for one, other in zip(batch.events, put, strict=True))


def test_a_full_place_costs_the_others_nothing() -> None:
    small = MemoryQueue("small", Metrics(), FakeClock(), max_events=1, max_bytes=1000)
    large = MemoryQueue("large", Metrics(), FakeClock(), max_events=10, max_bytes=1000)
    FanOut([small, large]).put(events(5))
    assert (len(small), len(large)) == (1, 5)
