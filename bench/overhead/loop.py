"""Loop: a program connects, accepts and closes; what it pays for being watched, and what in all."""

from collections.abc import Iterator

from bench.cases.traffic import check_running
from bench.commands import BenchError, pause
from bench.figures import Measurement
from bench.load import Load
from bench.observers import TCPLIFE, Observer, Scene
from bench.overhead.pairs import Cost, compare_costs, in_turns
from bench.setup import Setup
from bench.usage import Stopwatch

_NOBODY = "nobody watches"


def measure(setup: Setup, count: int, runs: int) -> Iterator[Measurement]:
    """In each run every observer once; compared with nobody's figure of the same run."""
    observers = [*setup.observers(), TCPLIFE]
    for run in range(runs):
        costs: dict[str, Cost] = {}
        for observer in in_turns([None, *observers], run):
            name = _NOBODY if observer is None else observer.name
            try:
                costs[name] = _watch(setup, observer, count)
            except BenchError as error:
                yield Measurement(name, {}, str(error))
        for name in (_NOBODY, *(one.name for one in observers)):
            if name in costs and _NOBODY in costs:
                yield Measurement(name, compare_costs(costs[_NOBODY], costs[name]))


def _watch(setup: Setup, observer: Observer | None, count: int) -> Cost:
    with Load([setup.load], f"loop --netns --count {count}") as load:
        if observer is None:
            return Cost(_microseconds(load.run()), 0.0)
        scene = Scene(setup.folder(), load.pid, load.netns)
        with observer.start(scene) as program:
            pause(observer.settle_seconds)
            watch = Stopwatch([program.pid])
            own = _microseconds(load.run())
            pause(observer.lag_seconds)
            check_running(program, scene)
            return Cost(own, 1e6 * watch.cpu_seconds() / count)


def _microseconds(told: dict[str, int]) -> float:
    """CPU of the looping program for one connection: both its ends."""
    return (told["user_us"] + told["system_us"]) / told["made"]
