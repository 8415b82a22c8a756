"""Observed: what a program pays for being watched. It connects, accepts and closes in a loop."""

from collections.abc import Iterator

from bench.cases.traffic import check_running
from bench.commands import pause
from bench.figures import Measurement
from bench.load import Load
from bench.observers import Observer, Scene
from bench.setup import Case, Setup, each
from bench.usage import Stopwatch

_CONNECTIONS = 40_000
_NOBODY = "nobody watches"


def _run(setup: Setup) -> Iterator[Measurement]:
    yield Measurement(_NOBODY, _loop(setup, None))
    yield from each(setup.observers(), lambda observer: _loop(setup, observer))


def _loop(setup: Setup, observer: Observer | None) -> dict[str, float]:
    with Load([setup.load], f"loop --netns --count {_CONNECTIONS}") as load:
        if observer is None:
            own = _microseconds(load.run())
            return {"µs of the program": own, "and of the observer": own}
        scene = Scene(setup.folder(), load.pid, load.netns)
        with observer.start(scene) as program:
            pause(observer.settle_seconds)
            watch = Stopwatch([program.pid])
            own = _microseconds(load.run())
            pause(observer.lag_seconds)
            check_running(program, scene)
            whole = own + 1e6 * watch.cpu_seconds() / _CONNECTIONS
    return {"µs of the program": own, "and of the observer": whole}


def _microseconds(told: dict[str, int]) -> float:
    """CPU of the looping program for one connection: both its ends."""
    return (told["user_us"] + told["system_us"]) / told["made"]


CASES = (
    Case(
        "observed",
        f"A program that makes {_CONNECTIONS:,} connections: CPU for each of them",
        "at most 4 µs more than when nobody watches",
        _run,
    ),
)
