"""One connection to a Redis server, with redis-py: the only module that imports it.

Used below redis-py's pools and retries, which would send again without telling:
`agent/delivery/deliver` is the one place that retries.
"""

import socket
from collections.abc import Sequence
from contextlib import suppress
from ssl import SSLContext, SSLError
from typing import Any

import msgspec
from redis.backoff import NoBackoff
from redis.connection import Connection as PlainConnection
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.retry import Retry

from connbeat.errors import Transient
from connbeat.outputs.redis.commands import Refused
from connbeat.outputs.tls import describe_tls_error

Arguments = tuple[str | bytes, ...]
# RESP 2: what every server speaks, also those before 6.
_PROTOCOL = 2


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """How to introduce ourselves, and to which database."""

    username: str = ""
    password: str = ""
    db: int = 0


class Connection:
    """Connected, authenticated and at the right database from the start. One thread uses it."""

    def __init__(
        self,
        host: str,
        port: int,
        login: Login,
        *,
        timeout_seconds: float,
        tls: SSLContext | None = None,
    ) -> None:
        """Raises Transient."""
        self._raw = _open(
            tls,
            host=host,
            port=port,
            db=login.db,
            username=login.username or None,
            password=login.password or None,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            protocol=_PROTOCOL,
            retry=Retry(NoBackoff(), 0),
        )
        self._is_closed = False
        try:
            self._raw.connect()
            self._greet()
        except (RedisError, OSError) as error:
            self.close()
            raise Transient(_describe(error)) from error

    def is_usable(self) -> bool:
        """Nobody hung up since the last command, as a server with a `timeout` does."""
        if self._is_closed:
            return False  # redis-py would connect anew to find out
        try:
            return not self._raw.can_read(0)
        except (RedisError, OSError):
            return False

    def execute(self, commands: Sequence[Arguments]) -> tuple[list[Any], Transient | None]:
        """Send all, read all: the replies (or `Refused`), and what stopped us if some are missing.

        A command without a reply may have been done or not. After an error the connection is of no
        use.
        """
        replies: list[Any] = []
        try:
            packed = self._raw.pack_commands(commands)
            self._raw.send_packed_command(packed, check_health=False)
            for _ in commands:
                replies.append(self._reply())  # noqa: PERF401  those before an error are kept
        except (RedisError, OSError) as error:
            self.close()
            return replies, Transient(_describe(error))
        return replies, None

    def close(self) -> None:
        self._is_closed = True
        with suppress(RedisError, OSError):
            self._raw.disconnect()

    def _greet(self) -> None:
        """Without a password nothing was said yet, and NOAUTH would come only with the events."""
        self._raw.send_command("PING", check_health=False)
        with suppress(NoPermissionError):  # a user may be allowed to write and nothing else
            self._raw.read_response()

    def _reply(self) -> Any:  # noqa: ANN401  a number, a text or a list, as the command has it
        try:
            return self._raw.read_response()
        except ResponseError as error:
            return Refused(str(error))


def _open(tls: SSLContext | None, **options: object) -> Any:  # noqa: ANN401  redis-py has no types here
    return _Connection(tls, **options)


class _Connection(PlainConnection):
    """redis-py has no place for an SSLContext: it makes its own, from fewer options than ours."""

    def __init__(self, tls: SSLContext | None, **options: object) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # untyped below its surface
        self._tls = tls

    def _connect(self) -> socket.socket:
        plain: socket.socket = super()._connect()  # type: ignore[no-untyped-call]  # as above
        if self._tls is None:
            return plain
        try:
            return self._tls.wrap_socket(plain, server_hostname=self.host)
        except SSLError as error:
            plain.close()
            raise OSError(describe_tls_error(error)) from error
        except OSError:
            plain.close()
            raise


def _describe(error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return f"Redis does not let us in: {error}"
    return str(error) or type(error).__name__
