"""A trace is itself: two connections with the same values are two."""

from connbeat.model.connections import Direction
from connbeat.model.traces import Trace


def test_traces_with_the_same_values_are_not_the_same() -> None:
    """Lists of traces are searched, and what is found may be taken out."""
    first, second = (Trace(1, Direction.OUTBOUND, 5) for _ in range(2))
    assert first != second
    assert len({first, second}) == 2
    waiting = [first, second]
    waiting.remove(second)
    assert waiting == [first]


def test_a_trace_keeps_its_hash_when_it_learns_more() -> None:
    trace = Trace(1, Direction.OUTBOUND, 5)
    before = hash(trace)
    trace.cookie = 4711
    assert hash(trace) == before
