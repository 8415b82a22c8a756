"""Rung 0: the TCP tables of `/proc/<pid>/net`, of any namespace that has a process we may see.

Needs no privilege, has neither cookies nor counters, and costs four times a dump.
"""

import socket
from collections.abc import Sequence
from pathlib import Path

from connbeat.errors import CaptureError, NetnsGone, ProcessGone
from connbeat.linux.proc_net import ParsedTable, parse_tcp_table
from connbeat.linux.procfs import ProcFs
from connbeat.model.sockets import SocketSnapshot, SocketSource

_FAMILIES = ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6"))


def read_tables(procfs: ProcFs, netns: int, pids: Sequence[int], now_ns: int) -> SocketSnapshot:
    """Both tables of a namespace through the first of its processes that is still there.

    Raises NetnsGone when no process of it is left, NotPermitted or CaptureError otherwise.
    """
    for pid in pids:
        try:
            parsed = [
                parse_tcp_table(_read_table(procfs, pid, name), family)
                for family, name in _FAMILIES
            ]
        except ProcessGone:
            continue
        return _snapshot(netns, parsed, now_ns)
    raise NetnsGone(f"no process is left in namespace {netns}")


def read_table_files(
    netns: int, paths: tuple[Path | None, Path | None], now_ns: int
) -> SocketSnapshot:
    """The tables in these files instead (`PROC_NET_TCP`, `PROC_NET_TCP6`). Raises CaptureError."""
    parsed: list[ParsedTable] = []
    for (family, _), path in zip(_FAMILIES, paths, strict=True):
        if path is None:
            continue
        try:
            parsed.append(parse_tcp_table(path.read_bytes(), family))
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror}") from error
    return _snapshot(netns, parsed, now_ns)


def _read_table(procfs: ProcFs, pid: int, name: str) -> bytes:
    try:
        return procfs.read(pid, f"net/{name}")
    except ProcessGone:
        if name == "tcp6":  # a kernel without IPv6 has no such file
            procfs.stat(pid)
            return b""
        raise


def _snapshot(netns: int, parsed: Sequence[ParsedTable], now_ns: int) -> SocketSnapshot:
    return SocketSnapshot(
        netns=netns,
        source=SocketSource.PROC_NET_TCP,
        taken_ns=now_ns,
        sockets=tuple(socket for table in parsed for socket in table.sockets),
        malformed=sum(table.malformed for table in parsed),
    )
