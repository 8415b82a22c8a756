"""The sock_diag socket of one namespace: dumps, and questions about one connection."""

from connbeat.linux import netlink, sock_diag
from connbeat.linux.dump_rows import DumpRows
from connbeat.model.sockets import Socket


class DiagSocket:
    """Opened by a thread that is inside the namespace.

    One thread uses it. It pins the namespace for as long as it is open: close it as soon as the
    namespace has no process left.
    """

    def __init__(self) -> None:
        self._socket = netlink.open_socket(netlink.NETLINK_SOCK_DIAG)
        self._sequence = 0
        self._rows = DumpRows()

    def dump(self, states: int = sock_diag.ALL_STATES) -> tuple[list[Socket], int, bool]:
        """All sockets in those states, the malformed rows, and whether the table moved.

        Rows may repeat (the caller keys by cookie); one that is as it was at the last dump is the
        same object as then. Raises CaptureError.
        """
        self._sequence += 1
        request = sock_diag.pack_dump_request(self._sequence, states)
        self._rows.begin(self._sequence)
        for data in netlink.exchange(self._socket, request):
            if self._rows.feed(data):
                break
        return self._rows.end()

    def get(self, wanted: Socket) -> Socket | None:
        """The socket that has these addresses now; None if there is none. Raises CaptureError."""
        self._sequence += 1
        request = sock_diag.pack_get_request(self._sequence, wanted)
        data = netlink.ask(self._socket, request, self._sequence)
        if data is None:
            return None
        rows, _ = sock_diag.parse_rows(*data)
        return rows[0] if rows else None

    def overlooked(self, limit: int) -> list[Socket]:
        """Sockets that the last dump should have had: the one before did, and they are still there.

        While sockets come and go the walk over the kernel's table can pass one by. At most `limit`
        are asked for, 11 us each. Raises CaptureError.
        """
        found: list[Socket] = []
        for row in self._rows.vanished[:limit]:
            now = self.get(row)
            if now is not None and now.cookie == row.cookie:
                self._rows.remember(now)
                found.append(now)
        return found

    def close(self) -> None:
        self._socket.close()
