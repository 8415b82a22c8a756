from connbeat.queue.stage import Stage
from tests.deliveries import event, events, ids


def test_first_in_first_out() -> None:
    stage = Stage(10, 1000)
    stage.put(events(3))
    assert ids(stage.take(2, 1000)) == ["e0", "e1"]
    stage.written()
    assert ids(stage.take(2, 1000)) == ["e2"]
    stage.written()
    assert (stage.events, stage.size_bytes) == (0, 0)


def test_the_oldest_goes_when_there_are_too_many() -> None:
    stage = Stage(3, 1000)
    assert stage.put(events(5)) == 2
    assert ids(stage.take(9, 1000)) == ["e2", "e3", "e4"]


def test_the_oldest_goes_when_they_are_too_large() -> None:
    stage = Stage(10, 100)
    assert stage.put([event(0, b"x" * 60), event(1, b"x" * 60)]) == 1
    assert ids(stage.take(9, 1000)) == ["e1"]


def test_what_was_taken_is_not_dropped_and_takes_room() -> None:
    stage = Stage(3, 1000)
    stage.put(events(2))
    stage.take(2, 1000)
    assert stage.put(events(3, first=2)) == 2
    stage.give_back()
    assert ids(stage.take(9, 1000)) == ["e0", "e1", "e4"]


def test_what_is_given_back_is_the_oldest_again() -> None:
    stage = Stage(10, 1000)
    stage.put(events(3))
    stage.take(2, 1000)
    stage.give_back()
    assert ids(stage.take(9, 1000)) == ["e0", "e1", "e2"]
    assert stage.events == 3


def test_taking_stops_before_the_bytes_are_exceeded_but_takes_one() -> None:
    stage = Stage(10, 1000)
    stage.put([event(0, b"x" * 60), event(1, b"x" * 30), event(2, b"x" * 30)])
    assert ids(stage.take(9, 50)) == ["e0"]
    stage.written()
    assert ids(stage.take(9, 50)) == ["e1"]


def test_clearing_says_how_many_are_given_up() -> None:
    stage = Stage(10, 1000)
    stage.put(events(3))
    stage.take(1, 1000)
    assert stage.clear() == 3
    stage.give_back()
    assert stage.take(9, 1000) == ()
    assert (stage.events, stage.size_bytes) == (0, 0)
