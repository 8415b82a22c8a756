"""Setup: what a case is handed, and what a case is."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from bench.commands import BenchError
from bench.figures import Figures, Measurement
from bench.observers import Observer, agent
from connbeat.capture.ladder import Rung


class Setup(msgspec.Struct, frozen=True):
    """The compiled load generator, a scratch folder, who is to watch, and whether in a hurry."""

    load: Path
    scratch: Path
    rungs: tuple[Rung, ...]
    peers: tuple[Observer, ...]
    is_quick: bool = False

    def seconds(self, long: int) -> int:
        """How long a load lasts: a third in a quick run."""
        return max(1, long // 3) if self.is_quick else long

    def folder(self) -> Path:
        """A new, empty one."""
        return Path(tempfile.mkdtemp(dir=self.scratch))

    def observers(self, *, docker: bool = False) -> list[Observer]:
        """The agent at each rung, with or without the engine's names, and the peers."""
        option = f"connbeat.enable_docker={str(docker).lower()}"
        return [*(agent(rung, option) for rung in self.rungs), *self.peers]


def each(
    observers: Iterable[Observer], measure: Callable[[Observer], Figures]
) -> Iterator[Measurement]:
    """One after the other; one that cannot be measured here costs its own row only."""
    for observer in observers:
        try:
            yield Measurement(observer.name, measure(observer))
        except BenchError as error:
            yield Measurement(observer.name, {}, str(error))


class Case(msgspec.Struct, frozen=True):
    """One table. `run` makes one run of every row of it; it may raise BenchError.

    `wanted` says what the agent is to reach in the end.
    """

    name: str
    title: str
    wanted: str
    run: Callable[[Setup], Iterator[Measurement]]
