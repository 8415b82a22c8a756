"""Rung 1: sock_diag dumps, each from a socket that was made inside its namespace."""

from pathlib import Path

from connbeat.errors import NetnsGone, NotPermitted
from connbeat.linux import netns
from connbeat.linux.diag_socket import DiagSocket
from connbeat.linux.sock_diag import ALL_STATES, WITHOUT_TIME_WAIT
from connbeat.model.sockets import Socket, SocketSnapshot, SocketSource
from connbeat.model.targets import Target

#: A table that moves under every one of so many dumps is taken as it is, marked incomplete.
_TRIES = 4
#: Sockets that are not in a dump any more and are looked for once more, one by one: 11 ms at most.
#: Of a larger number the rest is believed to be gone.
_LOOKUPS = 1000


def open_diag(target: Target, proc: Path) -> DiagSocket:
    """The sock_diag socket of a namespace; the calling thread goes in and comes back.

    Raises NetnsGone, NotPermitted (another namespace without CAP_SYS_ADMIN) or CaptureError.
    """
    if target.netns == netns.own_netns():
        return DiagSocket()
    doors = [proc / str(pid) / "ns/net" for pid in target.pids]
    if target.path:
        doors.append(Path(target.path))
    refusal: NotPermitted | None = None
    for door in doors:
        try:
            with netns.entered(door, target.netns):
                return DiagSocket()
        except NetnsGone:
            continue  # that process ended; another may be left
        except NotPermitted as error:
            refusal = error  # of a process with more capabilities than ours; another may let us in
    raise refusal or NetnsGone(f"no way is left into namespace {target.netns}")


def dump(
    diag: DiagSocket,
    netns_id: int,
    now_ns: int,
    *,
    closes_heard: bool = False,
    transitions_seen: bool = False,
) -> SocketSnapshot:
    """One snapshot. Raises CaptureError.

    Where closes are heard it is without TIME_WAIT rows. Where they are not, a row that is missing
    is all that tells of a close, so what is missing is looked for once more.
    """
    states = WITHOUT_TIME_WAIT if closes_heard else ALL_STATES
    rows: list[Socket] = []
    malformed = 0
    is_interrupted = True
    for _ in range(_TRIES):
        rows, malformed, is_interrupted = diag.dump(states)
        if not is_interrupted:
            break
    if not closes_heard and not is_interrupted:
        rows += diag.overlooked(_LOOKUPS)
    return SocketSnapshot(
        netns=netns_id,
        source=SocketSource.INET_DIAG,
        taken_ns=now_ns,
        sockets=tuple(rows),
        is_complete=not is_interrupted,
        malformed=malformed,
        closes_heard=closes_heard,
        transitions_seen=transitions_seen,
    )
