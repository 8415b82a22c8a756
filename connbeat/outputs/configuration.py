"""What the section of every output has; each output's own adds to it.

Fields are found by the key of their option: `backoff.init`, a duration, is `backoff_init_seconds`.
The defaults stand here and in the Structs that inherit, nowhere else.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from connbeat.outputs.tls_policy import TlsPolicy


class OutputConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Any output. `max_retries` None is without limit; `when` is a condition as plain data."""

    bulk_max_size: int = 2048
    max_retries: int | None = None
    backoff_init_seconds: float = 1.0
    backoff_max_seconds: float = 60.0
    when: Mapping[str, Any] | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """What cannot be meant together, by option: what was found and what would be right."""
        yield from ()


class NetworkOutputConfig(OutputConfig, frozen=True, kw_only=True):
    """An output at the other end of a connection. `ssl` None: the section is absent or off."""

    hosts: tuple[str, ...] = ()
    timeout_seconds: float = 90.0
    worker: int = 1
    loadbalance: bool = True
    ssl: TlsPolicy | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        yield from super().problems()
        if self.ssl is not None:
            for key, text in self.ssl.problems():
                yield f"ssl.{key}", text
