"""Traces: the kernel's records, folded to one `Trace` a connection. Pure.

Records come sorted by time. `skaddr` names a socket from its first step to its end:

    connect()    CLOSE -> SYN_SENT        in the caller's context: who it is; no local port yet
                 SYN_SENT -> ESTABLISHED  the local port; or -> CLOSE: the connect failed, and
                 inet_sk_error_report     right after it says why
    listen()     CLOSE -> LISTEN          in the caller's context
    accept       SYN_RECV -> ESTABLISHED  in a softirq: the current process is anybody
    close        -> FIN_WAIT1, LAST_ACK   in process context: the worker that served it
    end          tcp_destroy_sock         joins `skaddr` to the cookie, the name everywhere else

Starts and ends of processes run in the same stream, so that a pid is asked for at its moment.
"""

import struct
from collections.abc import Callable, Sequence

import msgspec

from connbeat.errors import CaptureError
from connbeat.linux.ring_buffer import RawEvent
from connbeat.linux.tracefs import EventFormat, Tracefs, compile_fields
from connbeat.model.addresses import unmap
from connbeat.model.connections import Direction
from connbeat.model.sockets import TcpState
from connbeat.model.traces import ProcessSink, Trace

STATE = "sock/inet_sock_set_state"
ERROR = "sock/inet_sk_error_report"
DESTROY = "tcp/tcp_destroy_sock"
FORK = "sched/sched_process_fork"
EXEC = "sched/sched_process_exec"
EXIT = "sched/sched_process_exit"

#: What we ask the kernel to record of a state change: the steps above, of TCP, and listeners.
STATE_FILTER = "protocol==6 && ({})".format(
    " || ".join(
        (
            f"newstate=={TcpState.SYN_SENT:d}",
            f"oldstate=={TcpState.SYN_SENT:d}",
            f"newstate=={TcpState.ESTABLISHED:d}",
            f"newstate=={TcpState.FIN_WAIT1:d}",
            f"newstate=={TcpState.LAST_ACK:d}",
            f"newstate=={TcpState.LISTEN:d}",
        )
    )
)
ERROR_FILTER = "protocol==6"

#: errno of a connect that its own process gave up; the kernel reports none.
CANCELLED = 125

#: TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ: the current process has nothing to do with it.
_IN_INTERRUPT = 0x18
_AF_INET = 2
#: Sockets followed at once, 350 bytes each; beyond it the rest is known by dumps and closes only.
_MAX_TRACES = 300_000
_ERROR_LATE_NS = 10_000_000

_SYN_SENT, _ESTABLISHED = int(TcpState.SYN_SENT), int(TcpState.ESTABLISHED)
_LAST_ACK, _LISTEN = int(TcpState.LAST_ACK), int(TcpState.LISTEN)

_kind = struct.Struct("<H")


class TraceFormats(msgspec.Struct, frozen=True):
    """Where this kernel has the fields that we read. `error` is None where it has no such event."""

    state: EventFormat
    destroy: EventFormat
    fork: EventFormat
    exec: EventFormat
    exit: EventFormat
    error: EventFormat | None = None


def read_formats(tracefs: Tracefs) -> TraceFormats:
    """Raises CaptureError if the kernel lacks an event that is needed (before 4.16)."""
    try:
        error = tracefs.format(ERROR)
    except CaptureError:
        error = None  # before 5.15
    return TraceFormats(
        state=tracefs.format(STATE),
        destroy=tracefs.format(DESTROY),
        fork=tracefs.format(FORK),
        exec=tracefs.format(EXEC),
        exit=tracefs.format(EXIT),
        error=error,
    )


