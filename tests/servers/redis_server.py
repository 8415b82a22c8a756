"""A real Redis for tests, on loopback, with a folder of its own.

with RedisServer(tmp_path, "--requirepass", "secret") as redis:
    redis.list("connbeat")
"""

import shutil
from pathlib import Path
from typing import Any, Self

import pytest
import redis

from tests.servers.processes import PATIENCE, ServerProcess, free_port

_END = "the test has heard enough"


class RedisServer:
    """Keeps nothing on disk unless `durable`: then what it confirmed survives a kill -9."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        durable: bool = False,
        password: str | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """`certificate` (with its key): it speaks TLS at `tls_port`, too."""
        if shutil.which("redis-server") is None:
            pytest.skip("needs redis-server: see scripts/test-setup")
        self.port = free_port()
        self.tls_port = 0
        self.address = ("127.0.0.1", self.port)
        self._password = password
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(folder), "--save", ""]
        command += ["--appendonly", "yes" if durable else "no", "--appendfsync", "always"]
        if password is not None:
            command += ["--requirepass", password]
        if certificate is not None:
            self.tls_port = free_port()
            command += ["--tls-port", str(self.tls_port), "--tls-auth-clients", "no"]
            command += ["--tls-cert-file", str(certificate[0])]
            command += ["--tls-key-file", str(certificate[1])]
        self._process = ServerProcess([*command, *arguments], self.port, folder / "redis.log")
        self._witness: Any = None
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """After a kill, too."""
        self._process.start(self._answers)

    def kill(self) -> None:
        self._forget()
        self._process.kill()

    def close(self) -> None:
        self.kill()

    def ask(self, *command: str) -> Any:
        """The test's own connection: a witness that is not the output."""
        if self._witness is None:
            self._witness = _client(self.port, self._password)
        return self._witness.execute_command(*command)

    def list(self, key: str = "connbeat") -> list[bytes]:
        found: list[bytes] = self.ask("LRANGE", key, "0", "-1")
        return found

    def listener(self, channel: str = "connbeat") -> "Listener":
        return Listener(self, channel)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.exceptions.RedisError:
            self._forget()
            return False

    def _forget(self) -> None:
        if self._witness is not None:
            self._witness.close()
            self._witness = None


class Listener:
    """Subscribed from here on. It ends with its server."""

    def __init__(self, server: RedisServer, channel: str) -> None:
        # Kept: a client that is forgotten takes its subscriptions with it.
        self._client = _client(server.port)
        self._server = server
        self._channel = channel
        self._heard: list[bytes] = []
        self._stream = self._client.pubsub()
        self._stream.subscribe(channel)
        self._next("subscribe")

    def heard(self) -> list[bytes]:
        """Everything published so far: what is published after it has arrived, so it has, too."""
        self._server.ask("PUBLISH", self._channel, _END)
        while (data := self._next("message")) != _END.encode():
            self._heard.append(data)
        return self._heard

    def close(self) -> None:
        self._stream.close()
        self._client.close()

    def _next(self, kind: str) -> Any:
        message = self._stream.get_message(timeout=PATIENCE)
        assert message is not None, "nothing was heard"
        assert message["type"] == kind
        return message["data"]


def _client(port: int, password: str | None = None) -> Any:
    return redis.Redis(host="127.0.0.1", port=port, password=password, protocol=2)
