"""Owners: whose each socket is, and the container it belongs to.

The order of evidence for the container: the cgroup of the process that holds the socket; without
a known process, the namespace, but only if exactly one container lives in it. Never by the
namespace for the host's own, where host-network containers live beside everything else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from connbeat.errors import CaptureError
from connbeat.model.containers import ContainerLookup
from connbeat.model.processes import Attribution, ContainerRef, Process, UnknownReason, Wanted
from connbeat.model.targets import Namespaces, Target

#: Processes of a namespace that are asked for their container: one is the rule, a pod has a few.
_PIDS_ASKED = 64


class Holder(Protocol):
    """Which process holds a socket, under which descriptor."""

    @property
    def pid(self) -> int: ...

    @property
    def fd(self) -> int: ...


class HolderFinder(Protocol):
    """Finds the holders of sockets; see `attribution.inodes.InodeIndex`."""

    def find(
        self, wanted: Sequence[Wanted], namespaces: Namespaces
    ) -> Mapping[int, Holder | UnknownReason]: ...


class ProcessReader(Protocol):
    """Reads processes; see `attribution.processes.ProcessTable`."""

    def read(self, pid: int, now_ns: int) -> Process: ...


class OwnerResolver:
    """Takes sockets of a poll, gives their owners. One thread uses it.

    `holds_socket(pid, fd, inode)` tells whether that descriptor still is that socket: asked after
    the process was read, so that a pid that changed hands in between is noticed.
    """

    def __init__(
        self,
        holders: HolderFinder,
        processes: ProcessReader,
        holds_socket: Callable[[int, int, int], bool],
        containers: ContainerLookup,
    ) -> None:
        self._holders = holders
        self._processes = processes
        self._holds_socket = holds_socket
        self._containers = containers

    def resolve(
        self, wanted: Sequence[Wanted], namespaces: Namespaces, now_ns: int
    ) -> dict[tuple[int, int], Attribution]:
        """(namespace, inode) to attribution; inode 0 is every socket there that nobody holds.

        What is missing is not decided yet: ask again at the next poll.
        """
        found = self._holders.find([w for w in wanted if w.inode], namespaces)
        alone: dict[int, ContainerRef | None] = {}
        by_process: dict[int, Attribution] = {}  # by `id`: one for all that a process holds
        answers: dict[tuple[int, int], Attribution] = {}
        for netns, inode in ((w.netns, w.inode) for w in wanted):
            holder = found.get(inode) if inode else UnknownReason.NO_INODE
            if holder is None:
                continue
            if not isinstance(holder, UnknownReason):
                process = self._process(holder, inode, now_ns)
                if process is not None:
                    answers[netns, inode] = by_process.setdefault(
                        id(process), Attribution(process, process.container)
                    )
                continue
            if netns not in alone:
                alone[netns] = self.container_of(namespaces.targets.get(netns), now_ns)
            answers[netns, inode] = Attribution(holder, alone[netns])
        return answers

    def container_of(self, target: Target | None, now_ns: int) -> ContainerRef | None:
        """The one container that lives in this namespace; None if it is none or several."""
        if target is None or target.is_host:
            return None
        by_id: dict[str, ContainerRef] = {}
        for pid in target.pids[:_PIDS_ASKED]:
            try:
                ref = self._processes.read(pid, now_ns).container
            except CaptureError:
                continue
            if ref is not None:
                by_id[ref.id] = ref
        for container in self._containers.running():
            if container.init_pid in target.pids:
                by_id.setdefault(container.id, ContainerRef(container.id, container.runtime))
        return next(iter(by_id.values())) if len(by_id) == 1 else None

    def _process(self, holder: Holder, inode: int, now_ns: int) -> Process | None:
        """The holder as a process; None if it ended or changed hands meanwhile: ask again."""
        try:
            process = self._processes.read(holder.pid, now_ns)
        except CaptureError:
            return None
        return process if self._holds_socket(holder.pid, holder.fd, inode) else None
