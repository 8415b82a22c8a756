"""`python -m bench [CASE ...]`: run cases, print their tables and the overview of them all."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import record
from bench.cases import (
    containers,
    documents,
    dump,
    idle,
    memory,
    processes,
    processors,
    queues,
    summaries,
    to_elasticsearch,
    to_kafka,
    traffic,
)
from bench.commands import BenchError, exit_on_signals
from bench.figures import Measurement, render, summarise
from bench.load import compile_load
from bench.observers import PEERS
from bench.overview import overview
from bench.record import Record, say
from bench.setup import Case, Setup
from connbeat.capture.ladder import Rung

CASES = {
    case.name: case
    for module in (
        traffic,
        idle,
        containers,
        processes,
        processors,
        dump,
        documents,
        summaries,
        memory,
        to_elasticsearch,
        to_kafka,
        queues,
    )
    for case in module.CASES
}


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    exit_on_signals()
    results = record.new_record("bench", arguments)
    say(results.heading())
    failed = 0
    with tempfile.TemporaryDirectory(prefix="connbeat-bench-") as scratch:
        setup = Setup(
            compile_load(record.CACHE),
            Path(scratch),
            tuple(Rung[name.upper()] for name in options.rung),
            () if options.no_peers else PEERS,
            is_quick=options.quick,
        )
        for case in [CASES[name] for name in options.cases or CASES]:
            failed += not _measure(case, setup, options.runs, results)
            results.write(options)
    _conclude(results, options)
    return 1 if failed else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; or all")
    rungs = [rung.label for rung in Rung]
    parser.add_argument("--rung", nargs="+", choices=rungs, default=rungs, help="default: each")
    parser.add_argument("--runs", type=int, default=1, help="median and spread of so many runs")
    parser.add_argument("--no-peers", action="store_true", help="neither ss nor tcplife")
    parser.add_argument("--quick", action="store_true", help="each load a third as long")
    record.add_options(parser, "results")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    return options


def _measure(case: Case, setup: Setup, runs: int, results: Record) -> bool:
    """All runs of a case, its table printed and kept; False if it cannot be measured here."""
    measurements: list[Measurement] = []
    started = time.perf_counter()
    quick = "; a third of it" if setup.is_quick else ""
    say(f"\n### {case.name}: {case.title}{quick}\n\nWanted: {case.wanted}.\n")
    try:
        for _ in range(runs):
            measurements += case.run(setup)
    except BenchError as error:
        say(f"Not measured: {error}")
        return False
    table = summarise(measurements)
    seconds = time.perf_counter() - started
    say(f"{render(table)}\n\n({seconds:.0f} s; load average {os.getloadavg()[0]:.1f})")
    for row, note in dict.fromkeys((one.row, one.note) for one in measurements if one.note):
        say(f"{row} was not measured: {note}")
    results.tables[case.name] = table
    results.measurements[case.name] = measurements
    return True


def _conclude(results: Record, options: argparse.Namespace) -> None:
    table = overview(results.tables)
    if table:
        say(f"\n### overview: every case at every rung\n\n{render(table)}")
        results.tables["overview"] = table
    results.write(options)
    say(f"\nAll figures: {options.json}; the tables, to paste: {options.markdown}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
