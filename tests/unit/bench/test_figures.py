from bench.figures import Measurement, Summary, render, summarise


def test_runs_become_a_median_and_their_spread() -> None:
    table = summarise([Measurement("agent", {"CPU %": value}) for value in (3.0, 1.0, 9.0)])
    assert table["agent"]["CPU %"] == Summary(3.0, 1.0, 9.0)


def test_a_row_that_could_not_be_measured_stays_in_the_table() -> None:
    table = summarise([Measurement("a", {"CPU %": 1.5}), Measurement("b", {}, "it is not here")])
    assert render(table).splitlines() == [
        "|   | CPU % |",
        "|---|-------|",
        "| a | 1.5   |",
        "| b | -     |",
    ]


def test_the_spread_is_shown_where_there_is_one() -> None:
    assert str(Summary(2.0, 2.0, 2.0)) == "2"
    assert str(Summary(2.0, 1.25, 4000.0)) == "2 (1.25 to 4,000)"