class TraceFolder:
    """Mutable, one owner. `fold` records, then take the results away."""

    def __init__(self, formats: TraceFormats, sink: ProcessSink) -> None:
        self._sink = sink
        self._by_skaddr: dict[int, Trace] = {}
        self._failing: dict[tuple[bytes, int, int], Trace] = {}
        #: Destroyed, and waiting for the close message with that cookie.
        self.by_cookie: dict[int, Trace] = {}
        #: Established since `take`, closed since or not.
        self._opened: list[Trace] = []
        self._failed: list[Trace] = []
        #: Records that could not be read, and sockets not followed for want of room.
        self.malformed = 0
        self.refused = 0
        self._state = compile_fields(
            formats.state, ("common_flags", "common_pid", "skaddr", "oldstate", "newstate")
        ).unpack_from
        self._ends = compile_fields(
            formats.state,
            ("sport", "dport", "family", "saddr", "daddr", "saddr_v6", "daddr_v6"),
        ).unpack_from
        self._destroy = compile_fields(formats.destroy, ("skaddr", "sock_cookie")).unpack_from
        self._fork = compile_fields(formats.fork, ("parent_pid", "child_pid")).unpack_from
        self._exec = compile_fields(formats.exec, ("filename", "pid")).unpack_from
        self._exit = compile_fields(formats.exit, ("comm", "pid")).unpack_from
        self._handlers: dict[int, Callable[[int, bytes, int], None]] = {
            formats.state.id: self._on_state,
            formats.destroy.id: self._on_destroy,
            formats.fork.id: self._on_fork,
            formats.exec.id: self._on_exec,
            formats.exit.id: self._on_exit,
        }
        if formats.error is not None:
            self._error = compile_fields(
                formats.error, ("error", "sport", "dport", "family", "daddr", "daddr_v6")
            ).unpack_from
            self._handlers[formats.error.id] = self._on_error

    def fold(self, events: Sequence[RawEvent]) -> None:
        """Take records in, sorted by time. A record that cannot be read is counted."""
        handlers = self._handlers
        kind = _kind.unpack_from
        for time_ns, page, offset in events:
            try:
                handler = handlers.get(kind(page, offset)[0])
                if handler is not None:
                    handler(time_ns, page, offset)
            except struct.error:
                self.malformed += 1

    def take(self, until_ns: int) -> tuple[list[Trace], list[Trace]]:
        """(opened and still open, failed) since the last call, which folded up to `until_ns`."""
        opened = [trace for trace in self._opened if not trace.cookie]
        self._opened = []
        # The record that says why may just not have been folded yet.
        recent_ns = until_ns - _ERROR_LATE_NS
        late = [t for t in self._failed if not t.errno and t.failed_ns > recent_ns]
        failed = [t for t in self._failed if t.errno or t.failed_ns <= recent_ns]
        self._failed = late
        if not late:
            self._failing.clear()
        return opened, failed

    def forget(self) -> None:
        """Records were lost: what is half known could be joined wrongly."""
        self._by_skaddr.clear()
        self._failing.clear()

    def __len__(self) -> int:
        return len(self._by_skaddr)

    # Five of these a connection: each unpacks what it needs and no more.
    def _on_state(self, time_ns: int, page: bytes, offset: int) -> None:
        flags, thread, skaddr, old, new = self._state(page, offset)
        if new == _SYN_SENT:
            trace = self._begin(skaddr, Direction.OUTBOUND, time_ns)
            if trace is not None:
                self._locate(trace, page, offset)
                trace.process = self._sink.process_of(thread, time_ns)
        elif new == _ESTABLISHED:
            self._establish(skaddr, time_ns, page, offset)
        elif new == _LISTEN:
            self._listen(skaddr, thread, time_ns, page, offset)
        else:
            trace = self._by_skaddr.get(skaddr)
            if trace is None:
                return
            in_process = not flags & _IN_INTERRUPT
            if old == _SYN_SENT:
                self._locate(trace, page, offset)
                self._fail(trace, time_ns, in_process=in_process)
                return
            trace.has_peer_closed = new == _LAST_ACK
            if in_process and trace.direction is Direction.INBOUND:
                trace.process = self._sink.process_of(thread, time_ns)

    def _begin(self, skaddr: int, direction: Direction, time_ns: int) -> Trace | None:
        if len(self._by_skaddr) >= _MAX_TRACES:
            self.refused += 1
            return None
        trace = self._by_skaddr[skaddr] = Trace(skaddr, direction, time_ns)
        return trace

    def _locate(self, trace: Trace, page: bytes, offset: int) -> None:
        """Both ends, as far as the record has them: a connect() has no local port yet."""
        sport, dport, family, saddr, daddr, saddr6, daddr6 = self._ends(page, offset)
        trace.family = family
        trace.local_port = sport
        trace.remote_port = dport
        if family == _AF_INET:
            trace.local_ip = saddr
            trace.remote_ip = daddr
        else:
            trace.local_ip = unmap(saddr6)
            trace.remote_ip = unmap(daddr6)

    def _establish(self, skaddr: int, time_ns: int, page: bytes, offset: int) -> None:
        trace = self._by_skaddr.get(skaddr) or self._begin(skaddr, Direction.INBOUND, time_ns)
        if trace is not None:
            self._locate(trace, page, offset)
            trace.is_established = True
            self._opened.append(trace)

    def _listen(  # noqa: PLR0917  a record in parts
        self, skaddr: int, thread: int, time_ns: int, page: bytes, offset: int
    ) -> None:
        trace = self._begin(skaddr, Direction.UNKNOWN, time_ns)
        if trace is not None:
            self._locate(trace, page, offset)
            trace.is_listener = True
            trace.process = self._sink.process_of(thread, time_ns)
            self._opened.append(trace)

    def _fail(self, trace: Trace, time_ns: int, *, in_process: bool) -> None:
        if trace.failed_ns:
            return
        trace.failed_ns = time_ns
        self._failed.append(trace)
        if in_process:
            trace.errno = CANCELLED
        else:  # the error follows at once
            self._failing[trace.remote_ip, trace.local_port, trace.remote_port] = trace

    def _on_error(self, _: int, page: bytes, offset: int) -> None:
        if not self._failing:
            return
        error, sport, dport, family, daddr, daddr6 = self._error(page, offset)
        ip = daddr if family == _AF_INET else unmap(daddr6)
        trace = self._failing.pop((ip, sport, dport), None)
        if trace is not None:
            trace.errno = error

    def _on_destroy(self, time_ns: int, page: bytes, offset: int) -> None:
        skaddr, cookie = self._destroy(page, offset)
        trace = self._by_skaddr.pop(skaddr, None)
        if trace is None:  # it was there before us, or never was a connection: its time is known
            trace = Trace(skaddr, Direction.UNKNOWN, 0)
        trace.cookie = cookie
        trace.closed_ns = time_ns
        self.by_cookie[cookie] = trace

    def _on_fork(self, time_ns: int, page: bytes, offset: int) -> None:
        parent, child = self._fork(page, offset)
        self._sink.forked(parent, child, time_ns)

    def _on_exec(self, time_ns: int, page: bytes, offset: int) -> None:
        location, pid = self._exec(page, offset)
        start = offset + (location & 0xFFFF)
        name = page[start : start + (location >> 16)].split(b"\0", 1)[0]
        self._sink.executed(pid, name.decode("utf-8", "replace"), time_ns)

    def _on_exit(self, time_ns: int, page: bytes, offset: int) -> None:
        comm, pid = self._exit(page, offset)
        name = comm.split(b"\0", 1)[0].decode("utf-8", "replace")
        self._sink.exited(pid, name, time_ns)
