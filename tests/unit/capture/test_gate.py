"""The gate before a dump: closed while the counters say the same, for ten seconds at most."""

from connbeat.capture.gate import Gate

SECOND = 1_000_000_000


def test_the_first_dump_is_always_due() -> None:
    assert Gate().is_open(b"counters", 0)
    assert Gate().is_open(b"", 0)


def test_nothing_is_due_while_the_counters_say_the_same() -> None:
    gate = Gate()
    gate.dumped(b"counters", 5 * SECOND)
    assert not gate.is_open(b"counters", 5 * SECOND)
    assert not gate.is_open(b"counters", 15 * SECOND - 1)


def test_a_change_of_the_counters_opens_it() -> None:
    gate = Gate()
    gate.dumped(b"counters", 0)
    assert gate.is_open(b"counters of more", 1)


def test_after_ten_seconds_a_dump_is_due_whatever_the_counters_say() -> None:
    """A listener closed and another opened leaves every counter as it was."""
    gate = Gate()
    gate.dumped(b"counters", 5 * SECOND)
    assert gate.is_open(b"counters", 15 * SECOND)
    gate.dumped(b"counters", 15 * SECOND)
    assert not gate.is_open(b"counters", 16 * SECOND)


def test_counters_that_cannot_be_read_close_nothing() -> None:
    gate = Gate()
    gate.dumped(None, 0)
    assert gate.is_open(None, 1)
    assert gate.is_open(b"counters", 1)


def test_a_dump_that_did_not_succeed_leaves_it_open() -> None:
    gate = Gate()
    gate.dumped(b"before", 0)
    assert gate.is_open(b"after", SECOND)
    assert gate.is_open(b"after", 2 * SECOND)


def test_a_quiet_namespace_that_is_watched_is_checked_every_minute() -> None:
    gate = Gate()
    assert gate.is_open(b"counters", 0, is_watched=True)
    gate.dumped(b"counters", 5 * SECOND)
    assert not gate.is_open(b"counters", 65 * SECOND - 1, is_watched=True)
    assert gate.is_open(b"counters", 65 * SECOND, is_watched=True)


def test_with_traffic_it_is_dumped_as_often_as_counters_have_to_be_fresh() -> None:
    gate = Gate(fresh_ns=2 * SECOND)
    gate.dumped(b"counters", 5 * SECOND)
    assert not gate.is_open(b"counters of more", 7 * SECOND - 1, is_watched=True)
    assert gate.is_open(b"counters of more", 7 * SECOND, is_watched=True)
    assert gate.is_open(None, 7 * SECOND, is_watched=True)
    assert not gate.is_open(b"counters", 7 * SECOND, is_watched=True)


def test_a_namespace_that_is_watched_no_more_is_dumped_at_its_next_change() -> None:
    gate = Gate()
    gate.dumped(b"counters", 0)
    assert not gate.is_open(b"counters", 1)
    assert gate.is_open(b"counters of more", 1)


def test_a_gate_that_was_forced_is_open_for_so_many_dumps() -> None:
    gate = Gate()
    gate.dumped(b"counters", 0)
    gate.force(2)
    gate.force(1)
    for _ in range(2):
        assert gate.is_open(b"counters", 1)
        gate.dumped(b"counters", 1)
    assert not gate.is_open(b"counters", 1)


def test_how_fresh_counters_have_to_be_can_change() -> None:
    gate = Gate(fresh_ns=10 * SECOND)
    gate.dumped(b"counters", 0)
    assert not gate.is_open(b"more", 5 * SECOND, is_watched=True)
    gate.fresh_ns = 5 * SECOND
    assert gate.is_open(b"more", 5 * SECOND, is_watched=True)
