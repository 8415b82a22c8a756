import pytest

from connbeat.agent.delivery.retries import MAX_RETRIES, Retries
from connbeat.model.batches import Outcome
from tests.deliveries import event, events, ids


def test_without_a_limit_nothing_is_ever_given_up() -> None:
    retries = Retries(None)
    outcome = Outcome(retry=events(2))
    for _ in range(1000):
        assert retries.limit(outcome) is outcome


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_an_event_is_tried_once_and_retried_as_often_as_allowed(max_retries: int) -> None:
    retries = Retries(max_retries)
    for _ in range(max_retries):
        assert ids(retries.limit(Outcome(retry=events(1))).retry) == ["e0"]
    last = retries.limit(Outcome(retry=events(1)))
    assert last.retry == ()
    assert [(drop.event.id, drop.reason) for drop in last.dropped] == [("e0", MAX_RETRIES)]


def test_tries_are_counted_for_each_event() -> None:
    retries = Retries(1)
    retries.limit(Outcome(retry=(event(0),)))
    outcome = retries.limit(Outcome(retry=(event(0), event(1))))
    assert ids(outcome.retry) == ["e1"]
    assert ids(drop.event for drop in outcome.dropped) == ["e0"]


def test_an_event_that_arrived_is_forgotten() -> None:
    retries = Retries(1)
    retries.limit(Outcome(retry=(event(0),)))
    retries.limit(Outcome(delivered=(event(0),)))
    assert retries.limit(Outcome(retry=(event(0),))).dropped == ()


def test_what_the_output_dropped_and_delivered_stays_so() -> None:
    retries = Retries(0)
    outcome = retries.limit(Outcome(delivered=(event(0),), retry=(event(1),)))
    assert ids(outcome.delivered) == ["e0"]
    assert ids(drop.event for drop in outcome.dropped) == ["e1"]
