"""Traces: the kernel's records, folded to one `Trace` a connection. Pure.

Records come sorted by time. `skaddr` names a socket from its first step to its end:

    connect()    CLOSE -> SYN_SENT        in the caller's context: who it is; no local port yet
                 SYN_SENT -> ESTABLISHED  the local port; or -> CLOSE: the connect failed, and
                 inet_sk_error_report     beside it says why (before Linux 6.10 first, since then
                                          after it)
    listen()     CLOSE -> LISTEN          in the caller's context
    accept       SYN_RECV -> ESTABLISHED  in a softirq: the current process is anybody
    close        -> FIN_WAIT1, LAST_ACK   in process context: the worker that served it
    abort        ESTABLISHED -> CLOSE     (whether the other side's FIN came: see `fins`)
    end          tcp_destroy_sock         joins `skaddr` to the cookie, the name everywhere else

What happens in a softirq has nothing to do with the current process. On loopback much of it happens
in process context all the same, when the process lets its socket go: a refusal, too.

Starts and ends of processes run in the same stream, so that a pid is asked for at its moment.
"""

import struct
from collections.abc import Callable, Sequence

from connbeat.capture import fins
from connbeat.capture.failures import Ends, Failures
from connbeat.capture.formats import IN_INTERRUPT, TraceFormats
from connbeat.linux.ring_buffer import LOST, RawEvent
from connbeat.linux.tracefs import compile_fields
from connbeat.model.addresses import unmap
from connbeat.model.connections import Direction
from connbeat.model.sockets import TcpState
from connbeat.model.traces import ProcessSink, Trace

_CLONE_THREAD = 0x10000
_AF_INET = 2
#: Sockets followed at once, 350 bytes each; beyond it the rest is known by dumps and closes only.
_MAX_TRACES = 300_000
#: Errors remembered, 300 bytes each: of a half-closed connection that failed and was kept since.
_MAX_ERRORS = 5000

# Plain names: an enum's member costs a tenth of a record.
_SYN_SENT, _ESTABLISHED = int(TcpState.SYN_SENT), int(TcpState.ESTABLISHED)
_CLOSE, _LISTEN = int(TcpState.CLOSE), int(TcpState.LISTEN)
_INBOUND, _OUTBOUND, _UNKNOWN = Direction.INBOUND, Direction.OUTBOUND, Direction.UNKNOWN


