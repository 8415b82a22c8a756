"""Memory: an agent that has nothing to do."""

import os
from collections.abc import Iterator

from bench import engine
from bench.commands import pause
from bench.figures import Measurement
from bench.observers import Observer, Scene, agent_command
from bench.setup import Case, Setup
from bench.usage import Stopwatch, memory_mb

_SECONDS = 8.0


def _run(setup: Setup) -> Iterator[Measurement]:
    yield Measurement("console output, without Docker", _weigh(setup, "false"))
    if engine.SOCKET.exists():
        yield Measurement("console output, with Docker", _weigh(setup, "true"))


def _weigh(setup: Setup, enable_docker: str) -> dict[str, float]:
    settings = ("output.console.enabled=true", f"connbeat.enable_docker={enable_docker}")
    observer = Observer("agent", lambda _: agent_command(*settings), lambda _: ())
    with observer.start(Scene(setup.folder(), os.getpid(), 0)) as program:
        pause(observer.settle_seconds)
        watch = Stopwatch([program.pid])
        pause(_SECONDS)
        rss, peak = memory_mb(program.pid)
        return {"RSS MB": rss, "peak MB": peak, "CPU %": watch.cpu_percent()}


CASES = (Case("memory", "Nothing to do", "under 25 MB without Docker, under 40 MB with it", _run),)
