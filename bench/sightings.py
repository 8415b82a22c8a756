"""Sightings: what each observer printed, as values. Pure."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from bench.truth import Sighting


class _Process(msgspec.Struct, gc=False):
    pid: int = 0
    cmdline: str = ""


class _Container(msgspec.Struct, gc=False):
    id: str
    name: str = ""


class _Connection(msgspec.Struct, gc=False):
    id: str
    netns: int


class Document(msgspec.Struct, gc=False):
    """The fields of an event that the bench asks for; connbeat's own code is not asked."""

    local_port: int
    local_process: _Process
    remote_port: int = 0
    connection: _Connection | None = None
    container: _Container | None = None


_decode = msgspec.json.Decoder(Document).decode

# ESTAB 0 0 127.0.0.1:33218 127.0.0.1:9000 users:(("load",pid=3256,fd=5))
_SS_ROW = re.compile(r"^\S+ +\d+ +\d+ +\S+:(\d+) +\S+:(\d+)(?: +users:\(\(.*?pid=(\d+))?")


def documents(lines: Iterable[str]) -> Iterator[Document]:
    return map(_decode, lines)


def of_agent(lines: Iterable[str], netns: int) -> Iterator[Sighting]:
    """The connections of that namespace, from the agent's events."""
    for document in documents(lines):
        connection = document.connection
        if connection is not None and connection.netns == netns:
            yield Sighting(
                connection.id,
                document.local_port,
                document.remote_port,
                document.local_process.pid,
                document.local_process.cmdline,
                document.container.name if document.container is not None else "",
            )


def of_ss(lines: Iterable[str]) -> Iterator[Sighting]:
    """The rows of `ss -tanpHO`, of one namespace."""
    for line in lines:
        row = _SS_ROW.match(line)
        if row is not None:
            local_port, remote_port, pid = row.groups(default="0")
            yield Sighting("", int(local_port), int(remote_port), int(pid))


def of_tcplife(lines: Iterable[str]) -> Iterator[Sighting]:
    """The rows of `tcplife`: PID COMM LADDR LPORT RADDR RPORT ..., one an end and close."""
    for number, line in enumerate(lines):
        fields = line.split()
        if len(fields) == 9 and fields[0].isdecimal():
            yield Sighting(str(number), int(fields[3]), int(fields[5]), int(fields[0]))
