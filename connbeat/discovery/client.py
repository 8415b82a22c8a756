"""Docker's API through docker-py's low-level client: the only module that imports it.

Importing this costs 20 MB and 100 ms, so import it when there is an engine. The version is agreed
on with each connection and never pinned: engines refuse versions that are too old or too new.
"""

import contextlib
from collections.abc import Iterator, Mapping

import docker
import docker.errors
import docker.utils
from docker.types import CancellableStream

from connbeat.discovery.engine_events import EVENT_FILTERS
from connbeat.discovery.engine_socket import describe
from connbeat.errors import DiscoveryError

_TIMEOUT_SECONDS = 10

# What docker-py lets through: its own, those of requests (all OSError), answers
# that are not JSON (ValueError) or cut off (RuntimeError), and attributes it misses in an answer
# or in a connection that another thread just closed.
_FAULTS = (
    docker.errors.DockerException,
    OSError,
    ValueError,
    RuntimeError,
    AttributeError,
)


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        raise DiscoveryError(describe(error)) from error


class DockerEvents:
    """An `EventStream`."""

    def __init__(self, stream: "CancellableStream[dict[str, object]]") -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[object]:
        try:
            yield from self._stream
        except _FAULTS:
            return  # the connection is gone, which a daemon's restart need not say

    def close(self) -> None:
        with contextlib.suppress(*_FAULTS):
            self._stream.close()


class DockerClient:
    """An `Engine`. Making one asks for the version; raises DiscoveryError."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        with _asking():
            self._api = docker.APIClient(
                **docker.utils.kwargs_from_env(dict(environ)),
                version="auto",
                timeout=_TIMEOUT_SECONDS,
            )
        # docker-py keeps a connection for every URL that it ever asked: one for each container.
        self._api.headers["Connection"] = "close"

    @property
    def version(self) -> str:
        return self._api.api_version

    def events(self) -> DockerEvents:
        with _asking():
            stream = self._api.events(filters=EVENT_FILTERS, decode=True)
        # docker-py makes of a refusal a stream without events, which a restart looks like, too.
        response = getattr(stream, "_response", None)
        if response is not None and not response.ok:
            response.close()
            raise DiscoveryError(f"the engine refuses its events: HTTP {response.status_code}")
        return DockerEvents(stream)

    def containers(self) -> list[object]:
        with _asking():
            listed: object = self._api.containers()
        if not isinstance(listed, list):
            raise DiscoveryError("the engine's list of containers is no list")
        return listed

    def inspect(self, container_id: str) -> object | None:
        with _asking():
            try:
                inspected: object = self._api.inspect_container(container_id)
            except docker.errors.APIError:
                return None
        return inspected

    def name(self) -> str:
        with _asking():
            try:
                info: object = self._api.info()
            except docker.errors.APIError:
                return ""
        name = info.get("Name") if isinstance(info, dict) else None
        return name if isinstance(name, str) else ""

    def close(self) -> None:
        with contextlib.suppress(*_FAULTS):
            self._api.close()
