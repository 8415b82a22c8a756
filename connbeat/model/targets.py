"""Network namespaces to look into."""

from collections.abc import Mapping

import msgspec


class Target(msgspec.Struct, frozen=True, gc=False):
    """A network namespace and how to reach it.

    `netns` is the inode number of the namespace. `pids` are the processes that live in it,
    ascending; `path` is a bind mount (`ip netns`, `/run/netns/x`) or "" if there is none. A target
    has a pid or a path, else it could not have been found.
    """

    netns: int
    pids: tuple[int, ...]
    path: str
    is_host: bool


class Namespaces(msgspec.Struct, frozen=True, gc=False):
    """The namespaces that exist at one moment, by their number, the host's first.

    `unreadable_pids` are the processes that may not be looked into; they stand in their target too,
    which then is named by the inode of `net/snmp` if all of its processes are of this kind.
    """

    targets: Mapping[int, Target]
    unreadable_pids: tuple[int, ...]
