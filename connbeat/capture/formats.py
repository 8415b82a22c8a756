"""Formats: which of the kernel's events are recorded, under which condition, and how they look.

The kernel tells itself where an event's fields are (`format` files), so nothing here depends on its
version but the names: `inet_sock_set_state` came with Linux 4.16, `inet_sk_error_report` with 5.15,
`icmp_send` with 6.11.
"""

import msgspec

from connbeat.errors import CaptureError
from connbeat.linux.tracefs import EventFormat, Tracefs
from connbeat.model.sockets import TcpState

STATE = "sock/inet_sock_set_state"
ERROR = "sock/inet_sk_error_report"
ICMP = "icmp/icmp_send"
DESTROY = "tcp/tcp_destroy_sock"
# As sched_process_fork, and it tells threads from processes.
FORK = "task/task_newtask"
EXEC = "sched/sched_process_exec"
EXIT = "sched/sched_process_exit"

#: TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ: the current process has nothing to do with it.
IN_INTERRUPT = 0x18
_IN_PROCESS = f"!(common_flags & {IN_INTERRUPT})"

#: The steps of a connection that `traces` reads, and no more: each record costs the program that is
#: watched 0.3 us. An ordinary end is told by its FIN and its destruction, so a step to CLOSE is
#: recorded only where it failed or was aborted. The last four are rare (1 in 20 connections at
#: most): they tell whether the other side's FIN came after a half-close, see `fins`.
STATE_FILTER = "protocol==6 && ({})".format(
    " || ".join(
        (
            f"newstate=={TcpState.SYN_SENT:d}",
            f"oldstate=={TcpState.SYN_SENT:d}",
            f"newstate=={TcpState.ESTABLISHED:d}",
            f"newstate=={TcpState.FIN_WAIT1:d}",
            f"newstate=={TcpState.LAST_ACK:d}",
            f"newstate=={TcpState.LISTEN:d}",
            f"(newstate=={TcpState.CLOSE:d} && oldstate=={TcpState.ESTABLISHED:d})",
            f"(newstate=={TcpState.CLOSE:d} && oldstate=={TcpState.CLOSE_WAIT:d})",
            f"newstate=={TcpState.CLOSING:d}",
            f"(newstate=={TcpState.FIN_WAIT2:d} && oldstate=={TcpState.FIN_WAIT2:d})",
            f"(newstate=={TcpState.CLOSE:d} && oldstate=={TcpState.FIN_WAIT1:d})",
            f"(newstate=={TcpState.CLOSE:d} && oldstate=={TcpState.FIN_WAIT2:d} && {_IN_PROCESS})",
        )
    )
)
ERROR_FILTER = "protocol==6 && error!=0"
#: Destination unreachable, and no answer to a UDP datagram (`ulen` is 0 for all else): on loopback
#: nothing limits those. Code 4 is of paths with smaller packets, and refuses nothing.
ICMP_FILTER = "type==3 && code!=4 && ulen==0"


class TraceFormats(msgspec.Struct, frozen=True):
    """Where this kernel has the fields that we read. `error` and `icmp` are None where it has no
    such event.
    """  # noqa: D205  one thought

    state: EventFormat
    destroy: EventFormat
    fork: EventFormat
    exec: EventFormat
    exit: EventFormat
    error: EventFormat | None = None
    icmp: EventFormat | None = None


def read_formats(tracefs: Tracefs) -> TraceFormats:
    """Raises CaptureError if the kernel lacks an event that is needed (before 4.16)."""
    return TraceFormats(
        state=tracefs.format(STATE),
        destroy=tracefs.format(DESTROY),
        fork=tracefs.format(FORK),
        exec=tracefs.format(EXEC),
        exit=tracefs.format(EXIT),
        error=_read_if_there(tracefs, ERROR),
        icmp=_read_if_there(tracefs, ICMP),
    )


def _read_if_there(tracefs: Tracefs, event: str) -> EventFormat | None:
    try:
        return tracefs.format(event)
    except CaptureError:
        return None
