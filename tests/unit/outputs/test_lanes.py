import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Permanent, Transient
from connbeat.model.batches import Drop, Event, Outcome
from connbeat.outputs.lanes import Lanes, first_hosts
from tests.deliveries import events, ids


class FakeLane:
    """Takes everything, unless there is trouble; every third event if it is picky."""

    def __init__(self, *, trouble: Exception | None = None, picky: bool = False) -> None:
        self.trouble = trouble
        self.picky = picky
        self.sent: list[Event] = []
        self.threads: set[int] = set()
        self.closed = 0

    def send(self, events: tuple[Event, ...]) -> Outcome:
        self.threads.add(threading.get_ident())
        if self.trouble is not None:
            raise self.trouble
        self.sent += events
        if self.picky:
            return Outcome(
                delivered=events[0::3],
                retry=events[1::3],
                dropped=tuple(Drop(event, "refused") for event in events[2::3]),
                retry_after_seconds=2.0,
            )
        return Outcome(delivered=events)

    def close(self) -> None:
        self.closed += 1


def test_one_lane_is_the_callers_own_thread() -> None:
    lane = FakeLane()
    assert Lanes([lane]).send(events(5)) == Outcome(delivered=events(5))
    assert lane.threads == {threading.get_ident()}


def test_lanes_send_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=10)

    class Meets(FakeLane):
        def send(self, events: tuple[Event, ...]) -> Outcome:
            meeting.wait()
            return super().send(events)

    assert Lanes([Meets(), Meets(), Meets()]).send(events(7)).delivered == events(7)


def test_small_batches_reach_every_lane_in_turn() -> None:
    lanes = [FakeLane(), FakeLane()]
    both = Lanes(lanes)
    for number in range(4):
        both.send(events(1, first=number))
    assert [ids(lane.sent) for lane in lanes] == [["e0", "e2"], ["e1", "e3"]]


def test_what_one_lane_could_not_send_is_retried() -> None:
    outcome = Lanes([FakeLane(), FakeLane(trouble=Transient("down"))]).send(events(4))
    assert (outcome.delivered, outcome.retry) == (events(2), events(2, first=2))


def test_when_no_lane_could_the_batch_as_a_whole_failed() -> None:
    lanes = [FakeLane(trouble=Transient("a is down", 3.0)), FakeLane(trouble=Transient("b, too"))]
    with pytest.raises(Transient, match="a is down") as caught:
        Lanes(lanes).send(events(4))
    assert caught.value.after_seconds == 3.0
    with pytest.raises(Transient):
        Lanes(lanes).send(events(1))


@pytest.mark.parametrize("trouble", [Permanent("gone"), ValueError("a mistake of ours")])
def test_any_other_error_of_a_lane_comes_out(trouble: Exception) -> None:
    with pytest.raises(type(trouble)):
        Lanes([FakeLane(), FakeLane(trouble=trouble)]).send(events(4))


def test_an_empty_batch_is_nothing() -> None:
    assert Lanes([FakeLane(), FakeLane()]).send(()) == Outcome()


@given(st.integers(0, 40), st.integers(1, 6), st.data())
def test_every_event_is_named_once(count: int, lanes: int, data: st.DataObject) -> None:
    picky = [data.draw(st.booleans()) for _ in range(lanes)]
    outcome = Lanes([FakeLane(picky=one) for one in picky]).send(events(count))
    dropped = [drop.event for drop in outcome.dropped]
    assert sorted(ids([*outcome.delivered, *outcome.retry, *dropped])) == sorted(ids(events(count)))


def test_all_lanes_are_closed() -> None:
    lanes = [FakeLane(), FakeLane()]
    Lanes(lanes).close()
    assert [lane.closed for lane in lanes] == [1, 1]


@pytest.mark.parametrize(
    ("hosts", "worker", "loadbalance", "expected"),
    [
        (1, 1, True, (0,)),
        (3, 1, True, (1, 2, 0)),
        (3, 2, True, (1, 2, 0, 1, 2, 0)),
        (3, 1, False, (1,)),
        (3, 2, False, (1, 1)),
    ],
)
def test_lanes_begin_at_all_hosts_or_at_one(
    hosts: int, worker: int, loadbalance: bool, expected: tuple[int, ...]
) -> None:
    begin = min(1, hosts - 1)
    assert first_hosts(hosts, worker, begin, loadbalance=loadbalance) == expected
