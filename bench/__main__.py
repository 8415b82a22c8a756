"""`python -m bench [CASE ...]`: run cases, print their tables, and write all figures as JSON."""

import argparse
import os
import platform
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.cases import (
    containers,
    dump,
    idle,
    memory,
    observed,
    processes,
    queues,
    to_elasticsearch,
    to_kafka,
    traffic,
)
from bench.commands import BenchError
from bench.figures import Measurement, Table, render, summarise
from bench.load import compile_load
from bench.observers import peers
from bench.setup import Case, Setup
from connbeat.capture.ladder import Rung
from connbeat.clock import SystemClock
from connbeat.events.timestamps import TimestampFormatter

CASES = {
    case.name: case
    for module in (
        dump,
        idle,
        containers,
        traffic,
        processes,
        observed,
        memory,
        to_elasticsearch,
        to_kafka,
        queues,
    )
    for case in module.CASES
}
_CACHE = Path(".cache/bench")


class Record(msgspec.Struct, frozen=True):
    """What is written: where and when it was measured, and every figure of every table."""

    command: str
    started_at: str
    kernel: str
    python: str
    cpus: int
    runs: int
    load_average: tuple[float, float, float]
    noise_percent: float
    tables: dict[str, Table]


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    # As an exception, so that every program and container started here is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cases = [CASES[name] for name in options.cases or CASES]
    record = _new_record(options.runs, arguments)
    _say(_heading(record))
    failed = 0
    with tempfile.TemporaryDirectory(prefix="connbeat-bench-") as scratch:
        setup = Setup(
            compile_load(_CACHE),
            Path(scratch),
            tuple(Rung[name.upper()] for name in options.rung),
            () if options.no_peers else tuple(peers()),
        )
        for case in cases:
            table = _measure(case, setup, options.runs)
            failed += table is None
            record.tables[case.name] = table or {}
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
    _say(f"All figures: {options.json}")
    return 1 if failed else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; or all")
    rungs = [rung.label for rung in Rung]
    parser.add_argument("--rung", nargs="+", choices=rungs, default=rungs, help="default: each")
    parser.add_argument("--runs", type=int, default=1, help="median and spread of so many runs")
    parser.add_argument("--no-peers", action="store_true", help="neither ss nor tcplife")
    parser.add_argument("--json", type=Path, default=_CACHE / "results.json")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    return options


def _new_record(runs: int, arguments: Sequence[str]) -> Record:
    return Record(
        command=shlex.join(["python", "-m", "bench", *arguments]),
        started_at=TimestampFormatter().format(SystemClock().now_ns()),
        kernel=platform.release(),
        python=platform.python_version(),
        cpus=os.cpu_count() or 0,
        runs=runs,
        load_average=os.getloadavg(),
        noise_percent=_noise_percent(),
        tables={},
    )


def _noise_percent() -> float:
    """How much longer than at best the same work took: what else goes on here disturbs."""
    times = []
    for _ in range(50):
        start = time.perf_counter()
        sum(range(400_000))
        times.append(time.perf_counter() - start)
    return 100 * (sorted(times)[len(times) // 2] / min(times) - 1)


def _heading(record: Record) -> str:
    return (
        f"`{record.command}`, {record.started_at}, Linux {record.kernel}, {record.cpus} CPUs, "
        f"Python {record.python}, runs: {record.runs}; before it the load average was "
        f"{record.load_average[0]:.1f}, and the same work took {record.noise_percent:.0f} % longer "
        "by median than at best\n"
    )


def _measure(case: Case, setup: Setup, runs: int) -> Table | None:
    """All runs of a case, its table printed; None if it cannot be measured here."""
    measurements: list[Measurement] = []
    started = time.perf_counter()
    _say(f"### {case.name}: {case.title}\n\nWanted: {case.wanted}.\n")
    try:
        for _ in range(runs):
            measurements += case.run(setup)
    except BenchError as error:
        _say(f"Not measured: {error}\n")
        return None
    table = summarise(measurements)
    seconds = time.perf_counter() - started
    _say(f"{render(table)}\n\n({seconds:.0f} s; load average {os.getloadavg()[0]:.1f})\n")
    for row, note in dict.fromkeys((one.row, one.note) for one in measurements if one.note):
        _say(f"{row} was not measured: {note}\n")
    return table


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
