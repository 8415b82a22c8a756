"""Traffic: short connections at a rate; what each observer tells of them, and at which price."""

from collections.abc import Iterator

from bench.commands import BenchError, Program, pause
from bench.figures import Measurement
from bench.load import Load, read_truth
from bench.observers import Observer, Scene
from bench.setup import Case, Setup, each
from bench.truth import Made, Sighting, answering_ends, calling_ends, percent, score
from bench.usage import Stopwatch, memory_mb


def _case(name: str, title: str, wanted: str, *, seconds: int, traffic: str) -> Case:
    def run(setup: Setup) -> Iterator[Measurement]:
        options = f"{traffic} --seconds {setup.seconds(seconds)}"
        yield from each(setup.observers(), lambda observer: _watch(setup, observer, options))

    return Case(name, f"{title} ({seconds} s)", wanted, run)


def _watch(setup: Setup, observer: Observer, traffic: str) -> dict[str, float]:
    """One observer, one load in a network namespace of its own."""
    folder = setup.folder()
    truth = folder / "truth"
    with Load([setup.load], f"traffic --netns --truth {truth} {traffic}") as load:
        scene = Scene(folder, load.pid, load.netns)
        cost = watch(load, observer, scene)
        made = [one for one in read_truth(truth) if one.kind == "short"]
    return figures(made, list(observer.sightings(scene)), cost)


def watch(load: Load, observer: Observer, scene: Scene) -> dict[str, float]:
    """Let the load run under the observer's eyes, until all is told: CPU seconds and memory."""
    with observer.start(scene) as program:
        pause(observer.settle_seconds)
        watch = Stopwatch([program.pid])
        load.run()
        pause(observer.lag_seconds)
        check_running(program, scene)
        cost = {"CPU s": watch.cpu_seconds(), "CPU %": watch.cpu_percent()}
        if observer.has_own_memory:
            cost["RSS MB"], cost["peak MB"] = memory_mb(program.pid)
    return cost


def check_running(program: Program, scene: Scene) -> None:
    """Raises BenchError, with the last it said, if the observer did not stay."""
    if program.is_running:
        return
    said = scene.output.with_suffix(".log").read_text().splitlines() or ["nothing"]
    raise BenchError(f"it ended by itself and said at last: {said[-1]}")


def figures(
    made: list[Made], sightings: list[Sighting], cost: dict[str, float]
) -> dict[str, float]:
    """Shares of what was made; the process is right only if it is the one that held that end."""
    calling = score(calling_ends(made), sightings)
    answering = score(answering_ends(made), sightings)
    ends = calling.ends + answering.ends
    reported = calling.reported + answering.reported
    return {
        "made": float(calling.ends),
        "callers reported %": percent(calling.reported, calling.ends),
        "right process %": percent(calling.right, calling.ends),
        "both ends reported %": percent(reported, ends),
        "both right %": percent(calling.right + answering.right, ends),
        "surplus": float(calling.surplus + answering.surplus),
        # A share of nearly nothing is noise.
        **({"µs an end told": 1e6 * cost["CPU s"] / reported} if 10 * reported > ends else {}),
        **{name: value for name, value in cost.items() if name != "CPU s"},
    }


CASES = (
    _case(
        "short",
        "2,000 idle connections, and 500 a second that live 5 ms",
        "100 % reported, 99.9 % right process, at most 2 % CPU",
        seconds=6,
        traffic="--clients 4 --idle 2000 --rate 500 --life-ms 5",
    ),
    _case(
        "burst",
        "4,000 connections a second, closed at once",
        "100 % reported, 99.5 % right process, at most 15 µs an end",
        seconds=6,
        traffic="--clients 4 --rate 4000",
    ),
    _case(
        "reset",
        "250 connections a second, reset at once: no TIME_WAIT row is left",
        "100 % reported, 99.5 % right process",
        seconds=2,
        traffic="--clients 2 --rate 250 --reset",
    ),
)
