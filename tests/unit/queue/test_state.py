from connbeat.model.batches import Outcome
from connbeat.queue.place import Position
from connbeat.queue.stage import Stage
from connbeat.queue.state import SpoolState
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import events


def make(metrics: Metrics) -> SpoolState:
    return SpoolState(["a", "b"], Stage(100, 1000), metrics)


def test_what_is_staged_written_and_held_is_all_in_the_queue() -> None:
    metrics = Metrics()
    state = make(metrics)
    state.stage.put(events(5))
    state.take(3, 1000)
    state.written(Position(3, 21))
    batch = state.places["a"].lease(2, [(1, events(1)[0])])
    assert batch is not None
    for output in ("a", "b"):
        assert state.events(state.places[output]) == 5
        assert state.size_bytes(state.places[output]) == 5 * 7
        assert metrics.get(Metric.QUEUE_EVENTS, output=output) == 5
        assert metrics.get(Metric.QUEUE_BYTES, output=output) == 5 * 7
    state.places["a"].settle(batch, Outcome(delivered=batch.events))
    with state.changed:
        state.tell()
    assert metrics.get(Metric.QUEUE_EVENTS, output="a") == 4
    assert metrics.get(Metric.QUEUE_EVENTS, output="b") == 5


def test_what_was_not_written_is_still_to_be_written() -> None:
    state = make(Metrics())
    state.stage.put(events(2))
    state.is_dirty = True
    assert state.take(9, 1000) == events(2)
    seen = [state.is_dirty]
    state.not_written()
    seen.append(state.is_dirty)
    assert seen == [False, True]
    assert state.take(9, 1000) == events(2)


def test_nobody_is_hurried_once_everything_is_written() -> None:
    state = make(Metrics())
    state.stage.put(events(2))
    state.is_hurried = True

    def is_hurried_after_writing(seq: int) -> bool:
        state.take(1, 1000)
        state.written(Position(seq, 7 * seq))
        return state.is_hurried

    assert [is_hurried_after_writing(1), is_hurried_after_writing(2)] == [True, False]
