"""What the kernel's tracing tells of one connection, from its first step to its end."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from connbeat.model.connections import Direction
from connbeat.model.processes import Process
from connbeat.model.sockets import Socket


class Trace(msgspec.Struct, gc=False, eq=False):
    """One connection as the transitions of its socket show it. Mutable until it has ended.

    `opened_ns` is 0 where nobody saw its first step. `process` called connect(), or closed an
    accepted connection in its own context; None where nobody is known. `errno` is the error of a
    connect that failed, 0 if none was told; `cookie` and `closed_ns` are 0 until the socket was
    destroyed. Addresses packed; the local port of a connect() is 0 until its first answer.
    `has_peer_closed`: whether the other side's FIN came, None where the transitions do not tell.
    `finished_ns`: when our own FIN went and none had come, 0 once that no longer counts.
    `may_be_abandoned`: if something is left unread at the end, no FIN came, but our side gave up.
    Times are CLOCK_MONOTONIC.
    """

    skaddr: int
    direction: Direction
    opened_ns: int
    family: int = 0
    local_ip: bytes = b""
    local_port: int = 0
    remote_ip: bytes = b""
    remote_port: int = 0
    is_established: bool = False
    process: Process | None = None
    is_listener: bool = False
    has_peer_closed: bool | None = None
    finished_ns: int = 0
    may_be_abandoned: bool = False
    errno: int = 0
    failed_ns: int = 0
    cookie: int = 0
    closed_ns: int = 0


class Close(msgspec.Struct, frozen=True, gc=False):
    """A connection or listener that the kernel destroyed, with its final counters.

    `netns` is 0 where nobody knows its namespace: it was gone before anybody could ask, say.
    `trace` is what the transitions told of it, None where they were not seen.
    """

    netns: int
    socket: Socket
    closed_ns: int
    trace: Trace | None


class Tick(msgspec.Struct, frozen=True):
    """What one look into the kernel's notifications gave.

    `established` are connections and listeners that opened since the last tick, `opened` those of
    them that are still open, `failed` connects that came to nothing; all of it happened before
    `until_ns`. `is_lossy`: notifications were lost, so that only a dump
    can tell what is open now.
    """

    closes: Sequence[Close] = ()
    opened: Sequence[Trace] = ()
    failed: Sequence[Trace] = ()
    is_lossy: bool = False
    established: Sequence[Trace] = ()
    until_ns: int = 0


class ProcessSink(Protocol):
    """Who is told of processes' starts and ends, in their order, and asked who a thread is.

    One thread calls it, as events come out of the kernel's buffer: what it is asked at an event it
    answers for that moment. Times are CLOCK_MONOTONIC.
    """

    def forked(self, parent: int, child: int, *, is_thread: bool) -> None: ...

    def executed(self, pid: int, file_name: str, time_ns: int) -> None: ...

    def read_at_exec(self, pid: int, time_ns: int, files: Mapping[str, bytes | int]) -> None:
        """What `/proc/<pid>` said at its exec, by file: its bytes, or the errno of the attempt.

        Told before the exec itself.
        """
        ...

    def exited(self, pid: int, time_ns: int) -> None: ...

    def lost(self) -> None:
        """Starts, execs and ends before this moment were lost: what was known may be wrong."""
        ...

    def process_of(self, thread: int, time_ns: int) -> Process | None:
        """The process that this thread belongs to now, at the event that is being read."""
        ...
