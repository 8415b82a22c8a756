"""Figures: several runs of one measurement to a median and its spread, and to a table. Pure."""

import statistics
from collections.abc import Mapping, Sequence

import msgspec

#: Names with their unit, in the order of the columns.
Figures = Mapping[str, float]


class Measurement(msgspec.Struct, frozen=True):
    """What one run gave for one row of a case's table; `note` says why it gave nothing."""

    row: str
    figures: Figures
    note: str = ""


class Summary(msgspec.Struct, frozen=True):
    """One figure over all runs."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return _number(self.median)
        return f"{_number(self.median)} ({_number(self.low)} to {_number(self.high)})"


#: Row to column to figure.
Table = Mapping[str, Mapping[str, Summary]]


def summarise(measurements: Sequence[Measurement]) -> Table:
    values: dict[str, dict[str, list[float]]] = {}
    for measurement in measurements:
        row = values.setdefault(measurement.row, {})
        for name, value in measurement.figures.items():
            row.setdefault(name, []).append(value)
    return {
        row: {name: _summary(numbers) for name, numbers in columns.items()}
        for row, columns in values.items()
    }


def _summary(numbers: Sequence[float]) -> Summary:
    return Summary(statistics.median(numbers), min(numbers), max(numbers))


def render(table: Table) -> str:
    """A Markdown table; a figure that a row does not have is a dash."""
    names = list(dict.fromkeys(name for columns in table.values() for name in columns))
    rows = [["", *names]]
    for row, columns in table.items():
        rows.append([row, *(str(columns[name]) if name in columns else "-" for name in names)])
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [_line(cells, widths) for cells in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "| " + " | ".join(padded) + " |"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")
