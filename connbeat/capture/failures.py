"""Failures: connects that came to nothing, until it is known why. Pure.

The reason is another record than the failure, beside it and without the socket's name: it is joined
by the addresses. Where none comes the process itself gave the connect up; of its own accord, or
because this host's firewall rejected it by ICMP while connect() still ran: the process then finds
that reason at its socket, but the kernel takes it for a passing trouble and reports none.
"""

import errno
from bisect import bisect_left
from collections.abc import Mapping

from connbeat.model.traces import Trace

#: errno of a connect that its own process gave up, and of one that found no local port: the kernel
#: reports neither.
CANCELLED = 125
NO_PORT = 99

#: Remote address, local port, remote port: what names a connect in the record of its error.
Ends = tuple[bytes, int, int]

#: What an ICMP "destination unreachable" says at the socket, by its code (icmp_err_convert in
#: net/ipv4/icmp.c); as far as it can be the answer to a SYN.
_BY_ICMP_CODE = {
    0: errno.ENETUNREACH, 1: errno.EHOSTUNREACH, 3: errno.ECONNREFUSED, 6: errno.ENETUNREACH,
    7: errno.EHOSTDOWN, 9: errno.ENETUNREACH, 10: errno.EHOSTUNREACH, 11: errno.ENETUNREACH,
    12: errno.EHOSTUNREACH, 13: errno.EHOSTUNREACH, 14: errno.EHOSTUNREACH, 15: errno.EHOSTUNREACH,
}  # fmt: skip

#: So long after a failure its reason may still come, and so long before it may have come: it is
#: 20 us at most where the host is not stopped in between.
_REASON_NS = 10_000_000
#: So long a connect() runs that need not wait: 0.05 to 0.2 ms were seen until its SYN was rejected.
_CONNECT_NS = 1_000_000
#: Longer than a process waits that was told: a second later the next SYN fails for good.
_REJECTED_NS = 3_000_000_000
#: Of two hosts; a turn has a few hundred at most where the kernel limits them.
_MAX_REJECTED = 10_000

#: Who was rejected, and by whom.
Hosts = tuple[bytes, bytes]


class Failures:
    """Mutable, one owner. `tells_why` is false where the kernel reports no errors (before 5.15)."""

    def __init__(self, *, tells_why: bool) -> None:
        self._tells_why = tells_why
        self._told: list[Trace] = []
        #: In the order of their times.
        self._waiting: dict[Ends, tuple[Trace, bool]] = {}
        self._errors: dict[Ends, tuple[int, int]] = {}
        #: (time, errno) of each, in the order of the times.
        self._rejected: dict[Hosts, list[tuple[int, int]]] = {}

    def add(self, trace: Trace, time_ns: int, *, in_process: bool) -> None:
        """A connect failed, in its own process' context or not."""
        trace.failed_ns = time_ns
        ends = trace.remote_ip, trace.local_port, trace.remote_port
        reason = self._errors.pop(ends, None)
        if reason is not None and time_ns - reason[0] <= _REASON_NS:
            trace.errno = reason[1]
        elif in_process and not trace.local_port:
            trace.errno = NO_PORT
        if trace.errno:
            self._told.append(trace)
            return
        before = self._waiting.pop(ends, None)  # of another namespace, or its reason was lost
        if before is not None:
            self._told.append(before[0])
        self._waiting[ends] = trace, in_process and self._tells_why

    def explain(self, ends: Ends, error: int, time_ns: int) -> None:
        """The kernel reported an error of this socket: of a connect that failed, or any other."""
        waiting = self._waiting.pop(ends, None)
        if waiting is None:
            self._errors[ends] = time_ns, error  # before Linux 6.10 it comes first
            return
        trace, _ = waiting
        trace.errno = error
        self._told.append(trace)

    def reject(self, hosts: Hosts, code: int, time_ns: int) -> None:
        """This host answered a packet with an ICMP "destination unreachable" of this code."""
        if code in _BY_ICMP_CODE:
            told = self._rejected.setdefault(hosts, [])
            told.append((time_ns, _BY_ICMP_CODE[code]))
            if len(told) > _MAX_REJECTED:
                del told[: _MAX_REJECTED // 2]

    def lose(self) -> None:
        """Records were lost, and maybe reasons: nobody can tell what was given up."""
        self._waiting = {ends: (trace, False) for ends, (trace, _) in self._waiting.items()}

    def take(self, until_ns: int) -> list[Trace]:
        """Those whose reason is known, or will not come any more; all before `until_ns` is known.

        `errno` is 0 where nobody can tell.
        """
        before_ns = until_ns - _REASON_NS
        for ends in _older(self._waiting, before_ns):
            trace, was_given_up = self._waiting.pop(ends)
            if was_given_up:
                trace.errno = self._rejection_of(trace) or CANCELLED
            self._told.append(trace)
        for ends in [ends for ends, (at, _) in self._errors.items() if at < before_ns]:
            del self._errors[ends]
        self._forget_rejections(until_ns - _REJECTED_NS)
        told, self._told = self._told, []
        return told

    def _rejection_of(self, trace: Trace) -> int:
        """The errno of one that came while connect() ran, 0 if none did."""
        told = self._rejected.get((trace.local_ip, trace.remote_ip), [])
        at = bisect_left(told, (trace.opened_ns, 0))
        until_ns = min(trace.failed_ns, trace.opened_ns + _CONNECT_NS)
        if at < len(told) and told[at][0] <= until_ns:
            return told[at][1]
        return 0

    def _forget_rejections(self, before_ns: int) -> None:
        for hosts, told in list(self._rejected.items()):
            del told[: bisect_left(told, (before_ns, 0))]
            if not told:
                del self._rejected[hosts]


def _older(waiting: Mapping[Ends, tuple[Trace, bool]], before_ns: int) -> list[Ends]:
    return [ends for ends, (trace, _) in waiting.items() if trace.failed_ns <= before_ns]
