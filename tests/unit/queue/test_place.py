import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connbeat.model.batches import Batch, Drop, Event, Outcome
from connbeat.queue.place import Place, Position, Row
from tests.deliveries import event, ids


def rows(first: int, last: int) -> list[Row]:
    """Event number n has a body of n bytes."""
    return [(seq, event(seq, b"x" * seq)) for seq in range(first, last + 1)]


def position(seq: int) -> Position:
    return Position(seq, sum(range(seq + 1)))


@pytest.fixture
def place() -> Place:
    return Place("out")


def lease(place: Place, first: int, last: int, max_events: int = 100) -> Batch:
    batch = place.lease(max_events, rows(first, last))
    assert batch is not None
    return batch


def deliver(place: Place, batch: Batch, retry: tuple[Event, ...] = ()) -> None:
    gone = tuple(one for one in batch.events if one not in retry)
    assert place.settle(batch, Outcome(delivered=gone, retry=retry))


def test_a_lease_moves_no_cursor(place: Place) -> None:
    lease(place, 1, 3)
    assert place.mark().cursor == Position()
    assert place.mark().owed == {}


def test_the_cursor_passes_what_was_delivered(place: Place) -> None:
    deliver(place, lease(place, 1, 3))
    assert place.mark().cursor == position(3)
    assert (place.events(position(5)), place.size_bytes(position(5))) == (2, 4 + 5)


def test_the_cursor_passes_what_is_sent_again_and_owes_it(place: Place) -> None:
    batch = lease(place, 1, 3)
    deliver(place, batch, retry=batch.events[1:2])
    assert place.mark().cursor == position(3)
    assert place.mark().owed == {2: 2}
    again = lease(place, 4, 5)
    assert ids(again.events) == ["e2", "e4", "e5"]
    deliver(place, again)
    assert place.mark().owed == {}
    assert place.mark().cursor == position(5)


def test_leases_settled_out_of_order_owe_what_lies_before(place: Place) -> None:
    first, second = lease(place, 1, 2), lease(place, 3, 4)
    deliver(place, second)
    assert place.mark().cursor == position(4)
    assert place.mark().owed == {1: 1, 2: 2}
    deliver(place, first)
    assert place.mark().owed == {}
    assert place.mark().cursor == position(4)


def test_what_was_read_twice_is_leased_once(place: Place) -> None:
    lease(place, 1, 3)
    assert ids(lease(place, 2, 4).events) == ["e4"]


def test_a_lease_keeps_its_bound_and_sends_again_first(place: Place) -> None:
    batch = lease(place, 1, 3)
    deliver(place, batch, retry=batch.events)
    assert ids(lease(place, 4, 6, max_events=2).events) == ["e1", "e2"]
    assert ids(lease(place, 4, 6, max_events=2).events) == ["e3", "e4"]


def test_what_is_sent_again_goes_to_the_front(place: Place) -> None:
    first, second = lease(place, 1, 2), lease(place, 3, 4)
    deliver(place, first, retry=first.events)
    deliver(place, second, retry=second.events)
    assert ids(lease(place, 5, 5).events) == ["e3", "e4", "e1", "e2", "e5"]


def test_there_is_no_lease_of_nothing(place: Place) -> None:
    assert place.lease(10, []) is None


def test_settling_twice_changes_nothing(place: Place) -> None:
    batch = lease(place, 1, 3)
    deliver(place, batch)
    assert not place.settle(batch, Outcome(retry=batch.events))
    assert place.events(position(3)) == 0


def test_skipping_loses_what_is_unread_and_what_waits_to_be_sent_again(place: Place) -> None:
    batch = lease(place, 1, 3)
    deliver(place, batch, retry=batch.events[:2])
    assert place.skip(position(5)) == 4
    assert place.mark().owed == {}
    assert place.mark().cursor == position(5)
    assert (place.events(position(6)), place.size_bytes(position(6))) == (1, 6)


def test_skipping_spares_what_is_under_lease_and_owes_it(place: Place) -> None:
    batch = lease(place, 1, 3)
    assert place.skip(position(4)) == 1
    assert place.mark().owed == {1: 1, 2: 2, 3: 3}
    deliver(place, batch)
    assert place.mark().owed == {}


def test_skipping_into_a_lease_loses_nothing(place: Place) -> None:
    lease(place, 1, 3)
    assert place.skip(position(2)) == 0
    assert place.mark().cursor == position(2)
    assert place.mark().owed == {1: 1, 2: 2}


