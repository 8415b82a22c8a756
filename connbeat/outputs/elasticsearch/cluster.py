"""What the output asks of a cluster, apart from who asks it."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """What HTTP brought back; `body` is JSON unless something stands in between."""

    status: int
    body: bytes
    retry_after_seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Cluster(Protocol):
    """One host of a cluster. One thread uses it."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Any answer there is, whatever its status. `body` is JSON, for `_bulk` NDJSON.

        Blocks for the configured timeout. Raises Transient when there is no answer, or one that
        does not come from Elasticsearch.
        """
        ...

    def is_usable(self) -> bool: ...

    def close(self) -> None:
        """Never raises; closing twice is harmless."""
        ...
