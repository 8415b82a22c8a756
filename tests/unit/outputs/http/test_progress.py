import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Transient
from connbeat.model.batches import Drop
from connbeat.outputs.http.progress import Chunk, Progress
from tests.deliveries import events, ids


def single(count: int) -> list[Chunk]:
    return [(one,) for one in events(count)]


def take(progress: Progress) -> Chunk:
    chunk = progress.take()
    assert chunk is not None
    return chunk


def test_every_event_is_named_in_the_order_of_the_batch() -> None:
    progress = Progress(single(4))
    first, second, third = take(progress), take(progress), take(progress)
    progress.delivered(third)
    progress.dropped(Drop(second[0], "refused"))
    progress.delivered(first)
    progress.later(Transient("busy", 3), is_over=True)
    assert progress.take() is None
    outcome = progress.outcome()
    assert ids(outcome.delivered) == ["e0", "e2"]
    assert ids(outcome.retry) == ["e3"]
    assert [drop.event.id for drop in outcome.dropped] == ["e1"]
    assert outcome.retry_after_seconds == 3


def test_where_nothing_went_anywhere_the_trouble_is_raised() -> None:
    progress = Progress(single(2))
    take(progress)
    progress.later(Transient("busy", 7), is_over=True)
    with pytest.raises(Transient, match="busy") as caught:
        progress.outcome()
    assert caught.value.after_seconds == 7


def test_one_event_in_trouble_holds_up_nobody_and_three_in_a_row_do() -> None:
    progress = Progress(single(7))
    for is_taken in (False, False, True, False, False, False):
        chunk = take(progress)
        if is_taken:
            progress.delivered(chunk)
        else:
            progress.later(Transient("500"), is_over=False)
    assert progress.take() is None
    assert ids(progress.outcome().retry) == ["e0", "e1", "e3", "e4", "e5", "e6"]


def test_a_chunk_that_was_halved_comes_next_and_in_order() -> None:
    progress = Progress([events(5), events(1, first=5)])
    progress.halve(take(progress))
    assert ids(take(progress)) == ["e0", "e1"]
    assert ids(take(progress)) == ["e2", "e3", "e4"]
    assert ids(take(progress)) == ["e5"]


def test_a_mistake_of_our_own_is_raised_as_it_was() -> None:
    progress = Progress(single(2))
    progress.delivered(take(progress))
    progress.failed(ZeroDivisionError())
    assert progress.take() is None
    with pytest.raises(ZeroDivisionError):
        progress.outcome()


@given(st.lists(st.sampled_from(["delivered", "dropped", "later", "over"]), min_size=1))
def test_every_event_stands_in_exactly_one_place(fates: list[str]) -> None:
    progress = Progress(single(len(fates)))
    for fate in fates:
        chunk = progress.take()
        if chunk is None:
            break
        if fate == "delivered":
            progress.delivered(chunk)
        elif fate == "dropped":
            progress.dropped(Drop(chunk[0], "refused"))
        else:
            progress.later(Transient("x"), is_over=fate == "over")
    try:
        outcome = progress.outcome()
    except Transient:
        return
    named = [
        *ids(outcome.delivered),
        *ids(outcome.retry),
        *(drop.event.id for drop in outcome.dropped),
    ]
    assert sorted(named) == sorted(ids(events(len(fates))))
