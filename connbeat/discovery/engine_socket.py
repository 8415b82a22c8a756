"""Where the engine's socket is, whether it answers, and what an error there means to the user.

Does I/O: a stat, or a connection without a request. Cheap enough to repeat while there is no
engine, and without the Docker library, which such a host need not pay for.
"""

import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from connbeat.errors import DiscoveryError

_DEFAULT = Path("/var/run/docker.sock")
_UNIX = "unix://"
_KNOCK_SECONDS = 5.0
_MEMORY_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

_MEANINGS: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "no such socket"),
    (PermissionError, "permission denied: run as root or as a member of the group of the socket"),
    (ConnectionRefusedError, "connection refused: nobody listens"),
    (TimeoutError, "no answer in time"),
)


def socket_path(environ: Mapping[str, str]) -> Path | None:
    """The UNIX socket that `DOCKER_HOST` or its default names; None if it names something else."""
    host = environ.get("DOCKER_HOST", "")
    if not host:
        return _DEFAULT
    return Path(host.removeprefix(_UNIX)) if host.startswith(_UNIX) else None


def socket_identity(path: Path | None) -> tuple[int, int] | None:
    """Changes when a socket is made anew; None if there is none. Never raises."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def knock(path: Path) -> None:
    """Connect and hang up. Raises DiscoveryError, which says why, if that cannot be done."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_KNOCK_SECONDS)
        try:
            connection.connect(str(path))
        except OSError as error:
            raise DiscoveryError(f"{path}: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """What lies behind an error, in words that are the same each time it happens."""
    for cause in _causes(error):
        for kind, meaning in _MEANINGS:
            if isinstance(cause, kind):
                return meaning
    return _MEMORY_ADDRESS.sub("", f"{type(error).__name__}: {error}")[:200]


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
