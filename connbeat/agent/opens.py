"""Opens: from what the transitions tell of a connection that is open to its row in the kernel.

A trace has addresses, direction and process, but neither the namespace nor the cookie that names a
connection everywhere else. Asking for one socket by its addresses costs 11 us, a dump of a busy
namespace a thousand times that.
"""

import logging
from collections.abc import Callable, Iterable

from connbeat.capture.reader import SnapshotReader
from connbeat.errors import CaptureError
from connbeat.model.addresses import is_link_local
from connbeat.model.connections import Direction
from connbeat.model.sockets import Socket, SocketSnapshot, SocketSource, TcpState
from connbeat.model.targets import Namespaces
from connbeat.model.traces import Trace

log = logging.getLogger(__name__)

#: A connection not found at so many polls is left to the next dump.
_TRIES = 3
#: What the kernel finds instead: the listener, or what is left of it while its close is on its way.
_NOT_OPEN = (TcpState.LISTEN, TcpState.TIME_WAIT)


class OpenFinder:
    """Finds the sockets of open traces. One thread uses it."""

    def __init__(
        self, snapshots: SnapshotReader, listening: Callable[[bytes, int], list[int]]
    ) -> None:
        self._snapshots = snapshots
        self._listening = listening
        self._waiting: list[tuple[Trace, int]] = []

    def add(self, traces: Iterable[Trace]) -> None:
        """Look for these at the next `find`.

        Two kinds cost a dump of their namespace instead: listeners, for several can share an
        address, and link-local addresses, which name a socket only with an interface, and a trace
        has none.
        """
        for trace in traces:
            if not trace.is_listener and not is_link_local(trace.local_ip):
                self._waiting.append((trace, 0))
            elif trace.process is not None:
                self._snapshots.force(trace.process.netns)
            else:
                self._snapshots.force(None)

    def find(
        self, seen: Namespaces, now_ns: int
    ) -> tuple[list[SocketSnapshot], list[tuple[int, int, Trace]]]:
        """(a partial snapshot of each namespace, (namespace, cookie, trace) of each row)."""
        waiting, self._waiting = self._waiting, []
        rows: dict[int, list[Socket]] = {}
        known: list[tuple[int, int, Trace]] = []
        for trace, tries in waiting:
            if trace.cookie:
                continue  # closed meanwhile: its close tells all
            found = self._find(trace, seen)
            if found is None:
                if tries + 1 < _TRIES:
                    self._waiting.append((trace, tries + 1))
                continue
            netns, row = found
            rows.setdefault(netns, []).append(row)
            known.append((netns, row.cookie, trace))
        snapshots = [
            SocketSnapshot(netns, SocketSource.INET_DIAG, now_ns, tuple(found), is_complete=False)
            for netns, found in rows.items()
        ]
        return snapshots, known

    def _find(self, trace: Trace, seen: Namespaces) -> tuple[int, Socket] | None:
        wanted = _row_of(trace)
        for netns in self._places(trace, seen):
            target = seen.targets.get(netns)
            if target is None:
                continue
            try:
                row = self._snapshots.get(target, wanted)
            except CaptureError as error:
                log.debug("Open connection not looked up. netns=%d error=%s", netns, error)
                continue
            if row is not None and row.state not in _NOT_OPEN:
                return netns, row
        return None

    def _places(self, trace: Trace, seen: Namespaces) -> list[int]:
        """Where the connection can be: its caller's namespace, or those that would accept it.

        Its listener may be closed already, or too new to be known: then it is looked for
        everywhere, for the next dump may be 10 s away.
        """
        if trace.direction is Direction.OUTBOUND:
            return [trace.process.netns] if trace.process is not None else []
        return self._listening(trace.local_ip, trace.local_port) or list(seen.targets)


def _row_of(trace: Trace) -> Socket:
    return Socket(
        trace.family, TcpState.ESTABLISHED, trace.local_ip, trace.local_port, trace.remote_ip,
        trace.remote_port, 0, 0, 0, 0, 0, 0, 0, False, None,
    )  # fmt: skip
