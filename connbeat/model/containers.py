"""Containers, as the engine or a cgroup path describes them."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class PortBinding(msgspec.Struct, frozen=True, gc=False):
    """One address of the host behind which a container's port is published."""

    host_ip: str
    host_port: str


class DockerHost(msgspec.Struct, frozen=True, gc=False):
    """`container.docker_host` of every document: the machine that runs the engine."""

    hostname: str
    ips: tuple[str, ...]


class Container(msgspec.Struct, frozen=True, gc=False):
    """One container.

    `name` and `image` are "" while only its id is known (no engine to ask, or not yet asked).
    `environ` has all its variables (`K=V`), which ones are published the configuration says.
    `local_ips` are the addresses the engine gave it. `ports` maps a port of the container, as
    text, to where it is published. `shares_network_of` is the id of the container whose network
    namespace this one joined (`--network container:x`), "" otherwise. `init_pid` is the host's
    pid of its first process, 0 when it does not run.
    """

    id: str
    name: str = ""
    image: str = ""
    runtime: str = ""
    environ: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    local_ips: tuple[str, ...] = ()
    ports: Mapping[str, tuple[PortBinding, ...]] = {}
    is_host_network: bool = False
    shares_network_of: str = ""
    init_pid: int = 0
    is_running: bool = True


class PublishedPort(msgspec.Struct, frozen=True, gc=False):
    """A port of the host that leads into a container. Addresses packed; a wildcard is any."""

    host_ip: bytes
    host_port: int
    container_ip: bytes
    container_port: int
    container_id: str


class ContainerLookup(Protocol):
    """What other rooms may ask the registry of containers. Thread-safe; never blocks on I/O."""

    def by_id(self, container_id: str) -> Container | None:
        """The container with this full id, also for a while after it ended; None if unknown."""
        ...

    def running(self) -> tuple[Container, ...]:
        """The containers that run now."""
        ...

    def published(self, ip: bytes, port: int) -> PublishedPort | None:
        """What is published behind this address of the host; None if nothing."""
        ...
