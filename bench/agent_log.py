"""Agent log: the numbers the agent publishes about itself, from the lines it logs. Pure."""

import re
from collections.abc import Iterable, Mapping

#: Names, with their labels where they have any, and values.
Numbers = Mapping[str, float]

COVERAGE = "connbeat_coverage"
NAMESPACES = "connbeat_namespaces"
CLOSES_TOLD = 'connbeat_reports_total{kind="closed"}'
#: What says that something was not seen or not delivered, and the short name of it.
LOSSES = {
    "connbeat_closes_overrun_total": "overruns",
    "connbeat_trace_pages_lost_total": "pages lost",
    "connbeat_trace_records_lost_total": "records lost",
    "connbeat_traces_refused_total": "traces refused",
    "connbeat_connections_over_limit_total": "over limit",
    "connbeat_output_events_dropped_total": "events dropped",
    "connbeat_reports_failed_total": "reports failed",
    "connbeat_polls_failed_total": "polls failed",
    "connbeat_sources_lost_total": "sources lost",
}

_CHANGES = re.compile(r"Non-zero metrics in the last \S+: (.*)")
_TOTALS = re.compile(r"Total non-zero metrics: (.*)")
# connbeat_dumps_total{source="inet_diag"}=12
_NUMBER = re.compile(r"(connbeat_\w+(?:\{[^}]*\})?)=(-?[\d.]+)")


def _parse(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in _NUMBER.findall(text)}


def last_totals(lines: Iterable[str]) -> Numbers:
    """The agent's last words: everything since its start. Empty if it did not say them."""
    found = [match[1] for line in lines if (match := _TOTALS.search(line))]
    return _parse(found[-1]) if found else {}


def total(numbers: Numbers, name: str) -> float:
    """The sum over all labels."""
    return sum(value for labelled, value in numbers.items() if labelled.partition("{")[0] == name)


def losses(numbers: Numbers) -> dict[str, float]:
    """Those that are not 0, by their short names."""
    found = {short: total(numbers, name) for name, short in LOSSES.items()}
    return {short: value for short, value in found.items() if value}


class RunningNumbers:
    """The numbers while the agent runs, from line to line of its log."""

    def __init__(self) -> None:
        self._gauges: Numbers = {}
        self._lost = 0.0

    def add(self, lines: Iterable[str]) -> None:
        """The next lines, in their order. A line has gauges as they are, and how counters grew."""
        for line in lines:
            match = _CHANGES.search(line)
            if match:
                self._gauges = _parse(match[1])
                self._lost += sum(losses(self._gauges).values())

    def gauge(self, name: str) -> float:
        """Over all labels; 0 if the last line does not name it."""
        return total(self._gauges, name)

    @property
    def lost(self) -> float:
        """All losses together, since the first line."""
        return self._lost
