"""Idle: many connections that stay open; what it costs to know them."""

from collections.abc import Iterator

from bench.cases.traffic import check_running, figures
from bench.commands import pause
from bench.figures import Measurement
from bench.load import Load, read_truth
from bench.observers import Observer, Scene
from bench.setup import Case, Setup, each
from bench.usage import Stopwatch, memory_mb

#: Until everything is known, and then one whole `aggregation`: each is told of once more in it.
_KNOWN_AFTER_SECONDS = 6.0
_WATCHED_SECONDS = 30
_PEER_SECONDS = 12


def _run(setup: Setup) -> Iterator[Measurement]:
    observers = [one for one in setup.observers() if not one.sees_closed_only]
    yield from each(observers, lambda observer: _watch(setup, observer))


def _watch(setup: Setup, observer: Observer) -> dict[str, float]:
    folder = setup.folder()
    truth = folder / "truth"
    options = f"traffic --netns --clients 2 --servers 2 --idle 10000 --truth {truth}"
    with Load([setup.load], options) as load:
        scene = Scene(folder, load.pid, load.netns)
        with observer.start(scene) as program:
            pause(_KNOWN_AFTER_SECONDS)
            watch = Stopwatch([program.pid])
            pause(setup.seconds(_PEER_SECONDS if observer in setup.peers else _WATCHED_SECONDS))
            check_running(program, scene)
            cost = {"CPU s": watch.cpu_seconds(), "CPU %": watch.cpu_percent()}
            if observer.has_own_memory:
                cost["RSS MB"], cost["peak MB"] = memory_mb(program.pid)
        made = read_truth(truth)
    told = figures(made, list(observer.sightings(scene)), cost)
    return {name: told[name] for name in told if name != "µs an end told"}


CASES = (
    Case(
        "idle",
        "10,000 idle connections (20,000 ends), poll every 2 s, once known (30 s)",
        "100 % reported, at most 1 % CPU, 45 MB",
        _run,
    ),
)
