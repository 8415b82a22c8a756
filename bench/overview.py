"""Overview: the cases of `make bench` as one table, each observer's row beside the others. Pure."""

from collections.abc import Mapping

from bench.figures import Summary, Table

#: A column, and what the cases call it: the first that a row has.
_COLUMNS = {
    "reported %": ("both ends reported %", "reported %"),
    "right process %": ("both right %", "right process %"),
    "container %": ("container %",),
    "command line %": ("command line %",),
    "surplus": ("surplus",),
    "µs an end told": ("µs an end told",),
    "CPU %": ("CPU %", "agent CPU %"),
    "RSS MB": ("RSS MB",),
    "peak MB": ("peak MB",),
}
#: Without this a row is of another kind: nobody reported anything.
_NEEDED = "reported %"


def overview(tables: Mapping[str, Table]) -> Table:
    """A row for each case and observer that reported. Figures of both ends, where there are two."""
    return {
        f"{case}: {row}": columns
        for case, table in tables.items()
        for row, figures in table.items()
        if _NEEDED in (columns := _columns(figures))
    }


def _columns(figures: Mapping[str, Summary]) -> dict[str, Summary]:
    found = {}
    for column, names in _COLUMNS.items():
        name = next((name for name in names if name in figures), None)
        if name is not None:
            found[column] = figures[name]
    return found
