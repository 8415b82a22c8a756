"""`python -m bench.overhead [PART ...]`: what the observed pay for being watched."""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench import record
from bench.commands import BenchError, exit_on_signals
from bench.figures import Measurement, render, summarise
from bench.load import compile_load
from bench.observers import TCPLIFE, agent
from bench.overhead import loop, web
from bench.record import Record, say
from bench.setup import Setup
from connbeat.capture.ladder import Rung

_LOOP = "loop"
_TITLES = {
    _LOOP: "a program that connects, accepts and closes: CPU for each connection",
    "keepalive": "nginx under wrk on all processors, connections kept alive",
    "connections": "nginx under wrk on all processors, one connection a request",
}


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    exit_on_signals()
    results = record.new_record("bench.overhead", arguments)
    say(results.heading())
    failed = 0
    with tempfile.TemporaryDirectory(prefix="connbeat-bench-") as scratch:
        rungs = tuple(Rung[name.upper()] for name in options.rung)
        setup = Setup(compile_load(record.CACHE), Path(scratch), rungs, ())
        for part in options.parts or _TITLES:
            failed += not _measure(part, _run(part, setup, options), results)
            results.write(options)
    say(f"\nAll figures: {options.json}; the tables, to paste: {options.markdown}")
    return 1 if failed else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parts = list(_TITLES)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; or all")
    parser.add_argument("--pairs", type=int, default=10, help="of runs of nginx; default: 10")
    parser.add_argument("--peer-pairs", type=int, default=3, help="with tcplife; default: 3")
    parser.add_argument("--seconds", type=int, default=5, help="of a run of nginx; default: 5")
    parser.add_argument("--runs", type=int, default=5, help="of the loop; default: 5")
    parser.add_argument("--count", type=int, default=40_000, help="turns of the loop")
    rungs = [rung.label for rung in Rung]
    parser.add_argument("--rung", nargs="+", choices=rungs, default=rungs, help="of the loop")
    parser.add_argument("--web-rung", choices=rungs, default=rungs[-1], help="under nginx")
    record.add_options(parser, "overhead")
    options = parser.parse_args(arguments)
    unknown = [part for part in options.parts if part not in _TITLES]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(parts)}")
    return options


def _run(part: str, setup: Setup, options: argparse.Namespace) -> Iterator[Measurement]:
    if part == _LOOP:
        yield from loop.measure(setup, options.count, options.runs)
        return
    ours = agent(Rung[options.web_rung.upper()], "connbeat.enable_docker=false")
    for observer, pairs in ((ours, options.pairs), (TCPLIFE, options.peer_pairs)):
        if pairs:
            try:
                yield from web.measure(
                    setup,
                    observer,
                    pairs=pairs,
                    seconds=options.seconds,
                    keeps_alive=part == "keepalive",
                )
            except BenchError as error:
                yield Measurement(observer.name, {}, str(error))


def _measure(part: str, run: Iterable[Measurement], results: Record) -> bool:
    """Its table printed and kept; False if a row of it, the peer's aside, was not measured."""
    say(f"\n### {part}: {_TITLES[part]}\n")
    measurements = []
    for one in run:
        measurements.append(one)
        say(f"- {one.row}: {one.note or _short(one)}")
    results.measurements[part] = measurements
    results.tables[part] = summarise(measurements)
    say(f"\n{render(results.tables[part])}")
    return not any(one.note for one in measurements if one.row != TCPLIFE.name)


def _short(one: Measurement) -> str:
    return ", ".join(f"{name} {value:,.4g}" for name, value in one.figures.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
