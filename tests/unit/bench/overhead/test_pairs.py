from bench.overhead.pairs import Cost, Served, compare_costs, compare_served, in_turns


def test_every_other_turn_goes_the_other_way_round() -> None:
    assert [in_turns("ab", turn) for turn in range(4)] == ["ab", "ba", "ab", "ba"]


def test_a_program_pays_the_difference_to_its_own_run_alone() -> None:
    figures = compare_costs(Cost(25.0, 0.0), Cost(30.0, 45.0))
    assert figures["more than alone"] == 5
    assert figures["ratio"] == 1.2
    assert figures["µs in all"] == 75
    assert figures["ratio in all"] == 3


def test_the_change_of_a_pair_is_of_its_run_alone() -> None:
    figures = compare_served(Served(1000.0), Served(850.0, ends=200, told=150, cpu_seconds=0.003))
    assert round(figures["change %"], 6) == -15
    assert figures["ends reported %"] == 75
    assert round(figures["µs an end told"], 6) == 20


def test_failed_requests_of_either_run_are_told() -> None:
    assert compare_served(Served(1.0, failed=2), Served(1.0, failed=3))["failed"] == 5
    assert "failed" not in compare_served(Served(1.0), Served(1.0))


def test_what_an_observer_says_of_itself_stands_beside_it() -> None:
    assert compare_served(Served(1.0), Served(1.0, own_words={"overruns": 3.0}))["overruns"] == 3


def test_who_told_of_nothing_has_no_price_an_end() -> None:
    assert "µs an end told" not in compare_served(Served(1.0), Served(1.0, ends=10))
