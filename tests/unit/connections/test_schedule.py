from hypothesis import given
from hypothesis import strategies as st

from connbeat.connections.life import Life, begin, key_of
from connbeat.connections.schedule import Schedule
from tests.builders import SECOND, row


def life(number: int = 1, *, was_here: bool = False) -> Life:
    socket = row(f"10.0.0.1:{32768 + 2 * number}", "10.0.0.2:80", cookie=number)
    made = begin(1, key_of(socket), socket, 1)
    made.was_here = was_here
    return made


def test_a_life_is_due_once_when_the_interval_is_over() -> None:
    schedule, one = Schedule(), life()
    schedule.add(one, 0, 30 * SECOND)
    assert list(schedule.due(29 * SECOND)) == []
    assert list(schedule.due(30 * SECOND)) == [one]
    assert list(schedule.due(90 * SECOND)) == []


def test_a_life_that_is_added_again_is_due_again() -> None:
    schedule, one = Schedule(), life()
    schedule.add(one, 0, 30 * SECOND)
    for life_ in schedule.due(30 * SECOND):
        schedule.add_again(life_, 30 * SECOND, 30 * SECOND)
    assert list(schedule.due(59 * SECOND)) == []
    assert list(schedule.due(60 * SECOND)) == [one]


def test_nobody_is_due_at_the_moment_he_is_added() -> None:
    for interval_ns in (1, SECOND // 10):
        schedule = Schedule()
        schedule.add(life(), 5 * SECOND, interval_ns)
        assert list(schedule.due(5 * SECOND)) == []
        assert len(list(schedule.due(6 * SECOND))) == 1


def test_without_an_interval_nobody_is_ever_due() -> None:
    schedule = Schedule()
    for was_here in (True, False):
        schedule.add(life(was_here=was_here), 0, 0)
        schedule.add_again(life(), 0, 0)
    assert len(schedule) == 0


def test_lives_have_intervals_of_their_own() -> None:
    schedule, often, seldom = Schedule(), life(1), life(2)
    schedule.add(seldom, 0, 60 * SECOND)
    schedule.add(often, 0, 2 * SECOND)
    assert list(schedule.due(2 * SECOND)) == [often]
    assert list(schedule.due(60 * SECOND)) == [seldom]


def test_a_life_that_was_there_before_is_due_within_the_interval() -> None:
    schedule = Schedule()
    lives = [life(number, was_here=True) for number in range(800)]
    for one in lives:
        schedule.add(one, 0, 2 * SECOND)
    found = [len(list(schedule.due(step * SECOND // 4))) for step in range(9)]
    assert sum(found) == 800
    assert max(found) <= 2 * 800 // 8


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_both_ends_of_a_connection_are_due_at_the_same_time(port: int, other: int) -> None:
    schedule = Schedule()
    ends = f"10.0.0.1:{port}", f"10.0.0.2:{other}"
    sockets = row(*ends, cookie=1), row(*reversed(ends), cookie=2)
    for socket in sockets:
        one = begin(1, key_of(socket), socket, 1)
        one.was_here = True
        schedule.add(one, 0, 30 * SECOND)
    found = [len(list(schedule.due(step * SECOND // 4))) for step in range(121)]
    assert sorted(found)[-2:] == [0, 2]


def test_closed_lives_are_not_due() -> None:
    schedule, one, other = Schedule(), life(1), life(2)
    schedule.add(one, 0, SECOND)
    schedule.add(other, 0, SECOND)
    one.closed_ns = 1
    assert list(schedule.due(SECOND)) == [other]
    assert len(schedule) == 0


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 40))
def test_trimming_lets_go_of_closed_lives_only(are_closed: list[bool], seconds: int) -> None:
    schedule = Schedule()
    lives = [life(number) for number in range(len(are_closed) * 100)]
    for number, one in enumerate(lives):
        schedule.add(one, number * seconds * SECOND // 100, 3600 * SECOND)
        one.closed_ns = 1 if are_closed[number // 100] else None
    left = [one for one in lives if one.closed_ns is None]
    schedule.trim(len(left))
    assert len(left) <= len(schedule) <= max(len(left), 2 * len(left) + 1000)
    assert set(schedule.due(10**7 * SECOND)) == set(left)
    assert len(schedule) == 0


@given(st.lists(st.integers(0, 120), min_size=1), st.integers(1, 60), st.integers(1, 60))
def test_a_new_interval_keeps_everybody_in_his_order_within_it(
    seconds: list[int], old: int, new: int
) -> None:
    schedule = Schedule()
    lives = [life(number) for number in range(len(seconds))]
    now = max(seconds) * SECOND
    waiting = []
    for one, second in sorted(zip(lives, seconds, strict=True), key=lambda pair: pair[1]):
        schedule.add(one, second * SECOND, old * SECOND)
        waiting.append(one)
    gone = set(map(id, schedule.due(now)))
    schedule.change(lambda _: old * SECOND, lambda _: new * SECOND, now)
    assert len(schedule) == len(seconds) - len(gone)
    assert list(schedule.due(now)) == []
    assert list(schedule.due(now + (new + 1) * SECOND)) == [
        one for one in waiting if id(one) not in gone
    ]


def test_who_has_no_interval_any_more_waits_no_more() -> None:
    schedule, one, other = Schedule(), life(1), life(2)
    schedule.add(one, 0, 10 * SECOND)
    schedule.add(other, 0, 10 * SECOND)
    schedule.change(
        lambda _: 10 * SECOND, lambda life_: 20 * SECOND if life_ is one else 0, 5 * SECOND
    )
    assert schedule.ids() == {id(one)}
    assert list(schedule.due(14 * SECOND)) == []
    assert list(schedule.due(15 * SECOND)) == [one]
    assert len(schedule) == 0


def test_who_comes_at_once_is_spread_over_the_interval() -> None:
    schedule = Schedule()
    for number in range(100):
        schedule.spread(life(number), 0, 25 * SECOND)
    assert 20 < len(list(schedule.due(13 * SECOND))) < 80