class TraceFolder:
    """Mutable, one owner. `fold` records, then take the results away."""

    def __init__(self, formats: TraceFormats, sink: ProcessSink) -> None:
        self._sink = sink
        self._by_skaddr: dict[int, Trace] = {}
        self._failures = Failures(tells_why=formats.error is not None)
        #: When a socket of these ends last had an error, in the order of the times.
        self._errors: dict[Ends, int] = {}
        #: Destroyed, and waiting for the close message with that cookie.
        self.by_cookie: dict[int, Trace] = {}
        #: Established since `take`, closed since or not; and what `take` had of them.
        self._opened: list[Trace] = []
        self.established: list[Trace] = []
        #: Records that could not be read, and sockets not followed for want of room.
        self.malformed = 0
        self.refused = 0
        self._state = compile_fields(
            formats.state, ("common_flags", "common_pid", "skaddr", "oldstate", "newstate")
        ).unpack_from
        self._ends = compile_fields(
            formats.state, ("sport", "dport", "family", "saddr", "daddr")
        ).unpack_from
        self._ends6 = compile_fields(formats.state, ("saddr_v6", "daddr_v6")).unpack_from
        self._destroy = compile_fields(
            formats.destroy, ("common_flags", "common_pid", "skaddr", "sock_cookie")
        ).unpack_from
        self._fork = compile_fields(formats.fork, ("common_pid", "pid", "clone_flags")).unpack_from
        self._exec = compile_fields(formats.exec, ("filename", "pid")).unpack_from
        self._exit = compile_fields(formats.exit, ("pid",)).unpack_from
        self._handlers: dict[int, Callable[[int, bytes, int], None]] = {
            LOST: self._on_loss,
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
        if formats.icmp is not None:
            self._icmp = compile_fields(formats.icmp, ("code", "saddr", "daddr")).unpack_from
            self._handlers[formats.icmp.id] = self._on_icmp

    def fold(self, events: Sequence[RawEvent]) -> None:
        """Take records in, sorted by time. A record that cannot be read is counted."""
        handlers = self._handlers
        for time_ns, kind, page, offset in events:
            handler = handlers.get(kind)
            if handler is not None:
                try:
                    handler(time_ns, page, offset)
                except struct.error:
                    self.malformed += 1

    def take(self, until_ns: int) -> tuple[list[Trace], list[Trace]]:
        """(opened and still open, failed) since the last call, which folded up to `until_ns`."""
        opened = [trace for trace in self._opened if not trace.cookie]
        self.established, self._opened = self._opened, []
        return opened, self._failures.take(until_ns)

    def __len__(self) -> int:
        return len(self._by_skaddr)

    # Five of these a connection: each unpacks what it needs and no more.
    def _on_state(self, time_ns: int, page: bytes, offset: int) -> None:
        flags, thread, skaddr, old, new = self._state(page, offset)
        if new == _ESTABLISHED:
            self._establish(skaddr, old, time_ns, (page, offset))
        elif new == _SYN_SENT:
            trace = self._begin(skaddr, _OUTBOUND, time_ns)
            self._locate(trace, page, offset)
            if not flags & IN_INTERRUPT:
                trace.process = self._sink.process_of(thread, time_ns)
        elif new == _LISTEN:
            trace = self._begin(skaddr, _UNKNOWN, time_ns)
            self._locate(trace, page, offset)
            trace.is_listener = True
            trace.process = self._sink.process_of(thread, time_ns)
            self._opened.append(trace)
        elif old == _SYN_SENT:
            self._fail(skaddr, new, time_ns, (page, offset), in_process=not flags & IN_INTERRUPT)
        elif skaddr in self._by_skaddr:
            trace = self._by_skaddr[skaddr]
            fins.step(trace, old, new, time_ns)
            if trace.direction is _INBOUND and not flags & IN_INTERRUPT:
                trace.process = self._sink.process_of(thread, time_ns)

    def _begin(self, skaddr: int, direction: Direction, time_ns: int) -> Trace:
        trace = Trace(skaddr, direction, time_ns)
        if len(self._by_skaddr) < _MAX_TRACES or skaddr in self._by_skaddr:
            self._by_skaddr[skaddr] = trace
        else:
            self.refused += 1
        return trace

    def _locate(self, trace: Trace, page: bytes, offset: int) -> None:
        """Both ends, as far as the record has them: a connect() has no local port yet."""
        trace.local_port, trace.remote_port, trace.family, local, remote = self._ends(page, offset)
        if trace.family == _AF_INET:
            trace.local_ip = local
            trace.remote_ip = remote
        else:
            local, remote = self._ends6(page, offset)
            trace.local_ip = unmap(local)
            trace.remote_ip = unmap(remote)

    def _establish(self, skaddr: int, old: int, time_ns: int, record: tuple[bytes, int]) -> None:
        """A connect() that is going on (or began before us), in a simultaneous open too; anything
        else at this address is a new socket, and accepted.
        """  # noqa: D205  one thought
        trace = self._by_skaddr.get(skaddr)
        if trace is None or trace.is_established or trace.failed_ns or trace.is_listener:
            trace = self._begin(skaddr, _OUTBOUND if old == _SYN_SENT else _INBOUND, time_ns)
        self._locate(trace, *record)
        trace.is_established = True
        self._opened.append(trace)

    def _fail(
        self,
        skaddr: int,
        new: int,
        time_ns: int,
        record: tuple[bytes, int],
        *,
        in_process: bool,
    ) -> None:
        if new != _CLOSE:  # but a simultaneous open
            return
        trace = self._by_skaddr.get(skaddr)
        if trace is None:  # it began before us, nobody knows when
            trace = self._begin(skaddr, _OUTBOUND, 0)
        elif trace.failed_ns:
            return
        self._locate(trace, *record)
        self._failures.add(trace, time_ns, in_process=in_process)

    def _on_error(self, time_ns: int, page: bytes, offset: int) -> None:
        error, sport, dport, family, remote, remote6 = self._error(page, offset)
        ip = remote if family == _AF_INET else unmap(remote6)
        ends = ip, sport, dport
        self._failures.explain(ends, error, time_ns)
        self._errors.pop(ends, None)
        self._errors[ends] = time_ns
        if len(self._errors) > _MAX_ERRORS:
            del self._errors[next(iter(self._errors))]

    def _on_icmp(self, time_ns: int, page: bytes, offset: int) -> None:
        code, caller, called = self._icmp(page, offset)
        self._failures.reject((caller, called), code, time_ns)

    def _on_destroy(self, time_ns: int, page: bytes, offset: int) -> None:
        flags, thread, skaddr, cookie = self._destroy(page, offset)
        trace = self._by_skaddr.pop(skaddr, None)
        if trace is None:  # it was there before us, or never was a connection: its time is known
            trace = Trace(skaddr, _UNKNOWN, 0)
        elif trace.direction is _INBOUND and trace.process is None and not flags & IN_INTERRUPT:
            # Reset by the other side: it stayed with the worker until that closed it.
            trace.process = self._sink.process_of(thread, time_ns)
        if trace.finished_ns and not flags & IN_INTERRUPT:
            ends = trace.remote_ip, trace.local_port, trace.remote_port
            fins.end(trace, time_ns, self._errors.get(ends, 0))
        trace.cookie = cookie
        trace.closed_ns = time_ns
        self.by_cookie[cookie] = trace

    def _on_fork(self, _: int, page: bytes, offset: int) -> None:
        parent, child, flags = self._fork(page, offset)
        self._sink.forked(parent, child, is_thread=bool(flags & _CLONE_THREAD))

    def _on_exec(self, time_ns: int, page: bytes, offset: int) -> None:
        location, pid = self._exec(page, offset)
        start = offset + (location & 0xFFFF)
        name = page[start : start + (location >> 16)].split(b"\0", 1)[0]
        self._sink.executed(pid, name.decode("utf-8", "replace"), time_ns)

    def _on_exit(self, time_ns: int, page: bytes, offset: int) -> None:
        self._sink.exited(self._exit(page, offset)[0], time_ns)

    def _on_loss(self, time_ns: int, page: bytes, offset: int) -> None:
        """Records before this moment were lost. A socket's address is used again, so what is half
        known could be joined to another connection: better unknown. So is a pid.
        """  # noqa: D205  one thought
        del time_ns, page, offset
        self._sink.lost()
        self._by_skaddr.clear()
        self._failures.lose()
