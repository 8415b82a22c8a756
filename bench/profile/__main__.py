"""`python -m bench.profile`: 4,000 connections a second, and where the agent's CPU goes."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench import record
from bench.cases.traffic import check_running
from bench.commands import BenchError, Program, exit_on_signals, pause
from bench.figures import Measurement, render, summarise
from bench.load import Load, compile_load
from bench.observers import Scene, agent
from bench.profile.stacks import by_function, by_module, by_room, parse_stacks
from bench.record import say
from bench.usage import Stopwatch
from connbeat.capture.ladder import Rung

_SPY = "py-spy"
_SAMPLES_PER_SECOND = 500
_WHOLE = "µs an end"


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    exit_on_signals()
    results = record.new_record("bench.profile", arguments)
    say(f"{results.heading()}\n")
    with tempfile.TemporaryDirectory(prefix="connbeat-bench-") as scratch:
        try:
            _profile(Path(scratch), options, results)
        except BenchError as error:
            say(f"Not measured: {error}")
            return 1
    results.write(options)
    for name, table in results.tables.items():
        say(f"### {name}\n\n{render(table)}\n")
    say(f"The tables, to paste: {options.markdown}")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--seconds", type=int, default=15, help="of the load; default: 15")
    parser.add_argument("--rate", type=int, default=4000, help="connections a second")
    rungs = [rung.label for rung in Rung]
    parser.add_argument("--rung", choices=rungs, default=rungs[-1])
    parser.add_argument("--most", type=int, default=20, help="lines of a table")
    record.add_options(parser, "profile")
    return parser.parse_args(arguments)


def _profile(folder: Path, options: argparse.Namespace, results: record.Record) -> None:
    if shutil.which(_SPY) is None:
        raise BenchError(f"there is no {_SPY} here; `make setup` brings it")
    stacks = folder / "stacks"
    spent = _watch(folder, stacks, options)
    samples = parse_stacks(stacks.read_text())
    spent["samples"] = float(samples.total())
    results.tables["profile: in all"] = summarise([Measurement(options.rung, spent)])
    for name, counts in (
        ("profile: rooms", by_room(samples)),
        ("profile: modules", by_module(samples)),
        ("profile: functions", by_function(samples)),
    ):
        rows = _rows(counts, spent[_WHOLE], options.most)
        results.measurements[name] = rows
        results.tables[name] = summarise(rows)


def _watch(folder: Path, stacks: Path, options: argparse.Namespace) -> dict[str, float]:
    """CPU µs for one end of a connection; the stacks in a file."""
    observer = agent(Rung[options.rung.upper()], "connbeat.enable_docker=false")
    traffic = f"traffic --netns --clients 4 --rate {options.rate} --seconds {options.seconds}"
    with Load([compile_load(record.CACHE)], traffic) as load:
        scene = Scene(folder, load.pid, load.netns)
        with observer.start(scene) as program:
            pause(observer.settle_seconds)
            with _spy(program.pid, stacks):
                watch = Stopwatch([program.pid])
                ends = 2 * load.run()["made"]
                pause(observer.lag_seconds)
                check_running(program, scene)
                user, system = watch.user_and_system()
    return {
        _WHOLE: 1e6 * (user + system) / ends,
        "of it in the kernel": 1e6 * system / ends,
        "ends": float(ends),
    }


def _spy(pid: int, stacks: Path) -> Program:
    """It writes at its end, which comes with SIGINT.

    It must not stop the agent for its look: whoever waits would be woken by it, and be counted.
    """
    command = [
        _SPY,
        "record",
        "--pid",
        str(pid),
        "--rate",
        str(_SAMPLES_PER_SECOND),
        "--nonblocking",
    ]
    command += ["--format", "raw", "--function", "--full-filenames", "--output", str(stacks)]
    output = stacks.with_suffix(".out")
    return Program(command, output=output, stop_signal=signal.SIGINT)


def _rows(counts: Counter[str], whole: float, most: int) -> list[Measurement]:
    samples = counts.total()
    return [
        Measurement(name, {_WHOLE: whole * count / samples, "share %": 100 * count / samples})
        for name, count in counts.most_common(most)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