def test_losing_the_unread_keeps_what_is_held(place: Place) -> None:
    batch = lease(place, 1, 3)
    deliver(place, batch, retry=batch.events[:1])
    lease(place, 4, 4, max_events=1)
    held = lease(place, 4, 4)
    assert place.lose_unread(position(7)) == 3
    assert [seq for seq, _ in place.held()] == [1, 4]
    assert place.mark().owed == {1: 1, 4: 4}
    deliver(place, held)
    assert place.mark().cursor == position(7)


def test_ended_leases_are_void_but_their_events_are_there(place: Place) -> None:
    batch = lease(place, 1, 3)
    place.end_leases()
    assert not place.settle(batch, Outcome(delivered=batch.events))
    assert place.events(position(3)) == 3
    place.lose_unread(position(4))
    assert place.mark().owed == {1: 1, 2: 2, 3: 3}


def test_a_place_goes_on_where_its_mark_says(place: Place) -> None:
    batch = lease(place, 1, 4)
    deliver(place, batch, retry=(batch.events[0], batch.events[2]))
    mark = place.mark()
    other = Place("out")
    by_seq = dict(rows(1, 9))
    other.restore(mark.cursor, [(seq, by_seq[seq]) for seq in sorted(mark.owed)])
    assert other.mark() == mark
    assert (other.events(position(9)), other.waiting(position(9))) == (7, 7)
    assert ids(lease(other, 5, 6).events) == ["e1", "e3", "e5", "e6"]


def test_of_events_on_disk_the_one_before_tells_how_old_the_oldest_may_be(place: Place) -> None:
    deliver(place, lease(place, 1, 3))
    assert place.oldest_ns(position(3)) is None
    assert place.oldest_ns(position(5)) == 3
    lease(place, 4, 5)
    assert place.oldest_ns(position(5)) == 4


class PlaceAgainstModel(RuleBasedStateMachine):
    """The place against a set of unsettled numbers; a restart may happen after any step."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Place("out")
        self.last = 0
        self.unsettled: set[int] = set()
        self.leases: list[Batch] = []

    @rule(count=st.integers(1, 5))
    def write(self, count: int) -> None:
        self.unsettled |= set(range(self.last + 1, self.last + count + 1))
        self.last += count

    @rule(count=st.integers(1, 6))
    def lease(self, count: int) -> None:
        held = {int(one.id[1:]) for batch in self.leases for one in batch.events}
        free = self.unsettled - held
        batch = self.place.lease(count, rows(self.place.read.seq + 1, self.last))
        got = [int(one.id[1:]) for one in batch.events] if batch else []
        assert len(got) == len(set(got)) == min(count, len(free))
        assert set(got) <= free
        if batch:
            self.leases.append(batch)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        batch = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        fates = [data.draw(st.sampled_from("dra")) for _ in batch.events]
        by_fate = {
            fate: tuple(one for one, its in zip(batch.events, fates, strict=True) if its == fate)
            for fate in "dra"
        }
        drops = tuple(Drop(one, "refused") for one in by_fate["a"])
        assert self.place.settle(batch, Outcome(by_fate["d"], by_fate["r"], drops))
        self.unsettled -= {int(one.id[1:]) for fate in "da" for one in by_fate[fate]}

    @rule(data=st.data())
    def skip(self, data: st.DataObject) -> None:
        to = data.draw(st.integers(0, self.last))
        held = {int(one.id[1:]) for batch in self.leases for one in batch.events}
        lost = {seq for seq in self.unsettled if seq <= to} - held
        assert self.place.skip(position(to)) == len(lost)
        self.unsettled -= lost

    @rule()
    def restart(self) -> None:
        """A crash: leases are over, and what the mark says is all that is known."""
        mark = self.place.mark()
        by_seq = dict(rows(1, self.last))
        self.place = Place("out")
        self.place.restore(mark.cursor, [(seq, by_seq[seq]) for seq in sorted(mark.owed)])
        self.leases.clear()

    @invariant()
    def the_mark_names_what_is_unsettled_and_nothing_else(self) -> None:
        mark = self.place.mark()
        behind = set(range(mark.cursor.seq + 1, self.last + 1))
        assert mark.owed.keys() | behind == self.unsettled
        assert not mark.owed.keys() & behind
        assert mark.cursor == position(mark.cursor.seq)

    @invariant()
    def it_is_counted(self) -> None:
        last = position(self.last)
        assert self.place.events(last) == len(self.unsettled)
        assert self.place.size_bytes(last) == sum(self.unsettled)
        held = sum(len(batch.events) for batch in self.leases)
        assert self.place.waiting(last) == len(self.unsettled) - held


TestPlaceAgainstModel = PlaceAgainstModel.TestCase
