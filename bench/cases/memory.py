"""Memory: an agent that has nothing to do."""

import os
from collections.abc import Iterator

from bench import engine
from bench.commands import pause
from bench.figures import Measurement
from bench.observers import Observer, Scene, agent_command
from bench.setup import Case, Setup
from bench.usage import Stopwatch, memory_mb
from tests.servers.elasticsearch_server import ElasticsearchServer

_SECONDS = 8.0


def _run(setup: Setup) -> Iterator[Measurement]:
    engines = {"without Docker": "false"} | (
        {"with Docker": "true"} if engine.SOCKET.exists() else {}
    )
    for words, enable_docker in engines.items():
        figures = _weigh(setup, enable_docker, "output.console.enabled=true")
        yield Measurement(f"console output, {words}", figures)
    with ElasticsearchServer() as server:
        for words, enable_docker in engines.items():
            figures = _weigh(setup, enable_docker, f"output.elasticsearch.hosts={server.url}")
            yield Measurement(f"Elasticsearch output, {words}", figures)


def _weigh(setup: Setup, enable_docker: str, output: str) -> dict[str, float]:
    settings = (output, f"connbeat.enable_docker={enable_docker}")
    observer = Observer("agent", lambda _: agent_command(*settings), lambda _: ())
    with observer.start(Scene(setup.folder(), os.getpid(), 0)) as program:
        pause(observer.settle_seconds)
        watch = Stopwatch([program.pid])
        pause(_SECONDS)
        rss, peak = memory_mb(program.pid)
        return {"RSS MB": rss, "peak MB": peak, "CPU %": watch.cpu_percent()}


CASES = (
    Case(
        "memory",
        "Nothing to do",
        "under 25 MB without Docker, under 40 MB with it, under 50 MB with Elasticsearch as well",
        _run,
    ),
)
