"""Whose a container of Kubernetes is, from the names of the links that the kubelet makes for logs.

The kubelet keeps a link for every container of every pod of its node, whatever the runtime:

    /var/log/containers/<pod>_<namespace>_<container>-<id>.log
        -> /var/log/pods/<namespace>_<pod>_<uid>/<container>/<restarts>.log

So the names are there where no engine can be asked, without a right in the cluster, without the
runtime's own socket. Nothing is opened: names are read, and where a link leads. What it becomes are
the labels that the kubelet gives to containers of Docker, and nothing later need know the source.

One thread runs it: a stat every second, and a list of the directory when that changed. Everybody
else looks into a dict that is never changed, only replaced.
"""

import contextlib
import os
import re
import threading
from pathlib import Path

from connbeat.clock import Clock
from connbeat.discovery.registry import GRACE_NS
from connbeat.model.containers import Container, ContainerLookup, PublishedPort

#: Where every kubelet makes them.
DIRECTORY = Path("/var/log/containers")

_LOOK_SECONDS = 1.0
_LABEL = "io.kubernetes"
_LINK = re.compile(r"([a-z0-9.-]+)_([a-z0-9-]+)_([a-z0-9-]+)-([0-9a-f]{64})\.log")
_POD_FOLDER = re.compile(r"/[^/_]+_[^/_]+_([0-9A-Za-z-]+)/[^/]+/[^/]+\.log$")


def container_of(name: str, target: str) -> Container | None:
    """The container that a link stands for, None if it stands for none. Pure."""
    found = _LINK.fullmatch(name)
    if found is None:
        return None
    pod, namespace, container, container_id = found.groups()
    labels = {
        f"{_LABEL}.pod.name": pod,
        f"{_LABEL}.pod.namespace": namespace,
        f"{_LABEL}.container.name": container,
    }
    folder = _POD_FOLDER.search(target)
    if folder is not None:
        labels[f"{_LABEL}.pod.uid"] = folder[1]
    return Container(container_id, name=container, labels=labels)


class PodLinks:
    """A `ContainerLookup` that knows the kubelet's containers beside those of an engine.

    What the engine says wins: it knows more. A link that went is known for a while, as a container
    that ended is.
    """

    def __init__(self, engine: ContainerLookup, clock: Clock, directory: Path = DIRECTORY) -> None:
        self._engine = engine
        self._clock = clock
        self._directory = directory
        self._changed_ns = -1
        self._containers: dict[str, Container] = {}
        self._ended_ns: dict[str, int] = {}
        self._stopping = threading.Event()

    @property
    def count(self) -> int:
        """Containers whose pod is known."""
        return len(self._containers)

    def by_id(self, container_id: str) -> Container | None:
        return self._engine.by_id(container_id) or self._containers.get(container_id)

    def running(self) -> tuple[Container, ...]:
        """Those of the engine: a link does not say whether its container runs."""
        return self._engine.running()

    def published(self, ip: bytes, port: int) -> PublishedPort | None:
        return self._engine.published(ip, port)

    def run(self) -> None:
        """Look until `stop`. Never raises."""
        while not self._clock.wait(self._stopping, _LOOK_SECONDS):
            self.look()

    def stop(self) -> None:
        self._stopping.set()

    def look(self) -> None:
        """List the links if there are others than before. What cannot be read stays as it was."""
        try:
            changed_ns = self._directory.stat().st_mtime_ns
            if changed_ns == self._changed_ns and not self._ended_ns:
                return
            self._containers = self._kept() | self._listed()
            self._changed_ns = changed_ns
        except OSError:
            return

    def _listed(self) -> dict[str, Container]:
        listed: dict[str, Container] = {}
        with os.scandir(self._directory) as entries:
            for entry in entries:
                container = container_of(entry.name, _target(entry))
                if container is not None:
                    listed[container.id] = container
                    self._ended_ns.pop(container.id, None)
        return listed

    def _kept(self) -> dict[str, Container]:
        """What is known, less what went a while ago; whether it went now `_listed` will see."""
        now_ns = self._clock.monotonic_ns()
        for container_id in self._containers:
            self._ended_ns.setdefault(container_id, now_ns)
        kept = {
            container_id: container
            for container_id, container in self._containers.items()
            if now_ns - self._ended_ns[container_id] < GRACE_NS
        }
        self._ended_ns = {each: self._ended_ns[each] for each in kept}
        return kept


def _target(entry: os.DirEntry[str]) -> str:
    """Where a link leads, "" if it cannot be read; it need not be there."""
    with contextlib.suppress(OSError):
        return str(Path(entry.path).readlink())
    return ""


def pod_links(
    engine: ContainerLookup, clock: Clock, directory: Path = DIRECTORY
) -> PodLinks | None:
    """None where no kubelet has made the directory."""
    return PodLinks(engine, clock, directory) if directory.is_dir() else None
