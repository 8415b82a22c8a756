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
        paths = self._named()
        host = self._host(pids_of)
        found = pids_of.keys() | paths.keys()
        targets = {
            netns: Target(netns, tuple(pids_of.get(netns, ())), paths.get(netns, ""), netns == host)
            for netns in sorted(found, key=lambda netns: (netns != host, netns))
        }
        return Namespaces(targets, tuple(unreadable))

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
                entries = sorted(folder.iterdir())
            except OSError:
                continue  # no such tool on this machine, or not for us to see
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:
                    continue  # removed meanwhile
                if status.st_dev == _nsfs_device():
                    paths.setdefault(status.st_ino, str(entry))
        return paths


def _nsfs_device() -> int:
    """The device of the namespace file system: a name that is not mounted yet is a plain file."""
    return Path("/proc/self/ns/net").stat().st_dev
