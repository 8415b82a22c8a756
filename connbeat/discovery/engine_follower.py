"""From the engine's list and events to the registry: which of them need an inspect, and which not.

| event                                | what is done                                            |
|--------------------------------------|---------------------------------------------------------|
| create                               | name and image from the event, no call                  |
| start                                | one inspect; if it is gone already, what the event tells |
| network connect, disconnect          | one inspect if it runs (around start and end it does not) |
| rename                               | the new name from the event, no call                    |
| die, destroy                         | a tombstone, no call                                    |

One thread, that of the watcher. Does no I/O of its own: it asks the `Engine` it is given, counts
what it asks, and lets DiscoveryError through when the engine does not answer.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from connbeat.clock import Clock
from connbeat.discovery.engine_events import EngineAction, EngineEvent, parse_event
from connbeat.discovery.inspect import container_of_event, parse_container, parse_listed
from connbeat.discovery.registry import ContainerRegistry
from connbeat.errors import DiscoveryError
from connbeat.model.containers import Container
from connbeat.telemetry.metrics import Metric, Metrics

_log = logging.getLogger(__name__)


class EventStream(Protocol):
    """The engine's events, as they come.

    Iterating blocks until the next one. It ends, without an exception, when the connection does
    (a restart of the engine looks like that) or when `close` was called, by any thread.
    """

    def __iter__(self) -> Iterator[object]: ...

    def close(self) -> None:
        """End the iteration at once. May be called twice. Never raises."""
        ...


class Engine(Protocol):
    """One connection to an engine, for one thread. What it answers is JSON, and not to be trusted.

    Every call blocks and raises DiscoveryError if the engine could not be asked or gave no answer
    within ten seconds; `events` alone waits for the first of it as long as it takes.
    """

    @property
    def version(self) -> str:
        """The version of the API, agreed on when the connection was made."""
        ...

    def events(self) -> EventStream:
        """Subscribe to the events that `EVENT_FILTERS` names; none is missed from here on."""
        ...

    def containers(self) -> list[object]:
        """The running containers, one short description each."""
        ...

    def inspect(self, container_id: str) -> object | None:
        """All about one container; None if it is gone or the engine cannot say."""
        ...

    def name(self) -> str:
        """The name of the engine's host; "" if the engine does not tell."""
        ...

    def close(self) -> None:
        """Let go of every connection but the event stream's. Never raises."""
        ...


class EngineFollower:
    """Writes one registry from one engine after the other."""

    def __init__(self, registry: ContainerRegistry, metrics: Metrics, clock: Clock) -> None:
        self._registry = registry
        self._metrics = metrics
        self._clock = clock
        self._reactions: Mapping[EngineAction, Callable[[Engine, EngineEvent], None]] = {
            EngineAction.CREATE: self._created,
            EngineAction.START: self._started,
            EngineAction.DIE: self._ended,
            EngineAction.DESTROY: self._ended,
            EngineAction.RENAME: self._renamed,
            EngineAction.CONNECT: self._rewired,
            EngineAction.DISCONNECT: self._rewired,
        }

    def take_list(self, engine: Engine, should_stop: Callable[[], bool]) -> bool:
        """Replace the registry's contents by what the engine has; false if stopped on the way.

        Nothing is replaced before the last inspect has come: a list that breaks off ends nobody.
        """
        containers: list[Container] = []
        self._count("list")
        for item in engine.containers():
            if should_stop():
                return False
            container = self._listed(engine, item)
            if container is not None:
                containers.append(container)
        self._registry.replace_all(containers, self._clock.monotonic_ns())
        self._publish()
        return True

    def follow(self, engine: Engine, stream: EventStream) -> None:
        """Apply the events as they come. Returns when the stream ends."""
        for raw in stream:
            self._metrics.add(Metric.DOCKER_EVENTS)
            event = parse_event(raw)
            if event is not None:
                self._reactions[event.action](engine, event)
                self._publish()

    def _listed(self, engine: Engine, item: object) -> Container | None:
        try:
            listed = parse_listed(item)
        except DiscoveryError as error:
            _log.debug("Docker listed something odd. error=%s", error)
            return None
        return self._inspected(engine, listed.id) or listed

    def _inspected(self, engine: Engine, container_id: str) -> Container | None:
        """What inspect says; None if the container is gone or the answer is of no use."""
        self._count("inspect")
        answer = engine.inspect(container_id)
        if answer is None:
            return None
        try:
            return parse_container(answer)
        except DiscoveryError as error:
            _log.debug("Docker described something odd. error=%s", error)
            return None

    def _created(self, _: Engine, event: EngineEvent) -> None:
        self._mention(event)

    def _started(self, engine: Engine, event: EngineEvent) -> None:
        container = self._inspected(engine, event.container_id)
        if container is None:
            self._mention(event)
        else:
            self._registry.put(container, self._clock.monotonic_ns())

    def _rewired(self, engine: Engine, event: EngineEvent) -> None:
        known = self._registry.by_id(event.container_id)
        if known is not None and known.is_running:
            container = self._inspected(engine, event.container_id)
            if container is not None:
                self._registry.put(container, self._clock.monotonic_ns())

    def _renamed(self, _: Engine, event: EngineEvent) -> None:
        name = event.attributes.get("name", "").removeprefix("/")
        if name:
            self._registry.rename(event.container_id, name, self._clock.monotonic_ns())

    def _ended(self, _: Engine, event: EngineEvent) -> None:
        self._registry.end(event.container_id, self._clock.monotonic_ns())

    def _mention(self, event: EngineEvent) -> None:
        container = container_of_event(event.container_id, event.attributes)
        self._registry.mention(container, self._clock.monotonic_ns())

    def _count(self, call: str) -> None:
        self._metrics.add(Metric.DOCKER_REQUESTS, call=call)

    def _publish(self) -> None:
        self._metrics.set(Metric.CONTAINERS, len(self._registry.running()))
        self._metrics.set(Metric.TOMBSTONES_DROPPED, self._registry.ended_dropped)
