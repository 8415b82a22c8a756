"""Processes: each connection from a new process of a container, which ends with it."""

from collections.abc import Iterator, Sequence

from bench import engine
from bench.cases.traffic import watch
from bench.figures import Measurement
from bench.load import Load, read_truth
from bench.observers import Observer, Scene
from bench.setup import Case, Setup, each
from bench.truth import Made, Sighting, calling_ends, percent, score

_RATE = 100
_SECONDS = 4
_NAME = f"{engine.PREFIX}-short"


def _run(setup: Setup) -> Iterator[Measurement]:
    engine.build_image(setup.load)
    try:
        observers = setup.observers(docker=True)
        yield from each(observers, lambda observer: _watch(setup, observer))
    finally:
        engine.remove_image()


def _watch(setup: Setup, observer: Observer) -> dict[str, float]:
    folder = setup.folder()
    start = engine.container_command("--name", _NAME, "--volume", f"{folder}:/truth")
    seconds = setup.seconds(_SECONDS)
    spawn = f"spawn --truth /truth/truth --rate {_RATE} --seconds {seconds} --life-ms 5"
    with Load(start, spawn) as load:
        scene = Scene(folder, load.pid, load.netns)
        cost = watch(load, observer, scene)
    made = read_truth(folder / "truth")
    return _figures(made, list(observer.sightings(scene)), cost)


def _figures(
    made: Sequence[Made], sightings: Sequence[Sighting], cost: dict[str, float]
) -> dict[str, float]:
    """The callers only: the server lives as long as its container."""
    ends = list(calling_ends(made))
    told = score(ends, sightings)
    inside = score(ends, [one for one in sightings if one.container == _NAME])
    by_command = score(ends, [one for one in sightings if " once " in one.cmdline])
    return {
        "made": float(told.ends),
        "reported %": percent(told.reported, told.ends),
        "container %": percent(inside.reported, told.ends),
        "right process %": percent(told.right, told.ends),
        "command line %": percent(by_command.right, told.ends),
        **({"µs an end told": 1e6 * cost["CPU s"] / told.reported} if told.reported else {}),
        **{name: value for name, value in cost.items() if name != "CPU s"},
    }


CASES = (
    Case(
        "processes",
        f"{_RATE} processes a second in a container, each one connection of 5 ms ({_SECONDS} s)",
        "container 100 %, process and command line 99 %",
        _run,
    ),
)
