from bench.agent_log import COVERAGE, NAMESPACES, RunningNumbers, last_totals, losses, total

CHANGES = "2026-11-24T10:00:05.000Z INFO metrics Non-zero metrics in the last 5s: "
TOTALS = "2026-11-24T10:00:09.000Z INFO metrics Total non-zero metrics: "


def test_the_last_words_are_read_with_their_labels() -> None:
    totals = last_totals(
        [
            CHANGES + "connbeat_polls_total=2",
            TOTALS + 'connbeat_polls_total=4 connbeat_dumps_total{source="inet_diag"}=12 '
            'connbeat_dumps_total{source="a b"}=3 connbeat_coverage=0.998',
            "connbeat stopped. exit_code=0",
        ]
    )
    assert totals["connbeat_polls_total"] == 4
    assert total(totals, "connbeat_dumps_total") == 15
    assert totals[COVERAGE] == 0.998


def test_an_agent_that_was_killed_has_no_last_words() -> None:
    assert last_totals([CHANGES + "connbeat_polls_total=2"]) == {}


def test_a_name_that_begins_like_another_is_not_taken_for_it() -> None:
    assert total({"connbeat_coverage_lowest": 0.5, "connbeat_coverage": 1.0}, COVERAGE) == 1.0


def test_only_what_was_lost_is_told_as_a_loss() -> None:
    numbers = {
        "connbeat_closes_overrun_total": 2.0,
        'connbeat_output_events_dropped_total{output="file",reason="full"}': 7.0,
        'connbeat_output_events_dropped_total{output="file",reason="too_large"}': 1.0,
        "connbeat_polls_total": 9.0,
    }
    assert losses(numbers) == {"overruns": 2.0, "events dropped": 8.0}


def test_losses_add_up_and_gauges_are_those_of_the_last_line() -> None:
    numbers = RunningNumbers()
    numbers.add([CHANGES + 'connbeat_closes_overrun_total=1 connbeat_namespaces{rung="nat"}=5'])
    numbers.add(
        [
            CHANGES + 'connbeat_trace_pages_lost_total=2 connbeat_namespaces{rung="nat"}=3 '
            'connbeat_namespaces{rung="dump"}=1',
            "something else",
        ]
    )
    assert numbers.lost == 3
    assert numbers.gauge(NAMESPACES) == 4
    assert numbers.gauge(COVERAGE) == 0
