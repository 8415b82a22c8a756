"""Containers: twenty that listen on the same port and do nothing."""

from collections.abc import Iterator, Sequence

from bench import engine
from bench.cases.traffic import check_running
from bench.commands import pause
from bench.figures import Figures, Measurement
from bench.observers import Observer, Scene, agent
from bench.setup import Case, Setup, each
from bench.sightings import documents
from bench.truth import percent
from bench.usage import Stopwatch, memory_mb

_COUNT = 20
_PORT = 80
_SETTLE_SECONDS = 6.0
_WATCHED_SECONDS = 10


def _run(setup: Setup) -> Iterator[Measurement]:
    engine.build_image(setup.load)
    try:
        with engine.listening_containers(_COUNT) as names:
            pause(_SETTLE_SECONDS)
            watch = Stopwatch(engine.engine_pids())
            pause(setup.seconds(_WATCHED_SECONDS))
            yield Measurement("no agent", {"Docker CPU %": watch.cpu_percent()})
            observers = [agent(rung, "connbeat.enable_docker=true") for rung in setup.rungs]
            yield from each(observers, lambda observer: _watch(setup, observer, names))
    finally:
        engine.remove_image()


def _watch(setup: Setup, observer: Observer, names: Sequence[str]) -> Figures:
    folder = setup.folder()
    seconds = setup.seconds(_WATCHED_SECONDS)
    with engine.CountingProxy(folder / "docker.sock") as proxy:
        scene = Scene(folder, 1, 0, proxy.environ)
        with observer.start(scene) as program:
            pause(_SETTLE_SECONDS)
            calls = proxy.requests
            agents = Stopwatch([program.pid])
            engines = Stopwatch(engine.engine_pids())
            pause(seconds)
            check_running(program, scene)
            figures = {
                "Docker CPU %": engines.cpu_percent(),
                "agent CPU %": agents.cpu_percent(),
                "Docker calls": float(proxy.requests - calls),
                "calls at start": float(calls),
                "RSS MB": memory_mb(program.pid)[0],
            }
    found = len(_listening(scene) & set(names))
    return {"found": float(found), "reported %": percent(found, _COUNT), **figures}


def _listening(scene: Scene) -> set[str]:
    """The containers that an event names as listening on the port."""
    with scene.events.open() as lines:
        told = (
            document.container
            for document in documents(lines)
            if document.connection is None and document.local_port == _PORT
        )
        return {container.name for container in told if container is not None}


CASES = (
    Case(
        "containers",
        f"{_COUNT} idle containers that all listen on :80, poll every 2 s (10 s)",
        f"{_COUNT} of {_COUNT}, under 2 % of a core for all of it, 0 Docker calls",
        _run,
    ),
)
