"""Namespaces: every network namespace of the machine, and how to reach it.

Found through `/proc/*/ns/net` (host, containers, anything with a process) and through the bind
mounts of `ip netns` and Docker, for namespaces that have no process. Costs 6 us a process.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from connbeat.errors import CaptureError, NotPermitted
from connbeat.linux.netns import NAMED_NETNS_FOLDERS
from connbeat.linux.procfs import ProcFs
from connbeat.model.targets import Namespaces, Target

log = logging.getLogger(__name__)


class NamespaceReader:
    """Reads which namespaces exist now. One thread calls it; it keeps nothing open."""

    def __init__(self, procfs: ProcFs, folders: Sequence[Path] = NAMED_NETNS_FOLDERS) -> None:
        self._procfs = procfs
        self._folders = folders

    def read(self) -> Namespaces:
        pids_of: dict[int, list[int]] = {}
        unreadable: list[int] = []
        for pid in self._procfs.pids():
            try:
                pids_of.setdefault(self._procfs.netns(pid), []).append(pid)
            except NotPermitted:
                unreadable.append(pid)
            except CaptureError:
                continue  # ended meanwhile
        host = self._host(pids_of)
        if unreadable:
            self._place(unreadable, pids_of)
        paths = self._named()
        found = pids_of.keys() | paths.keys()
        targets = {
            netns: Target(
                netns, tuple(sorted(pids_of.get(netns, ()))), paths.get(netns, ""), netns == host
            )
            for netns in sorted(found, key=lambda netns: (netns != host, netns))
        }
        return Namespaces(targets, tuple(unreadable))

    def _place(self, unreadable: Sequence[int], pids_of: dict[int, list[int]]) -> None:
        """Put processes whose `ns/net` is refused where they belong.

        The inode of `net/snmp` differs from namespace to namespace and anybody may ask for it.
        Where it is all there is, it is the namespace's number: both come from one pool.
        """
        by_table: dict[int, int] = {}
        for netns, pids in pids_of.items():
            table = self._table(pids)
            if table:
                by_table[table] = netns
        for pid in unreadable:
            table = self._table((pid,))
            if table:
                pids_of.setdefault(by_table.get(table, table), []).append(pid)

    def _table(self, pids: Sequence[int]) -> int:
        """The inode of `net/snmp` of the first of these processes that is left; 0 if none is."""
        for pid in pids:
            try:
                return self._procfs.net_table(pid)
            except CaptureError:
                continue
        return 0

    def _host(self, pids_of: dict[int, list[int]]) -> int:
        """The namespace of pid 1, or our own where that may not be read."""
        for netns, pids in pids_of.items():
            if pids[0] == 1:
                return netns
        return self._procfs.netns(os.getpid())

    def _named(self) -> dict[int, str]:
        paths: dict[int, str] = {}
        for folder in self._folders:
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                continue  # no such tool on this machine, or not for us to see
            for name in names:
                path = f"{folder}/{name}"
                try:
                    status = os.stat(path)
                except OSError:
                    continue  # removed meanwhile
                if status.st_dev == _nsfs_device():
                    paths.setdefault(status.st_ino, path)
        return paths


def _nsfs_device() -> int:
    """The device of the namespace file system: a name that is not mounted yet is a plain file."""
    return Path("/proc/self/ns/net").stat().st_dev
