"""What a service manager is told through `NOTIFY_SOCKET`: systemd's protocol, one datagram a time.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import logging
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)

#: A manager whose socket is full may take so long; the main thread has other things to do.
_SEND_SECONDS = 1.0


class Notifier:
    """The manager's socket, if there is one. Used by one thread.

    `watchdog_seconds` is how often it wants to hear `WATCHDOG=1` at least, 0 for never.
    """

    def __init__(self, address: str, watchdog_seconds: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds if address else 0.0
        self._has_warned = False

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def tell(self, *assignments: str) -> bool:
        """Send `READY=1` or the like; false if it did not arrive. Waits a second at most.

        Never raises, and does nothing where nobody listens.
        """
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.settimeout(_SEND_SECONDS)
                channel.sendto("\n".join(assignments).encode(), self._address)
        except (OSError, ValueError) as error:  # ValueError: an address with a NUL in it
            if not self._has_warned:
                self._has_warned = True
                _log.warning("The service manager cannot be told. error=%s", error)
            return False
        return True


def find_notifier(environ: Mapping[str, str], pid: int) -> Notifier:
    """The manager that started this process, as the environment says."""
    address = environ.get("NOTIFY_SOCKET", "")
    wanted_of = environ.get("WATCHDOG_PID") or str(pid)
    microseconds = environ.get("WATCHDOG_USEC", "")
    has_watchdog = wanted_of == str(pid) and microseconds.isdecimal()
    return Notifier(address, int(microseconds) / 1e6 if has_watchdog else 0.0)
