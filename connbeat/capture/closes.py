"""Rung 2: every closed connection of a namespace, or of all, as the kernel destroys it.

A netlink socket in the TCP destroy groups. A message costs 1.28 KB of receive buffer until it is
read.
"""

import errno
import socket

from connbeat.errors import CaptureError
from connbeat.linux import netlink
from connbeat.linux.recvmmsg import Inbox, Message

_SO_RCVBUFFORCE = 33
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NETLINK_LISTEN_ALL_NSID = 8
#: SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY.
_GROUPS = (1, 3)

#: Holds 25,000 messages: what 50,000 closes a second leave in half a second.
BUFFER_BYTES = 32 << 20


class CloseSocket:
    """A socket that hears the destroy groups. One thread uses it, and all that share its inbox.

    It is made in the namespace of the calling thread, which it hears in any case; `hears_all` is
    false where the right to hear the others is missing (CAP_NET_BROADCAST). Raises CaptureError.
    """

    def __init__(
        self, inbox: Inbox, *, all_namespaces: bool, buffer_bytes: int = BUFFER_BYTES
    ) -> None:
        self.inbox = inbox
        self._socket = netlink.open_socket(netlink.NETLINK_SOCK_DIAG)
        self.hears_all = False
        try:
            self._socket.setblocking(False)
            self._set_buffer(buffer_bytes)
            for group in _GROUPS:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
            if all_namespaces:
                self._hear_all()
        except OSError as error:
            self._socket.close()
            raise CaptureError(f"destroy groups refused: {error.strerror}") from error

    def _set_buffer(self, size: int) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def _hear_all(self) -> None:
        try:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_LISTEN_ALL_NSID, 1)
        except PermissionError:
            return
        self.hears_all = True

    def drain(self, found: list[Message], limit: int) -> int:
        """Append what is there, at most `limit`; how often messages were lost (ENOBUFS).

        Raises CaptureError if the socket failed; what came before is in `found`.
        """
        overruns = 0
        receive, fd = self.inbox.receive, self._socket.fileno()
        while limit > 0:
            try:
                limit -= receive(fd, found, limit)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise CaptureError(f"destroy groups failed: {error.strerror}") from error
                overruns += 1
                limit -= 1
        return overruns

    def close(self) -> None:
        self._socket.close()
