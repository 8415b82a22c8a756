"""Documents: what one costs in each schema, for processors and as an event, in this process."""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from bench.figures import Figures, Measurement
from bench.setup import Case, Setup
from connbeat.events.document import DocumentBuilder, Documents
from connbeat.events.ecs import EcsDocumentBuilder, EcsNames
from connbeat.events.policy import DocumentPolicy
from connbeat.model.connections import ConnectionReport, Party, Report
from connbeat.model.containers import Container, DockerHost
from connbeat.model.processes import Process
from tests.builders import HOST_NETNS
from tests.reports import CLOSED, CURL, NOW_NS, WALL_NS, WEB

_COUNT = 4000
#: A process has so many of the connections of a poll.
_OF_A_PROCESS = 20
_REPEATS = 7
_POLICY = DocumentPolicy(name="h1", hostname="h1", version="1.0.0")
_DOCKER_HOST = DockerHost("h1", ("127.0.1.1",))
_LABELS = {"com.docker.compose.project": "shop", "com.docker.compose.service": "client"}


def _run(_: Setup) -> Iterator[Measurement]:
    places = {"of the host": None, "of a container": msgspec.structs.replace(WEB, labels=_LABELS)}
    for place, container in places.items():
        reports = _reports(container)
        yield Measurement(f"connbeat, {place}", _figures(_plain, reports))
        yield Measurement(f"ecs, {place}", _figures(_ecs, reports))


def _reports(container: Container | None) -> list[ConnectionReport]:
    """Connections that closed, one address after the other."""
    processes = [_process(number) for number in range(_COUNT // _OF_A_PROCESS)]
    return [
        msgspec.structs.replace(
            CLOSED,
            local_port=1024 + number,
            remote_ip=bytes((10, 0, number // 250, number % 250)),
            local=Party(processes[number // _OF_A_PROCESS], container),
            remote=None,
            nat=None,
        )
        for number in range(_COUNT)
    ]


def _process(number: int) -> Process:
    arguments = ("/usr/bin/curl", "--silent", f"http://web/v1/items/{number}")
    return msgspec.structs.replace(CURL, pid=1000 + number, arguments=arguments, environ=())


def _plain() -> Documents:
    return DocumentBuilder(_POLICY, _DOCKER_HOST)


def _ecs() -> Documents:
    names = EcsNames(boot="5b1c2f0a9d3e4f60", agent_id="1d6a1f0e", ephemeral_id="8c1f0b7e")
    return EcsDocumentBuilder(_POLICY, _DOCKER_HOST, names)


def _figures(make: Callable[[], Documents], reports: Sequence[ConnectionReport]) -> Figures:
    """CPU of this thread; the quickest of several, for whatever else runs only adds."""
    document = min(_timed(_begun(make()).build, reports) for _ in range(_REPEATS))
    event = min(_timed(_begun(make()).event, reports) for _ in range(_REPEATS))
    builder = _begun(make())
    size = sum(len(builder.event(report).body) for report in reports)
    return {"µs a document": document, "an event": event, "bytes": size / len(reports)}


def _timed(make: Callable[[Report], object], reports: Sequence[ConnectionReport]) -> float:
    start = time.thread_time()
    for report in reports:
        make(report)
    return 1e6 * (time.thread_time() - start) / len(reports)


def _begun(builder: Documents) -> Documents:
    builder.begin(HOST_NETNS, NOW_NS, WALL_NS)
    return builder


CASES = (
    Case("documents", "What a document costs", "as little as it can; ECS for who chose it", _run),
)
