from bench.figures import Measurement, summarise
from bench.overview import overview


def test_each_observer_of_each_case_is_a_row_under_the_same_columns() -> None:
    tables = {
        "burst": summarise(
            [
                Measurement("agent", {"callers reported %": 50, "CPU %": 9}),
                Measurement("peer", {"both ends reported %": 100, "both right %": 99.5}),
            ]
        ),
        "containers": summarise([Measurement("agent", {"reported %": 95, "agent CPU %": 0.2})]),
    }
    table = overview(tables)
    assert {row: list(columns) for row, columns in table.items()} == {
        "burst: peer": ["reported %", "right process %"],
        "containers: agent": ["reported %", "CPU %"],
    }
    assert table["burst: peer"]["right process %"].median == 99.5


def test_both_ends_count_where_a_case_tells_them_apart() -> None:
    figures = {"right process %": 100.0, "both ends reported %": 50.0, "both right %": 40.0}
    table = overview({"short": summarise([Measurement("agent", figures)])})
    assert table["short: agent"]["right process %"].median == 40
