"""The section `output.http`."""

from collections.abc import Iterator, Mapping
from typing import Literal

from connbeat.outputs.configuration import NetworkOutputConfig

BatchMode = Literal["off", "ndjson", "array"]


class HttpConfig(NetworkOutputConfig, frozen=True, kw_only=True):
    """Documents by POST. `batch` off: one request for each, as the original did."""

    protocol: Literal["http", "https"] = "http"
    path: str = ""
    parameters: Mapping[str, str] = {}
    username: str = ""
    password: str = ""
    bearer_token: str = ""
    headers: Mapping[str, str] = {}
    proxy_url: str = ""
    proxy_disable: bool = False
    compression_level: int = 0
    keep_alive: bool = True
    batch: BatchMode = "off"

    def problems(self) -> Iterator[tuple[str, str]]:
        yield from super().problems()
        if self.bearer_token and self.username:
            yield "bearer_token", "expected either a bearer_token or username and password"
        if not _is_line(self.bearer_token):
            yield "bearer_token", "expected a token, without line feeds"
        if "://" in self.proxy_url and not self.proxy_url.startswith(("http://", "https://")):
            yield "proxy_url", "expected a proxy that speaks HTTP, http://host:port"
        for name, value in self.headers.items():
            if not _is_header(name, value):
                yield f"headers.{name}", "expected a header's name, and a value of one line"


def _is_header(name: str, value: str) -> bool:
    plain = name.replace("-", "").replace("_", "")
    return plain.isascii() and plain.isalnum() and _is_line(value)


def _is_line(value: str) -> bool:
    """Whether it can stand in a header: HTTP knows Latin-1 there."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return all(character.isprintable() for character in value)
