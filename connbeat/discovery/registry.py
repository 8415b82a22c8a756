"""Who is known: the containers that run, and for a while those that ended.

One thread writes (the watcher of the engine); any thread reads, at any time, without a lock: a
write makes a new view and puts it in the place of the old one, and a reader takes the view once.
Reading is a look into a dict, so that the capture thread can do it for every socket.

A container that ended stays as a tombstone: its last connections are reported after its end.
Tombstones go when their grace time is over and something new is written, not before: an id is
never given twice, so a late tombstone is no mistake. Their number is bounded.

Pure; times are passed in.
"""

import msgspec

from connbeat.model.addresses import parse_ip
from connbeat.model.containers import Container, PublishedPort

#: How long an ended container stays known: two intervals of anything a user would aggregate over.
GRACE_NS = 120 * 10**9
#: How many may stay at once: 1,000 with 50 variables each are about 5 MB.
MAX_ENDED = 1_000

_WILDCARDS = {4: b"\x00" * 4, 16: b"\x00" * 16}
_PortKey = tuple[bytes, int]


class _View(msgspec.Struct, frozen=True):
    """What readers see: whole, and never changed."""

    by_id: dict[str, Container]
    running: tuple[Container, ...]
    published: dict[_PortKey, PublishedPort]


class _Running(msgspec.Struct, frozen=True):
    container: Container
    published: tuple[PublishedPort, ...]


class _Ended(msgspec.Struct, frozen=True):
    container: Container
    until_ns: int


class ContainerRegistry:
    """A `ContainerLookup`. `put` and what follows it are for the one writer."""

    def __init__(self, *, grace_ns: int = GRACE_NS, max_ended: int = MAX_ENDED) -> None:
        self._grace_ns = grace_ns
        self._max_ended = max_ended
        self._running: dict[str, _Running] = {}
        # In the order of their ends, so that the first to expire stands first.
        self._ended: dict[str, _Ended] = {}
        self._view = _View({}, (), {})
        #: Tombstones given up before their time because there were too many. Only grows.
        self.ended_dropped = 0

    def by_id(self, container_id: str) -> Container | None:
        """The container with this full id, running or ended lately; None if unknown."""
        return self._view.by_id.get(container_id)

    def running(self) -> tuple[Container, ...]:
        """The containers that run now, in the order they came to be known."""
        return self._view.running

    def published(self, ip: bytes, port: int) -> PublishedPort | None:
        """What is published behind an address of this host; None if nothing.

        Published on every address (0.0.0.0 or ::) matches any address of that family: which ones
        are this host's the caller must know.
        """
        published = self._view.published
        return published.get((ip, port)) or published.get((_WILDCARDS[len(ip)], port))

    def put(self, container: Container, now_ns: int) -> None:
        """Take what an inspect said, instead of what was known."""
        self._take(container, now_ns)
        self._show(now_ns)

    def mention(self, container: Container, now_ns: int) -> None:
        """Take a poor description, for want of a better one: nothing known is overwritten.

        An ended container gets its grace time anew.
        """
        if container.id not in self._running:
            ended = self._ended.get(container.id)
            self._bury(ended.container if ended else container, now_ns)
            self._show(now_ns)

    def rename(self, container_id: str, name: str, now_ns: int) -> None:
        """Give a known container its new name; an unknown one has it when it is inspected."""
        running, ended = self._running.get(container_id), self._ended.get(container_id)
        if running is not None:
            container = msgspec.structs.replace(running.container, name=name)
            self._running[container_id] = _Running(container, running.published)
        elif ended is not None:
            container = msgspec.structs.replace(ended.container, name=name)
            self._ended[container_id] = _Ended(container, ended.until_ns)
        self._show(now_ns)

    def end(self, container_id: str, now_ns: int) -> None:
        """A running container becomes a tombstone; any other stays what it is."""
        running = self._running.pop(container_id, None)
        if running is not None:
            self._bury(running.container, now_ns)
        self._show(now_ns)

    def replace_all(self, containers: list[Container], now_ns: int) -> None:
        """Take a whole list: what runs and is not in it has ended unseen."""
        listed = {container.id for container in containers}
        for container_id in [known for known in self._running if known not in listed]:
            self._bury(self._running.pop(container_id).container, now_ns)
        for container in containers:
            self._take(container, now_ns)
        self._show(now_ns)

    def _take(self, container: Container, now_ns: int) -> None:
        if container.is_running:
            self._ended.pop(container.id, None)
            self._running[container.id] = _Running(container, _published_of(container))
        else:
            self._running.pop(container.id, None)
            self._bury(container, now_ns)

    def _bury(self, container: Container, now_ns: int) -> None:
        ended = msgspec.structs.replace(container, is_running=False, init_pid=0)
        self._ended.pop(container.id, None)
        self._ended[container.id] = _Ended(ended, now_ns + self._grace_ns)

    def _show(self, now_ns: int) -> None:
        """Drop what is over, then let readers see what is left."""
        while self._ended and next(iter(self._ended.values())).until_ns <= now_ns:
            del self._ended[next(iter(self._ended))]
        while len(self._ended) > self._max_ended:
            del self._ended[next(iter(self._ended))]
            self.ended_dropped += 1
        running = tuple(entry.container for entry in self._running.values())
        self._view = _View(
            by_id={entry.container.id: entry.container for entry in self._ended.values()}
            | {container.id: container for container in running},
            running=running,
            published={
                (port.host_ip, port.host_port): port
                for entry in self._running.values()
                for port in entry.published
            },
        )


def _published_of(container: Container) -> tuple[PublishedPort, ...]:
    """The ports of the host that lead into this container; none if it has no address."""
    ips = [parse_ip(text) for text in container.local_ips]
    if not ips:
        return ()
    return tuple(
        PublishedPort(
            host_ip=host_ip,
            host_port=int(binding.host_port),
            # An IPv6 port of a container with IPv4 alone is relayed by docker-proxy.
            container_ip=next((ip for ip in ips if len(ip) == len(host_ip)), ips[0]),
            container_port=int(port),
            container_id=container.id,
        )
        for port, bindings in container.ports.items()
        for binding in bindings
        if _is_port(port) and _is_port(binding.host_port)
        for host_ip in _host_ips(binding.host_ip)
    )


def _host_ips(text: str) -> tuple[bytes, ...]:
    """The packed form of a binding's address; none given means all of both families."""
    if not text:
        return tuple(_WILDCARDS.values())
    try:
        return (parse_ip(text),)
    except ValueError:
        return ()


def _is_port(text: str) -> bool:
    return len(text) <= 5 and text.isdecimal() and 0 < int(text) < 65536
