"""Failures: connects that came to nothing, until it is known why. Pure.

The reason is another record than the failure, beside it and without the socket's name: it is joined
by the addresses. Where none comes the process itself gave the connect up.
"""

from collections.abc import Mapping

from connbeat.model.traces import Trace

#: errno of a connect that its own process gave up, and of one that found no local port: the kernel
#: reports neither.
CANCELLED = 125
NO_PORT = 99

#: Remote address, local port, remote port: what names a connect in the record of its error.
Ends = tuple[bytes, int, int]

#: So long after a failure its reason may still come, and so long before it may have come: it is
#: 20 us at most where the host is not stopped in between.
_REASON_NS = 10_000_000


class Failures:
    """Mutable, one owner. `tells_why` is false where the kernel reports no errors (before 5.15)."""

    def __init__(self, *, tells_why: bool) -> None:
        self._tells_why = tells_why
        self._told: list[Trace] = []
        #: In the order of their times.
        self._waiting: dict[Ends, tuple[Trace, bool]] = {}
        self._errors: dict[Ends, tuple[int, int]] = {}

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
                trace.errno = CANCELLED
            self._told.append(trace)
        for ends in [ends for ends, (at, _) in self._errors.items() if at < before_ns]:
            del self._errors[ends]
        told, self._told = self._told, []
        return told


def _older(waiting: Mapping[Ends, tuple[Trace, bool]], before_ns: int) -> list[Ends]:
    return [ends for ends, (trace, _) in waiting.items() if trace.failed_ns <= before_ns]
