"""A `/proc` of processes and their descriptors, in memory, that remembers who was looked into."""

from collections.abc import Mapping
from typing import cast

from connbeat.errors import NotPermitted, ProcessGone
from connbeat.linux.procfs import ProcFs
from connbeat.model.targets import Namespaces, Target


class FakeProcFs:
    """The part of `ProcFs` that the walk uses. `held` is pid to descriptor to socket inode."""

    def __init__(self, held: Mapping[int, Mapping[int, int]]) -> None:
        self.held = {pid: dict(fds) for pid, fds in held.items()}
        #: Processes that may not be looked into.
        self.denied: set[int] = set()
        #: Descriptors that are no sockets, by pid; they count all the same.
        self.others: dict[int, int] = {}
        #: Who was looked into, in this order.
        self.visited: list[int] = []

    def fd_count(self, pid: int) -> int:
        return len(self._fds(pid)) + self.others.get(pid, 0)

    def socket_fds(self, pid: int) -> list[tuple[int, int]]:
        fds = self._fds(pid)
        self.visited.append(pid)
        if pid in self.denied:
            raise NotPermitted(f"/proc/{pid}/fd may not be read")
        return list(fds.items())

    def holds_socket(self, pid: int, fd: int, inode: int) -> bool:
        return self.held.get(pid, {}).get(fd) == inode

    def end(self, pid: int) -> None:
        del self.held[pid]

    def forget_visits(self) -> list[int]:
        """Who was looked into since the last time."""
        visited, self.visited = self.visited, []
        return visited

    def as_procfs(self) -> ProcFs:
        return cast(ProcFs, self)

    def _fds(self, pid: int) -> dict[int, int]:
        try:
            return self.held[pid]
        except KeyError:
            raise ProcessGone(f"{pid} has ended") from None


def namespaces(*pids_of: tuple[int, ...]) -> Namespaces:
    """Namespaces 1, 2, ... of these processes; the first is the host's."""
    return Namespaces(
        {
            netns: Target(netns, pids, "", is_host=netns == 1)
            for netns, pids in enumerate(pids_of, start=1)
        },
        (),
    )
