"""The reference server of the lumberjack protocol (go-lumber) for tests, on loopback.

    with LumberjackServer(tmp_path) as server:
        server.documents()

Built once, by Go, from `tests/services/lumberjack`; what it acknowledged stands in a file before.
"""

import json
import re
from pathlib import Path
from typing import Any, Self

from tests.servers.go_program import build
from tests.servers.processes import ServerProcess, free_port

_METADATA = re.compile(rb'^\{"@metadata":\{[^}]*\},?')


class LumberjackServer:
    """`delay` is Go's notation for how long it works on a batch before it acknowledges it."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        delay: str = "0s",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self._file = folder / "events.ndjson"
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        command = [
            str(build("lumberjack")),
            "-listen",
            f"127.0.0.1:{self.port}",
            "-file",
            str(self._file),
        ]
        command += ["-delay", delay]
        if certificate is not None:
            command += ["-certificate", str(certificate[0]), "-key", str(certificate[1])]
        self._process = ServerProcess([*command, *arguments], self.port, folder / "lumberjack.log")
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """After a kill, too; the file goes on."""
        self._process.start(self._process.accepts)

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self.kill()

    def lines(self) -> list[bytes]:
        """Everything it acknowledged, or was about to when it was killed, as it came."""
        return self._file.read_bytes().splitlines() if self._file.exists() else []

    def bodies(self) -> list[bytes]:
        """The lines as they were before `@metadata` was put in front."""
        return [_METADATA.sub(b"{", line, count=1) for line in self.lines()]

    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]
