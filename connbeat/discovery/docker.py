"""The watcher: keeps the registry of containers true to what the Docker engine says.

Subscribe to events, then list, then one inspect a container, then follow the events: in this order
nothing falls between. While nothing happens the engine is not asked anything. When the stream ends
(a restart of the daemon ends it without a word) the watcher connects and lists again, because the
engine forgets its events when it restarts; until then the registry keeps what it knows, for the
containers may well run on.

One thread runs the watcher. It waits for the engine, and nobody waits for it.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping

from connbeat.backoff import Backoff
from connbeat.clock import Clock
from connbeat.discovery.docker_host import HOSTNAME_VARIABLE
from connbeat.discovery.engine_follower import Engine, EngineFollower, EventStream
from connbeat.discovery.engine_socket import knock, socket_identity, socket_path
from connbeat.errors import DiscoveryError
from connbeat.telemetry.metrics import Metric, Metrics

_log = logging.getLogger(__name__)

_BACKOFF = Backoff(init_seconds=0.5, max_seconds=30.0)
#: While it waits, how often the watcher looks whether the engine made a new socket: one stat.
_LOOK_SECONDS = 1.0
#: A stream that lived this long was no accident: short waits and clear messages again.
_STABLE_NS = 60 * 10**9


def _connect(environ: Mapping[str, str]) -> Engine:
    # 20 MB that only a host with an engine is to pay.
    from connbeat.discovery.client import DockerClient  # noqa: PLC0415  as said above

    return DockerClient(environ)


class DockerWatcher:
    """Follows the engine that `environ` (`DOCKER_HOST` and friends) names.

    `run` is the body of a thread, which should be a daemon thread: after `stop` it ends at once
    or, if it waits for an answer of a hanging engine, within ten seconds. `is_wanted` says that
    the user asked for Docker (`enable_docker: true`): a missing socket then is worth a warning.
    It is looked for all the same, so that an engine that is installed later is found.

    `ready` is set after the first complete list, or once it is known that there is none to be had.
    """

    def __init__(
        self,
        follower: EngineFollower,
        metrics: Metrics,
        clock: Clock,
        *,
        environ: Mapping[str, str],
        is_wanted: bool,
        connect: Callable[[Mapping[str, str]], Engine] = _connect,
    ) -> None:
        self.ready = threading.Event()
        #: The name of the engine's host; "" until it was asked, and where it is not told.
        self.engine_name = ""
        self._follower = follower
        self._metrics = metrics
        self._clock = clock
        self._environ = environ
        self._is_wanted = is_wanted
        self._connect = connect
        self._path = socket_path(environ)
        self._rng = random.Random()  # noqa: S311  jitter, no secret
        self._stopping = threading.Event()
        self._stream: EventStream | None = None
        self._listed_ns: int | None = None
        self._told: set[str] = set()

    @property
    def is_connected(self) -> bool:
        """Whether an engine sends its events at this moment."""
        return self._stream is not None

    @property
    def address(self) -> str:
        """Where the engine is looked for."""
        return str(self._path or self._environ["DOCKER_HOST"])

    def run(self) -> None:
        """Watch until `stop`. Never raises."""
        failures = 0
        while not self._stopping.is_set():
            identity = socket_identity(self._path)
            self._try_to_watch()
            self.ready.set()
            if self._was_stable():
                failures = 0
                self._told.clear()
            failures += 1
            if self._wait(_BACKOFF.delay(failures, self._rng), identity):
                failures = 0

    def stop(self) -> None:
        """End `run`, from any thread. Returns at once."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def _try_to_watch(self) -> None:
        self._listed_ns = None
        try:
            self._watch()
        except DiscoveryError as error:
            if not self._stopping.is_set():
                self._explain(str(error))
        except Exception:  # noqa: BLE001  top of a worker: a bug costs a connection, not the names
            _log.exception("Docker watcher failed; it starts again.")

    def _watch(self) -> None:
        """One connection to the engine, from the first call to its end or ours."""
        if self._path is not None:
            knock(self._path)
        self._count("version")
        engine = self._connect(self._environ)
        try:
            self._count("events")
            self._stream = stream = engine.events()
            try:
                self._serve(engine, stream)
            finally:
                self._stream = None
                stream.close()
        finally:
            engine.close()

    def _serve(self, engine: Engine, stream: EventStream) -> None:
        # Whoever called `stop` before it could see the stream left the closing to us.
        if not self._follower.take_list(engine, self._stopping.is_set):
            return
        self._ask_for_name(engine)
        self._listed_ns = self._clock.monotonic_ns()
        self._tell(logging.INFO, "Docker engine is watched.", f"api={engine.version}")
        self.ready.set()
        if self._stopping.is_set():
            return
        self._follower.follow(engine, stream)
        if not self._stopping.is_set():
            self._metrics.add(Metric.DOCKER_LOST)
            raise DiscoveryError("the event stream ended")

    def _ask_for_name(self, engine: Engine) -> None:
        if not self.engine_name and not self._environ.get(HOSTNAME_VARIABLE):
            self._count("info")
            self.engine_name = engine.name()

    def _explain(self, reason: str) -> None:
        is_absent = self._path is not None and socket_identity(self._path) is None
        if is_absent and not self._is_wanted:
            message = "No Docker engine here; containers have no names until there is one."
            self._tell(logging.INFO, message, f"reason={reason}")
        else:
            message = "Docker engine does not answer; new containers have no names until it does."
            self._tell(logging.WARNING, message, f"reason={reason}")

    def _tell(self, level: int, message: str, detail: str) -> None:
        """Log each thing once, and again only after a connection that lasted."""
        key = message + detail
        _log.log(logging.DEBUG if key in self._told else level, "%s %s", message, detail)
        self._told.add(key)

    def _was_stable(self) -> bool:
        listed_ns = self._listed_ns
        return listed_ns is not None and self._clock.monotonic_ns() - listed_ns >= _STABLE_NS

    def _wait(self, seconds: float, identity: tuple[int, int] | None) -> bool:
        """Wait for the next try; true if there is a new socket, which is reason not to wait."""
        while True:
            if socket_identity(self._path) not in {identity, None}:
                return True
            if seconds <= 0 or self._clock.wait(self._stopping, min(seconds, _LOOK_SECONDS)):
                return False
            seconds -= _LOOK_SECONDS

    def _count(self, call: str) -> None:
        self._metrics.add(Metric.DOCKER_REQUESTS, call=call)
