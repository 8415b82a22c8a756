"""Fins: whether the other side's FIN came before a socket's end: the kernel counts it as a byte.

A socket that got the FIN first goes to LAST_ACK, one that both sides close at once to CLOSING; one
that is aborted got none. After FIN_WAIT1 it depends on who let go first:

    close()      nobody reads any more: a FIN that came is the one byte left unread; the socket is
                 destroyed by the answer, in a softirq
    shutdown()   and then the FIN: the socket is kept in CLOSE, its end may be read, and it is
                 destroyed by close(), in process context
    shutdown()   and close() before any FIN: the step to where it is, FIN_WAIT1 or 2, is told again

A FIN may also be taken in by a process that is just reading, and an answer to close() by close()
itself. Then the step from FIN_WAIT2 to CLOSE is told, and only with the latter the destruction
comes in the same moment. Pure.
"""

from connbeat.model.sockets import TcpState
from connbeat.model.traces import Trace

_CLOSE_WAIT, _LAST_ACK = int(TcpState.CLOSE_WAIT), int(TcpState.LAST_ACK)
_FIN_WAIT1, _FIN_WAIT2 = int(TcpState.FIN_WAIT1), int(TcpState.FIN_WAIT2)
_CLOSE, _CLOSING = int(TcpState.CLOSE), int(TcpState.CLOSING)

#: From CLOSE to the destruction, where nothing lies between: 0.5 to 0.8 us were seen.
_SAME_MOMENT_NS = 2000


def step(trace: Trace, old: int, new: int, time_ns: int) -> None:
    """A step of a socket towards its end."""
    if new == _FIN_WAIT1 != old:
        trace.has_peer_closed = None
        trace.finished_ns = time_ns
    elif new == _CLOSE and old == _FIN_WAIT2:
        if trace.finished_ns:
            trace.finished_ns = time_ns
            trace.may_be_abandoned = True
    else:
        trace.finished_ns = 0
        if new in (_LAST_ACK, _CLOSING) or old == _CLOSE_WAIT:
            trace.has_peer_closed = True
        else:
            trace.has_peer_closed = False if new == _CLOSE else None


def end(trace: Trace, destroyed_ns: int, failed_ns: int) -> None:
    """The socket was destroyed in process context. `failed_ns` is when one of these ends last had
    an error: no FIN comes after it.
    """  # noqa: D205  one thought
    if destroyed_ns - trace.finished_ns > _SAME_MOMENT_NS:
        trace.has_peer_closed = failed_ns < trace.finished_ns
    trace.may_be_abandoned = trace.may_be_abandoned and trace.has_peer_closed is True
