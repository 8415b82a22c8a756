"""Joins: close messages to the traces of the same sockets, by the cookie. Pure.

A message has the final counters and the namespace, a trace the times, the process and the
addresses that a reset loses. A message without a trace is told as it is (rung 2 alone, or a record
was lost), a trace without a message without counters (it was lost, or its namespace is not heard).
Each socket is told once, whichever comes late.

A namespace may be made and gone before anybody looks. Its process is known with the namespace that
it came from; that every close of that one is heard, and this was not, proves it wrong.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import islice

import msgspec

from connbeat.linux.destroyed import DestroyedRows
from connbeat.model.sockets import Socket, TcpState
from connbeat.model.traces import Close, Trace

#: A trace is told without counters once the messages of traces that ended so much later came, or
#: none at all came for so long. The kernel sends them from a worker of each processor, which a busy
#: host lets wait: 2.5 s were seen.
_OVERTAKEN_NS = 3_000_000_000
_SILENCE_NS = 5_000_000_000
#: Cookies told, whose messages may still come, or come again.
_TOLD = 50_000

#: Namespace (0: nobody knows), datagram, and whether another socket may hear the same.
Heard = tuple[int, bytes, bool]


class CloseJoiner:
    """Mutable, one owner. `covers` tells whether the closes of a namespace are heard, and known to
    be from there.
    """  # noqa: D205  one thought

    def __init__(self, covers: Callable[[int], bool]) -> None:
        self._covers = covers
        self._newest_joined_ns = 0
        self._joined_at_ns = 0
        self._lost_ns = 0
        self._known_since_ns: dict[int, int] = {}
        self._told: dict[int, None] = {}
        self._rows = DestroyedRows()

    @property
    def malformed(self) -> int:
        """Messages and rows that did not follow the format."""
        return self._rows.malformed

    def see(self, known: Collection[int], now_ns: int) -> None:
        """The namespaces whose messages say so from here on."""
        since_ns = self._known_since_ns
        self._known_since_ns = {netns: since_ns.get(netns, now_ns) for netns in known}

    def lose(self, until_ns: int) -> None:
        """Messages of sockets that ended before that moment were lost, or nobody waits for them."""
        self._lost_ns = until_ns

    def join(self, heard: Sequence[Heard], waiting: dict[int, Trace], now_ns: int) -> list[Close]:
        """The closes of these messages; the traces that they end are taken out of `waiting`."""
        closes: list[Close] = []
        self._joined_at_ns = now_ns if heard else self._joined_at_ns
        read, told = self._rows.read, self._told
        for where, data, may_repeat in heard:
            for row in read(data, waiting):
                if row.cookie in told:
                    continue
                if may_repeat:
                    told[row.cookie] = None
                trace = waiting.pop(row.cookie, None)
                if trace is None:
                    closes.append(Close(where, row, now_ns, None))
                else:
                    closes.append(self._joined(where, row, trace))
        self._forget()
        return closes

    def late(self, waiting: dict[int, Trace], until_ns: int, *, are_heard: bool) -> list[Close]:
        """Traces that ended and whose message was lost or is not heard; nothing is (`are_heard`
        false) where there is no socket for it.
        """  # noqa: D205  one thought
        late: list[Close] = []
        for trace in waiting.values():  # in the order of their ends
            is_overtaken = self._newest_joined_ns - trace.closed_ns > _OVERTAKEN_NS
            silence_ns = until_ns - max(trace.closed_ns, self._joined_at_ns)
            if are_heard and not is_overtaken and silence_ns < _SILENCE_NS:
                break
            where = self._unheard(trace) if are_heard else _netns_of(trace)
            late.append(Close(where, _socket_of(trace), trace.closed_ns, trace))
        for close in late:
            del waiting[close.socket.cookie]
            self._told[close.socket.cookie] = None
        self._forget()
        return late

    def _joined(self, where: int, row: Socket, trace: Trace) -> Close:
        if trace.closed_ns > self._newest_joined_ns:  # noqa: PLR1730  `max` costs five times that
            self._newest_joined_ns = trace.closed_ns
        if not row.remote_port:
            row = _located(row, trace)
        if trace.may_be_abandoned and row.rqueue:
            row = _without_fin(row)
        process = trace.process
        if process is not None and process.netns != where:
            where = self._where(where, process.netns)
        return Close(where, row, trace.closed_ns, trace)

    def _where(self, told: int, of_process: int) -> int:
        """The namespace of the message, unless nobody knows it, or its id is another's by now: the
        process' own is new then, and not heard under an id yet.
        """  # noqa: D205  one thought
        if not told:
            return 0 if of_process in self._known_since_ns else of_process
        return of_process if of_process and not self._covers(of_process) else told

    def _unheard(self, trace: Trace) -> int:
        """The namespace of one whose message did not come; 0 if it would have come from there."""
        netns = _netns_of(trace)
        if not self._joined_at_ns:
            return netns  # no message ever came: the kernel may send none
        since_ns = max(self._known_since_ns.get(netns, trace.closed_ns), self._lost_ns)
        return 0 if trace.closed_ns > since_ns else netns

    def _forget(self) -> None:
        for cookie in list(islice(self._told, max(0, len(self._told) - _TOLD))):
            del self._told[cookie]


def _netns_of(trace: Trace) -> int:
    return trace.process.netns if trace.process is not None else 0


def _located(row: Socket, trace: Trace) -> Socket:
    """With the addresses that only the transitions know: a reset loses them before the end."""
    return msgspec.structs.replace(
        row,
        local_ip=trace.local_ip or row.local_ip,
        local_port=trace.local_port or row.local_port,
        remote_ip=trace.remote_ip or row.remote_ip,
        remote_port=trace.remote_port,
    )


def _without_fin(row: Socket) -> Socket:
    """What is left unread says that there was none; the last byte was taken for it."""
    if row.counters is None:
        return row
    received = row.counters.bytes_received + 1
    counters = msgspec.structs.replace(row.counters, bytes_received=received)
    return msgspec.structs.replace(row, counters=counters)


def _socket_of(trace: Trace) -> Socket:
    return Socket(
        trace.family, TcpState.CLOSE, trace.local_ip, trace.local_port, trace.remote_ip,
        trace.remote_port, 0, trace.cookie, 0, 0, 0, 0, 0, False, None,
    )  # fmt: skip
