"""Monitor: the monitoring endpoint of a running agent. What is asked is answered in its thread."""

import importlib.util
import os
import platform
import resource
import threading
from collections.abc import Callable

import connbeat
from connbeat.agent.build import Agent
from connbeat.agent.monitoring.health import Facts, Health, alive, ready
from connbeat.agent.monitoring.stats import (
    Document,
    Pipeline,
    Process,
    Sighted,
    info_document,
    state_document,
    stats_document,
)
from connbeat.agent.monitoring.vitals import Vitals
from connbeat.agent.sight import read_sight
from connbeat.capture.advice import lacks
from connbeat.clock import Clock
from connbeat.config.schema import Settings
from connbeat.errors import ConfigError, Permanent
from connbeat.telemetry.http_message import Request, Response, json_body
from connbeat.telemetry.listening import parse_address
from connbeat.telemetry.metrics import Metric
from connbeat.telemetry.self_usage import SelfUsage
from connbeat.telemetry.server import HttpServer, Route

_NOT_FOUND_EXTRA = "http.enabled: prometheus_client is not installed; install connbeat[metrics]"


def build_vitals(agent: Agent, clock: Clock) -> Vitals:
    """What changes the gauges that nobody else does."""
    return Vitals(
        tuple(zip(agent.workers, agent.queues.places, strict=True)) if agent.workers else (),
        agent.observer_thread.heartbeat,
        SelfUsage(agent.metrics, lambda: agent.execs.pid),
        metrics=agent.metrics,
        clock=clock,
    )


class Monitor:
    """The endpoint, on or off. `open`, `start`, `stopping` and `close` are the main thread's.

    Raises ConfigError where what it needs is not installed.
    """

    def __init__(self, agent: Agent, settings: Settings, vitals: Vitals, clock: Clock) -> None:
        self._agent = agent
        self._settings = settings
        self._vitals = vitals
        self._is_stopping = False
        self._server: HttpServer | None = None
        agent.metrics.set(
            Metric.BUILD,
            1,
            version=connbeat.__version__,
            python_version=platform.python_version(),
        )
        config = settings.http
        if not config.enabled:
            return
        if importlib.util.find_spec("prometheus_client") is None:
            raise ConfigError((_NOT_FOUND_EXTRA,))
        self._address = parse_address(config.host, config.port)
        self._identity = agent.identity
        self._server = HttpServer(self._address, self._routes(), agent.metrics, clock)

    def open(self) -> None:
        """Take the address, before anything else starts. Raises Permanent."""
        if self._server is None:
            return
        try:
            self._server.open()
        except OSError as error:
            reason = error.strerror or error
            raise Permanent(f"{self._address}: {reason}") from error

    def start(self) -> None:
        if self._server is not None:
            self._server.start()

    def stopping(self) -> None:
        """From now on the agent is not ready, and lives however long it takes."""
        self._is_stopping = True

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def _routes(self) -> dict[str, Route]:
        return {
            "/": _json(lambda: info_document(self._identity)),
            "/state": _json(self._state),
            "/stats": _json(self._stats),
            "/metrics": self._metrics,
            "/healthz": _health(lambda: alive(self._facts())),
            "/readyz": _health(lambda: ready(self._facts())),
        }

    def _state(self) -> Document:
        return state_document(self._identity, self._process(), self._pipeline())

    def _stats(self) -> Document:
        self._vitals.refresh()
        sight = read_sight(self._agent.observation)
        standings = self._agent.observation.snapshots.standings()
        return stats_document(
            self._identity,
            self._process(),
            self._pipeline(),
            self._agent.metrics,
            sighted=Sighted(standings, lacks(sight)),
            health=ready(self._facts()),
        )

    def _metrics(self, _: Request) -> Response:
        # 4 MB that an agent whose metrics nobody scrapes has no use for.
        from connbeat.telemetry.exposition import (  # noqa: PLC0415  see above
            CONTENT_TYPE,
            expose,
        )

        self._vitals.refresh()
        return Response(expose(self._agent.metrics), content_type=CONTENT_TYPE)

    def _facts(self) -> Facts:
        self._vitals.refresh()
        return Facts(
            has_begun=self._vitals.has_begun,
            is_stopping=self._is_stopping,
            capture_age_seconds=self._vitals.capture_age_seconds,
            outputs=self._vitals.outputs,
            spool_trouble=self._agent.queues.trouble(),
        )

    def _process(self) -> Process:
        uname = os.uname()
        return Process(
            usage=self._vitals.usage,
            threads=threading.active_count(),
            fd_limits=resource.getrlimit(resource.RLIMIT_NOFILE),
            uptime_seconds=self._vitals.uptime_seconds,
            cores=os.cpu_count() or 1,
            load=os.getloadavg(),
            architecture=uname.machine,
            kernel=uname.release,
        )

    def _pipeline(self) -> Pipeline:
        is_on_disk = self._settings.queue_disk.enabled
        return Pipeline(
            outputs=tuple(worker.name for worker in self._agent.workers),
            queue="disk" if is_on_disk else "mem",
            max_events=0 if is_on_disk else self._settings.queue_mem.events,
        )


def _json(document: Callable[[], Document]) -> Route:
    """`?pretty` is for people."""
    return lambda request: Response(json_body(document(), is_pretty="pretty" in request.query))


def _health(health: Callable[[], Health]) -> Route:
    def respond(request: Request) -> Response:
        found = health()
        body = json_body(found, is_pretty="pretty" in request.query)
        return Response(body, 503 if found.reasons else 200)

    return respond
