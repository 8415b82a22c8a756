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
from collections.abc import Callable, Iterator, Sequence

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
_LAST_ACK, _CLOSE, _LISTEN = int(TcpState.LAST_ACK), int(TcpState.CLOSE), int(TcpState.LISTEN)
_AFTER_FIN = frozenset({int(TcpState.FIN_WAIT1), int(TcpState.FIN_WAIT2)})
_ENDING = frozenset({int(TcpState.FIN_WAIT1), _LAST_ACK, _CLOSE})
_INBOUND, _OUTBOUND, _UNKNOWN = Direction.INBOUND, Direction.OUTBOUND, Direction.UNKNOWN

_STATE_FIELDS = (
    "common_flags", "common_pid", "skaddr", "oldstate", "newstate",
    "sport", "dport", "family", "saddr", "daddr",
)  # fmt: skip


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
        self._kinds = formats.state.id, formats.destroy.id
        self._state = compile_fields(formats.state, _STATE_FIELDS).unpack_from
        self._state6 = compile_fields(formats.state, ("saddr_v6", "daddr_v6")).unpack_from
        self._destroy = compile_fields(
            formats.destroy, ("common_flags", "common_pid", "skaddr", "sock_cookie")
        ).unpack_from
        self._fork = compile_fields(formats.fork, ("common_pid", "pid", "clone_flags")).unpack_from
        self._exec = compile_fields(formats.exec, ("filename", "pid")).unpack_from
        self._exit = compile_fields(formats.exit, ("pid",)).unpack_from
        #: Of every kind but those two.
        self._handlers: dict[int, Callable[[int, bytes, int], None]] = {
            LOST: self._on_loss,
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
        records = iter(events)
        while True:
            try:
                self._fold(records)
            except struct.error:  # the iterator stands behind it
                self.malformed += 1
            else:
                return

    def take(self, until_ns: int) -> tuple[list[Trace], list[Trace]]:
        """(opened and still open, failed) since the last call, which folded up to `until_ns`."""
        opened = [trace for trace in self._opened if not trace.cookie]
        self.established, self._opened = self._opened, []
        return opened, self._failures.take(until_ns)

    def __len__(self) -> int:
        return len(self._by_skaddr)

    # Seven records a connection: five steps of its sockets, and both their ends. One flat loop: to
    # parse, sort and fold those of an end took 2.5 us with a method for each kind, and takes 2.1.
    def _fold(self, records: Iterator[RawEvent]) -> None:  # noqa: C901, PLR0912, PLR0915  as above
        by_skaddr, by_cookie, opened = self._by_skaddr, self.by_cookie, self._opened
        state_kind, destroy_kind = self._kinds
        unpack_state, unpack_destroy = self._state, self._destroy
        process_of = self._sink.process_of
        for time_ns, kind, page, offset in records:
            if kind == state_kind:
                (
                    flags, thread, skaddr, old, new,
                    local_port, remote_port, family, local_ip, remote_ip,
                ) = unpack_state(page, offset)  # fmt: skip
                if family != _AF_INET and new not in _ENDING:  # an end does not need them
                    local_ip, remote_ip = self._ips6(page, offset)
                trace = by_skaddr.get(skaddr)

                if new == _ESTABLISHED:
                    # A connect() that goes on, in a simultaneous open too; anything else at this
                    # address is a new socket: accepted, or its connect() began before us.
                    if (
                        trace is None
                        or trace.is_established
                        or trace.failed_ns
                        or trace.is_listener
                    ):
                        trace = self._begin(Trace(
                            skaddr, _OUTBOUND if old == _SYN_SENT else _INBOUND, time_ns,
                            family, local_ip, local_port, remote_ip, remote_port,
                        ))  # fmt: skip
                    else:
                        trace.family = family
                        trace.local_ip = local_ip
                        trace.local_port = local_port
                        trace.remote_ip = remote_ip
                        trace.remote_port = remote_port
                    trace.is_established = True
                    opened.append(trace)

                elif new == _SYN_SENT:
                    trace = self._begin(Trace(
                        skaddr, _OUTBOUND, time_ns,
                        family, local_ip, local_port, remote_ip, remote_port,
                    ))  # fmt: skip
                    if not flags & IN_INTERRUPT:
                        trace.process = process_of(thread, time_ns)

                elif new == _LISTEN:
                    self._on_listen(time_ns, page, offset)

                elif old == _SYN_SENT:
                    if new == _CLOSE:  # else a simultaneous open
                        self._on_failure(time_ns, page, offset)

                elif trace is not None:
                    if new == _LAST_ACK:  # as `fins.step` has it
                        trace.has_peer_closed = True
                    else:
                        fins.step(trace, old, new, time_ns)
                    # What comes after our own FIN may come in anybody's context, NAPI's say.
                    if (
                        trace.direction is _INBOUND
                        and old not in _AFTER_FIN
                        and not flags & IN_INTERRUPT
                    ):
                        trace.process = process_of(thread, time_ns)

            elif kind == destroy_kind:
                flags, thread, skaddr, cookie = unpack_destroy(page, offset)
                trace = by_skaddr.pop(skaddr, None)
                if trace is None:  # it was there before us, or never was a connection
                    trace = Trace(skaddr, _UNKNOWN, 0)
                elif (
                    trace.process is None
                    and trace.direction is _INBOUND
                    and not flags & IN_INTERRUPT
                ):
                    # Reset by the other side: it stayed with the worker until that closed it.
                    trace.process = process_of(thread, time_ns)
                if trace.finished_ns and not flags & IN_INTERRUPT:
                    self._on_kept(trace, time_ns)
                trace.cookie = cookie
                trace.closed_ns = time_ns
                by_cookie[cookie] = trace

            else:
                handler = self._handlers.get(kind)
                if handler is not None:
                    handler(time_ns, page, offset)

    def _on_listen(self, time_ns: int, page: bytes, offset: int) -> None:
        _, thread, skaddr, *_ = self._state(page, offset)
        trace = self._begin(Trace(skaddr, _UNKNOWN, time_ns))
        self._locate(trace, page, offset)
        trace.is_listener = True
        trace.process = self._sink.process_of(thread, time_ns)
        self._opened.append(trace)

    def _on_kept(self, trace: Trace, time_ns: int) -> None:
        """A socket is destroyed in process context after its own FIN."""
        ends = trace.remote_ip, trace.local_port, trace.remote_port
        fins.end(trace, time_ns, self._errors.get(ends, 0))

    def _on_failure(self, time_ns: int, page: bytes, offset: int) -> None:
        flags, _, skaddr, *_ = self._state(page, offset)
        trace = self._by_skaddr.get(skaddr)
        if trace is None:  # it began before us, nobody knows when
            trace = self._begin(Trace(skaddr, _OUTBOUND, 0))
        elif trace.failed_ns:
            return
        self._locate(trace, page, offset)
        self._failures.add(trace, time_ns, in_process=not flags & IN_INTERRUPT)

    def _begin(self, trace: Trace) -> Trace:
        """Follow it, if there is room."""
        if len(self._by_skaddr) < _MAX_TRACES or trace.skaddr in self._by_skaddr:
            self._by_skaddr[trace.skaddr] = trace
        else:
            self.refused += 1
        return trace

    def _locate(self, trace: Trace, page: bytes, offset: int) -> None:
        *_, trace.local_port, trace.remote_port, family, local_ip, remote_ip = self._state(
            page, offset
        )
        if family != _AF_INET:
            local_ip, remote_ip = self._ips6(page, offset)
        trace.family, trace.local_ip, trace.remote_ip = family, local_ip, remote_ip

    def _ips6(self, page: bytes, offset: int) -> tuple[bytes, bytes]:
        local_ip, remote_ip = self._state6(page, offset)
        return unmap(local_ip), unmap(remote_ip)

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
