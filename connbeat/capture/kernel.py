"""Kernel: what the kernel tells by itself, rungs 2 and 3 as one source.

A turn drains the closes first, then notes the time, then reads the trace and folds what is older:
in this order every close finds its trace. Without the trace closes stand alone; without closes a
trace's own end stands in, without counters. A source that fails is closed and opened again later;
what was lost meanwhile a dump heals.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from connbeat.capture.closes import CloseSocket, Heard
from connbeat.capture.ladder import SWITCHED_OFF, Rung, Standing
from connbeat.capture.transitions import TransitionSource
from connbeat.clock import Clock
from connbeat.errors import CaptureError, NetnsGone
from connbeat.linux import netns
from connbeat.linux.procfs import ProcFs
from connbeat.linux.rtnetlink import read_nsid
from connbeat.linux.sock_diag import cookie_of, frame_destroyed, parse_destroyed
from connbeat.linux.tracefs import Tracefs, open_tracefs
from connbeat.model.sockets import Socket, TcpState
from connbeat.model.targets import Target
from connbeat.model.traces import Close, ProcessSink, Tick, Trace
from connbeat.telemetry.metrics import Metric, Metrics

log = logging.getLogger(__name__)

#: Close messages taken in one turn: 8 MB of them.
_MESSAGES = 20_000
#: A trace is told without counters once the messages of traces that ended so much later came, or
#: none at all for so long: the kernel sends them from a worker that a busy host lets wait.
_OVERTAKEN_NS = 1_000_000_000
_SILENCE_NS = 5_000_000_000
#: Cookies told without counters, whose messages may still come.
_TOLD = 50_000
_REOPEN_NS = 30_000_000_000
_NEEDS_BROADCAST = "closes of other namespaces need CAP_NET_BROADCAST"


class KernelSource:
    """One thread uses it. `covers` tells for which namespaces it hears every close."""

    def __init__(
        self, procfs: ProcFs, sink: ProcessSink, highest: Rung, *, clock: Clock, metrics: Metrics
    ) -> None:
        self._procfs = procfs
        self._sink = sink
        self._highest = highest
        self._clock = clock
        self._metrics = metrics
        self._host: CloseSocket | None = None
        self._inside: dict[int, CloseSocket] = {}
        self._netns_by_nsid: dict[int, int] = {}
        self._own_netns = 0
        self._tracefs: Tracefs | None = None
        self._transitions: TransitionSource | None = None
        self._retry_ns = 0
        self._newest_joined_ns = 0
        self._told: dict[int, None] = {}
        #: Why the rung is not reached, "" where it is.
        self.closes_missing = self.transitions_missing = SWITCHED_OFF

    def open(self, now_ns: int) -> None:
        """Open what the policy allows and is not open; what is refused is tried again later."""
        if now_ns < self._retry_ns:
            return
        self._retry_ns = now_ns + _REOPEN_NS
        self._own_netns = netns.own_netns()
        if self._highest >= Rung.CLOSES and self._host is None:
            try:
                self._host = CloseSocket(all_namespaces=True)
                self.closes_missing = "" if self._host.hears_all else _NEEDS_BROADCAST
            except CaptureError as error:
                self.closes_missing = str(error)
        if self._highest >= Rung.TRANSITIONS and self._transitions is None:
            self._open_transitions()

    def _open_transitions(self) -> None:
        try:
            if self._tracefs is None:
                self._tracefs = open_tracefs()
                self._tracefs.remove_stale(self._procfs)
            self._transitions = TransitionSource(self._tracefs, self._procfs, self._sink)
            self.transitions_missing = ""
        except CaptureError as error:
            self.transitions_missing = str(error)
            self._close_tracefs()

    def see(self, targets: Mapping[int, Target]) -> None:
        """The namespaces that exist now: learn the ids of new ones, or listen inside them."""
        if self._host is None:
            return
        known = {*self._netns_by_nsid.values(), *self._inside}
        for target in targets.values():
            if target.netns not in known and target.netns != self._own_netns:
                self._reach(target)
        for nsid in [i for i, where in self._netns_by_nsid.items() if where not in targets]:
            del self._netns_by_nsid[nsid]
        for where in [where for where in self._inside if where not in targets]:
            self._inside.pop(where).close()

    def covers(self, where: int) -> bool:
        """Whether every close of this namespace is heard."""
        if self._host is None:
            return False
        return (
            where == self._own_netns
            or where in self._inside
            or where in self._netns_by_nsid.values()
        )

    def standing(self, where: int) -> Standing:
        """The rung of a namespace that can be dumped, and what the next one lacks."""
        if not self.covers(where):
            return Standing(Rung.DUMP, self.closes_missing or "its closes are not heard yet")
        if self._transitions is None:
            return Standing(Rung.CLOSES, self.transitions_missing)
        return Standing(Rung.TRANSITIONS, "")

    @property
    def has_transitions(self) -> bool:
        return self._transitions is not None

    def tick(self) -> Tick:
        """What happened since the last call. A source that fails is given up until `open`."""
        heard, is_lossy = self._hear()
        until_ns = self._clock.monotonic_ns()
        is_lossy = self._fold(until_ns) or is_lossy
        closes = [close for where, data in heard for close in self._closes(where, data, until_ns)]
        opened: Sequence[Trace] = ()
        failed: Sequence[Trace] = ()
        if self._transitions is not None:
            closes += self._late(until_ns)
            opened, failed = self._transitions.folder.take(until_ns)
        return Tick(closes, opened, failed, is_lossy)

    def close(self) -> None:
        for opened in (self._host, *self._inside.values()):
            if opened is not None:
                opened.close()
        self._host = None
        self._inside.clear()
        if self._transitions is not None:
            self._transitions.close()
            self._transitions = None
        self._close_tracefs()

    def _close_tracefs(self) -> None:
        if self._tracefs is not None:
            self._tracefs.close()
            self._tracefs = None

    def _reach(self, target: Target) -> None:
        """By the id that the host has for it; one without is listened to from inside."""
        for pid in target.pids[:1] if self._host is not None and self._host.hears_all else ():
            nsid = read_nsid(pid)
            if nsid is not None:
                self._netns_by_nsid[nsid] = target.netns
                return
        doors = [self._procfs.root / str(pid) / "ns/net" for pid in target.pids[:2]]
        for door in [*doors, *([Path(target.path)] if target.path else [])]:
            try:
                with netns.entered(door, target.netns):
                    self._inside[target.netns] = CloseSocket(all_namespaces=False)
            except NetnsGone:
                continue
            except CaptureError as error:
                log.debug("Closes not heard. netns=%d error=%s", target.netns, error)
            return

    def _hear(self) -> tuple[list[tuple[int, bytes]], bool]:
        """(namespace, datagram) of every close message, and whether some were lost."""
        found: list[tuple[int, bytes]] = []
        is_lossy = False
        for where, source in ((0, self._host), *self._inside.items()):
            if source is None:
                continue
            messages: list[Heard] = []
            try:
                overruns, _ = source.drain(messages, _MESSAGES)
            except CaptureError as error:
                self._lose_closes(error)
                return found, True
            if overruns:
                self._metrics.add(Metric.CLOSES_OVERRUN, overruns)
                is_lossy = True
            found += [(where or self._where(heard.nsid), heard.data) for heard in messages]
        return found, is_lossy

    def _where(self, nsid: int | None) -> int:
        return self._own_netns if nsid is None else self._netns_by_nsid.get(nsid, 0)

    def _fold(self, until_ns: int) -> bool:
        source = self._transitions
        if source is None:
            return False
        lost, bad, malformed, refused = (
            source.lost_pages, source.bad_pages, source.folder.malformed, source.folder.refused,
        )  # fmt: skip
        try:
            is_lossy = source.fold(until_ns)
        except CaptureError as error:
            self._lose_transitions(error)
            return True
        self._metrics.add(Metric.TRACE_PAGES_LOST, source.lost_pages - lost)
        self._metrics.add(Metric.TRACE_PAGES_BAD, source.bad_pages - bad)
        self._metrics.add(Metric.TRACE_RECORDS_MALFORMED, source.folder.malformed - malformed)
        self._metrics.add(Metric.TRACES_REFUSED, source.folder.refused - refused)
        return is_lossy

    def _closes(self, where: int, data: bytes, now_ns: int) -> list[Close]:
        """The closes of one datagram, each with the trace that has its cookie."""
        waiting = self._transitions.folder.by_cookie if self._transitions is not None else {}
        closes: list[Close] = []
        try:
            frames = frame_destroyed(data)
        except CaptureError:
            frames = []
            self._metrics.add(Metric.ROWS_MALFORMED)
        for start, end in frames:
            cookie = cookie_of(data, start, end)
            if cookie in self._told:
                del self._told[cookie]
                continue
            trace = waiting.pop(cookie, None)
            has_fin = trace is not None and trace.has_peer_closed
            row = parse_destroyed(data, start, end, has_fin=has_fin)
            if row is None:
                self._metrics.add(Metric.ROWS_MALFORMED)
            elif trace is None:
                closes.append(Close(where, row, now_ns, None))
            else:
                self._newest_joined_ns = max(self._newest_joined_ns, trace.closed_ns)
                if not row.remote_port:
                    row = _located(row, trace)
                closes.append(Close(where or _netns_of(trace), row, trace.closed_ns, trace))
        return closes

    def _late(self, until_ns: int) -> list[Close]:
        """Traces that ended and whose message was lost, or whose namespace is not heard."""
        if self._transitions is None:
            return []
        waiting = self._transitions.folder.by_cookie
        late: list[Close] = []
        for trace in waiting.values():  # in the order of their ends
            is_overtaken = self._newest_joined_ns - trace.closed_ns > _OVERTAKEN_NS
            if not is_overtaken and until_ns - trace.closed_ns < _SILENCE_NS:
                break
            late.append(Close(_netns_of(trace), _socket_of(trace), trace.closed_ns, trace))
        for close in late:
            del waiting[close.socket.cookie]
            self._told[close.socket.cookie] = None
        for cookie in list(islice(self._told, max(0, len(self._told) - _TOLD))):
            del self._told[cookie]
        return late

    def _lose_closes(self, error: CaptureError) -> None:
        log.warning("Closes are not heard any more; dumps go on. error=%s", error)
        self._metrics.add(Metric.SOURCES_LOST, source="closes")
        self.closes_missing = str(error)
        for opened in (self._host, *self._inside.values()):
            if opened is not None:
                opened.close()
        self._host = None
        self._inside.clear()
        self._netns_by_nsid.clear()

    def _lose_transitions(self, error: CaptureError) -> None:
        log.warning("Transitions are not seen any more; closes and dumps go on. error=%s", error)
        self._metrics.add(Metric.SOURCES_LOST, source="transitions")
        self.transitions_missing = str(error)
        if self._transitions is not None:
            self._transitions.close()
            self._transitions = None
        self._close_tracefs()


def _netns_of(trace: Trace) -> int:
    return trace.process.netns if trace.process is not None else 0


def _located(row: Socket, trace: Trace) -> Socket:
    """With the addresses that only the transitions know: a reset loses them before the end."""
    return msgspec.structs.replace(
        row,
        local_ip=trace.local_ip or row.local_ip,
        local_port=trace.local_port,
        remote_ip=trace.remote_ip or row.remote_ip,
        remote_port=trace.remote_port,
    )


def _socket_of(trace: Trace) -> Socket:
    return Socket(
        trace.family, TcpState.CLOSE, trace.local_ip, trace.local_port, trace.remote_ip,
        trace.remote_port, 0, trace.cookie, 0, 0, 0, 0, 0, False, None,
    )  # fmt: skip
