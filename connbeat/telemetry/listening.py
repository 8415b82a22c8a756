"""Where the endpoint is: an address of this host, or a file. Both sides of it use this."""

import contextlib
import errno
import socket
import stat
from pathlib import Path

import msgspec

_UNIX = "unix://"
_EXPECTED = "a host name, an address, or unix:///path"
#: Who may connect: the owner. What the endpoint says is for nobody else by default.
_SOCKET_MODE = 0o600
_BACKLOG = 64
_STALE_SECONDS = 1.0


class ListenAddress(msgspec.Struct, frozen=True):
    """Host and port, or the path of a UNIX socket; then the others say nothing."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"{_UNIX}{self.path}"
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else self._url()

    def _url(self) -> str:
        return f"http://{self.host}:{self.port}"


def parse_address(host: str, port: int) -> ListenAddress:
    """What `http.host` and `http.port` mean. Raises ValueError, whose text is what is expected."""
    if host.startswith(_UNIX):
        path = host.removeprefix(_UNIX)
        if not path.startswith("/") or "\0" in path:
            raise ValueError("an absolute path, unix:///run/connbeat.sock")
        return ListenAddress("", 0, path)
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or "/" in bare or any(c.isspace() or not c.isprintable() for c in bare):
        raise ValueError(_EXPECTED)
    try:
        bare.encode("idna")
    except UnicodeError as error:  # an empty part, or one that is too long: no resolver is asked
        raise ValueError(_EXPECTED) from error
    return ListenAddress(bare, port)


def listen(address: ListenAddress) -> socket.socket:
    """A socket that takes connections there, and does not block. Raises OSError."""
    if address.path:
        return _listen_at_path(Path(address.path))
    family, target = _resolve(address)
    return _bound(socket.socket(family, socket.SOCK_STREAM), target)


def connect(address: ListenAddress, seconds: float) -> socket.socket:
    """A connection to it, in which nothing takes longer than that. Raises OSError."""
    if address.path:
        return _connected(socket.socket(socket.AF_UNIX), address.path, seconds)
    family, target = _resolve(address)
    return _connected(socket.socket(family), target, seconds)


def is_local(listener: socket.socket) -> bool:
    """Whether other machines cannot reach it."""
    if listener.family == socket.AF_UNIX:
        return True
    host = str(listener.getsockname()[0])
    return host.startswith("127.") or host == "::1"


def _resolve(address: ListenAddress) -> tuple[int, tuple[object, ...]]:
    """Family and address; of both kinds IPv4, as any Beat's `localhost`."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    return found[0][0], found[0][4]


def _listen_at_path(path: Path) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(_SOCKET_MODE)  # before anybody can connect
    except BaseException:
        listener.close()
        raise
    return _listening(listener)


def _remove_stale(path: Path) -> None:
    """A socket that an agent left behind, and nobody else's. Raises OSError where one listens."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
    except FileNotFoundError:
        return
    with contextlib.suppress(ConnectionRefusedError):
        _connected(socket.socket(socket.AF_UNIX), str(path), _STALE_SECONDS).close()
        raise OSError(errno.EADDRINUSE, "another process listens there")
    path.unlink()


def _bound(listener: socket.socket, target: tuple[object, ...]) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
    except BaseException:
        listener.close()
        raise
    return _listening(listener)


def _listening(listener: socket.socket) -> socket.socket:
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _connected(
    channel: socket.socket, target: str | tuple[object, ...], seconds: float
) -> socket.socket:
    try:
        channel.settimeout(seconds)
        channel.connect(target)
    except BaseException:
        channel.close()
        raise
    return channel
