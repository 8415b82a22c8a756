"""`python -m bench.soak`: an agent for 15 minutes at 1,000 connections a second; is it flat?"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench import engine, record
from bench.agent_log import CLOSES_TOLD, COVERAGE, last_totals, losses
from bench.commands import BenchError, exit_on_signals, pause
from bench.figures import Figures, Measurement, render, summarise
from bench.load import compile_load
from bench.observers import Observer, Scene, agent_command
from bench.record import say
from bench.soak.lanes import Lanes
from bench.soak.scales import Scales
from bench.soak.verdict import Sample, Verdict, judge
from connbeat.clock import SystemClock

_ROW = "connbeat"
#: Until the agent's own numbers stand in the log; and until it has forgotten the last container.
_SETTLE_SECONDS = 12.0
_FORGET_SECONDS = 25.0
_SAY_EVERY_SECONDS = 30.0


class _Soaked(msgspec.Struct, frozen=True):
    before: Sample
    samples: list[Sample]
    after: Sample
    cpu_percent: float


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    exit_on_signals()
    results = record.new_record("bench.soak", arguments)
    say(f"{results.heading()}\n")
    with tempfile.TemporaryDirectory(prefix="connbeat-bench-") as scratch:
        try:
            engine.build_image(compile_load(record.CACHE))
            verdict = _run(Scene(Path(scratch), 1, 0), options, results)
        except BenchError as error:
            say(f"Not measured: {error}")
            return 1
        finally:
            engine.remove_image()
    results.write(options)
    say(f"\n{render(results.tables['soak'])}\n")
    for fault in verdict.faults:
        say(f"FAILED: {fault}")
    say(f"{'' if verdict.faults else 'Flat. '}All samples: {options.json}")
    return 1 if verdict.faults else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="default: 15")
    parser.add_argument("--rate", type=int, default=1000, help="connections a second")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two samples")
    record.add_options(parser, "soak")
    options = parser.parse_args(arguments)
    if options.minutes < 1 or options.every > 10:
        parser.error("at least one minute, and a sample every 10 s: else there is no verdict")
    return options


def _run(scene: Scene, options: argparse.Namespace, results: record.Record) -> Verdict:
    log = scene.output.with_suffix(".log")
    lanes = Lanes(options.rate, int(60 * options.minutes))
    with _agent(options.every).start(scene) as program:
        pause(_SETTLE_SECONDS)
        with Scales(program, scene, lanes) as scales:
            soaked = _soak(scales, lanes, options.every)
    verdict = judge(soaked.before, soaked.samples, soaked.after)
    figures = _figures(soaked, lanes, verdict) | _own_words(log)
    results.tables["soak"] = summarise([Measurement(_ROW, figures)])
    whole = (soaked.before, *soaked.samples, soaked.after)
    results.measurements["soak"] = [_measurement(one) for one in whole]
    return verdict


def _agent(every: float) -> Observer:
    """The agent by default, with its numbers in the log as often as they are wanted."""
    return Observer(
        _ROW,
        lambda scene: agent_command(
            "connbeat.enable_docker=true",
            f"logging.metrics.period={max(1, int(every))}s",
            f"output.file.path={scene.folder}",
            "output.file.filename=events",
            "output.file.number_of_files=2",
        ),
        lambda _: (),
    )


def _soak(scales: Scales, lanes: Lanes, every: float) -> _Soaked:
    clock = SystemClock()
    before = scales.weigh()
    samples: list[Sample] = []
    said_ns = 0
    with lanes:
        while lanes.is_running:
            pause(every)
            samples.append(scales.weigh())
            if clock.monotonic_ns() - said_ns > _SAY_EVERY_SECONDS * 1e9:
                said_ns = clock.monotonic_ns()
                say(_progress(samples[-1]))
    if lanes.error:
        raise BenchError(lanes.error)
    cpu_percent = scales.watch.cpu_percent()
    pause(_FORGET_SECONDS)
    return _Soaked(before, samples, scales.weigh(), cpu_percent)


def _progress(one: Sample) -> str:
    return (
        f"{one.seconds / 60:5.1f} min: PSS {one.pss_mb:.1f} MB, RSS {one.rss_mb:.1f} MB, "
        f"descriptors {one.descriptors}, namespaces {one.namespaces}, "
        f"containers gone {one.containers}, connections {one.connections_made:,}, "
        f"coverage {one.coverage:.5f}, lost {one.lost:.0f}"
    )


def _figures(soaked: _Soaked, lanes: Lanes, verdict: Verdict) -> dict[str, float]:
    last = soaked.samples[-1]
    return {
        "minutes": last.seconds / 60,
        "containers": float(lanes.containers),
        "conn/s": lanes.made / last.seconds,
        "CPU %": soaked.cpu_percent,
        "RSS MB": last.rss_mb,
        "PSS MB": last.pss_mb,
        "growth %": verdict.growth_percent,
        "descriptors before": float(soaked.before.descriptors),
        "at most": float(max(one.descriptors for one in soaked.samples)),
        "and after": float(soaked.after.descriptors),
        "ends closed": 2.0 * lanes.made,
    }


def _own_words(log: Path) -> dict[str, float]:
    """What the agent says it told and lost. It counts the rest of the machine as well."""
    with log.open() as lines:
        totals = last_totals(lines)
    told = {"closes told": totals.get(CLOSES_TOLD, 0.0), "coverage": totals.get(COVERAGE, 0.0)}
    return told | losses(totals)


def _measurement(one: Sample) -> Measurement:
    figures: Figures = msgspec.to_builtins(one)
    return Measurement(f"{one.seconds:.0f} s", figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
