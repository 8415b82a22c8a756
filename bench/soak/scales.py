"""Scales: an agent and its load, weighed at one moment."""

from types import TracebackType
from typing import Self

from bench.agent_log import COVERAGE, NAMESPACES, RunningNumbers
from bench.cases.traffic import check_running
from bench.commands import Program
from bench.observers import Scene
from bench.soak.lanes import Lanes
from bench.soak.verdict import Sample
from bench.usage import Stopwatch, descriptors, memory_mb, pss_mb


class Scales:
    """Use it with `with`: it follows the agent's log. `watch` runs from its making."""

    def __init__(self, program: Program, scene: Scene, lanes: Lanes) -> None:
        self.watch = Stopwatch([program.pid])
        self._program = program
        self._scene = scene
        self._lanes = lanes
        self._log = scene.output.with_suffix(".log").open()
        self._numbers = RunningNumbers()

    def weigh(self) -> Sample:
        """Raises BenchError if the agent did not stay."""
        check_running(self._program, self._scene)
        pid = self._program.pid
        self._numbers.add(self._log)
        return Sample(
            seconds=self.watch.seconds(),
            rss_mb=memory_mb(pid)[0],
            pss_mb=pss_mb(pid),
            descriptors=descriptors(pid),
            namespaces=int(self._numbers.gauge(NAMESPACES)),
            containers=self._lanes.containers,
            connections_made=self._lanes.made,
            coverage=self._numbers.gauge(COVERAGE),
            lost=self._numbers.lost,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()
