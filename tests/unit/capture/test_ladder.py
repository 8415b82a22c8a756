"""The ladder of one namespace: falling at once or after three failures, climbing once a minute."""

import pytest

from connbeat.capture.ladder import Ladder, Rung, Standing

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def test_a_namespace_starts_on_the_highest_rung_and_misses_nothing() -> None:
    for highest in Rung:
        ladder = Ladder(highest)
        assert ladder.standing == Standing(highest, "")
        assert ladder.use(0) is highest


def test_a_refusal_costs_the_rung_at_once_and_says_what_is_missing() -> None:
    ladder = Ladder(Rung.DUMP)
    ladder.refused("setns needs CAP_SYS_ADMIN", 0)
    assert ladder.standing == Standing(Rung.PROCFS, "setns needs CAP_SYS_ADMIN")
    assert ladder.use(1) is Rung.PROCFS


def test_three_failures_in_a_row_cost_the_rung() -> None:
    ladder = Ladder(Rung.DUMP)
    for expected in (Rung.DUMP, Rung.DUMP, Rung.PROCFS):
        assert ladder.use(0) is Rung.DUMP
        ladder.failed("timed out", 0)
        assert ladder.standing.rung is expected
    assert ladder.standing.missing == "timed out"


def test_a_success_in_between_makes_the_count_start_anew() -> None:
    ladder = Ladder(Rung.DUMP)
    for _ in range(5):
        ladder.failed("timed out", 0)
        ladder.failed("timed out", 0)
        assert ladder.standing == Standing(Rung.DUMP, "")
        ladder.worked(Rung.DUMP)


def test_a_fallen_namespace_tries_to_climb_once_a_minute() -> None:
    ladder = Ladder(Rung.DUMP)
    ladder.refused("no", 0)
    assert ladder.use(MINUTE - 1) is Rung.PROCFS
    assert ladder.use(MINUTE) is Rung.DUMP
    ladder.refused("no", MINUTE)
    assert ladder.use(2 * MINUTE - 1) is Rung.PROCFS
    assert ladder.use(2 * MINUTE) is Rung.DUMP


def test_a_try_that_fails_for_another_reason_waits_a_minute_as_well() -> None:
    ladder = Ladder(Rung.DUMP)
    ladder.refused("no", 0)
    assert ladder.use(MINUTE) is Rung.DUMP
    ladder.failed("timed out", MINUTE)
    assert ladder.use(MINUTE + SECOND) is Rung.PROCFS
    assert ladder.standing.missing == "no"


def test_a_try_that_works_is_a_rung_regained_with_nothing_missing() -> None:
    ladder = Ladder(Rung.DUMP)
    ladder.refused("no", 0)
    ladder.worked(ladder.use(MINUTE))
    assert ladder.standing == Standing(Rung.DUMP, "")
    assert ladder.use(MINUTE + 1) is Rung.DUMP


def test_nobody_climbs_above_what_was_allowed() -> None:
    ladder = Ladder(Rung.PROCFS)
    ladder.worked(Rung.PROCFS)
    assert ladder.use(100 * MINUTE) is Rung.PROCFS
    assert ladder.standing == Standing(Rung.PROCFS, "")


@pytest.mark.parametrize(("rung", "label"), [(Rung.PROCFS, "procfs"), (Rung.DUMP, "dump")])
def test_a_rung_has_the_name_it_has_in_the_configuration(rung: Rung, label: str) -> None:
    assert rung.label == label
