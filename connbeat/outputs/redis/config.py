"""The section `output.redis`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from connbeat.model.format_strings import FormatString
from connbeat.outputs.configuration import NetworkOutputConfig
from connbeat.outputs.hosts import HostDefaults

PORT = 6379

Datatype = Literal["list", "channel"]


class RedisConfig(NetworkOutputConfig, frozen=True, kw_only=True):
    """Documents at the end of lists, or published on channels."""

    timeout_seconds: float = 5.0
    port: int = PORT
    key: FormatString = FormatString.parse("connbeat")
    keys: Sequence[Mapping[str, Any]] = ()
    datatype: Datatype = "list"
    db: int = 0
    username: str = ""
    password: str = ""

    def problems(self) -> Iterator[tuple[str, str]]:
        yield from super().problems()
        if self.username and not self.password:
            yield "username", "found a username without a password"
        if self.key.constant == "":
            yield "key", "expected a name, found nothing"


def host_defaults(port: int) -> HostDefaults:
    """A host without a scheme (`tcp`) has TLS if there is a section `ssl`."""
    return HostDefaults(ports={"tcp": port, "redis": port, "rediss": port}, scheme="tcp")
