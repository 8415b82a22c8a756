"""What a request looks like: body, headers, target. Pure."""

import gzip
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import urlencode

from connbeat.model.batches import Event
from connbeat.outputs.hosts import HostDefaults, HostUrl, parse_hosts
from connbeat.outputs.http.config import HttpConfig

_JSON = "application/json; charset=UTF-8"
_NDJSON = "application/x-ndjson"


def urls_of(config: HttpConfig) -> tuple[HostUrl, ...]:
    """The hosts with everything that the section says beside them. Raises ValueError."""
    defaults = HostDefaults(
        ports={"http": 80, "https": 443}, scheme=config.protocol, path=config.path
    )
    return parse_hosts(config.hosts, defaults)


def target_of(url: HostUrl, config: HttpConfig) -> str:
    """Path and query, `parameters` behind what the host has of its own."""
    parameters = urlencode(config.parameters)
    if not parameters:
        return url.target
    return f"{url.target}{'&' if url.query else '?'}{parameters}"


def headers_of(url: HostUrl, config: HttpConfig, version: str) -> dict[str, str]:
    """The same for every request to this host. What the user set wins."""
    headers = {
        "Accept": "application/json",
        "Content-Type": _NDJSON if config.batch == "ndjson" else _JSON,
        "User-Agent": f"connbeat/{version}",
    }
    if config.compression_level:
        headers["Content-Encoding"] = "gzip"
    if not config.keep_alive:
        headers["Connection"] = "close"
    username = url.username or config.username
    if config.bearer_token:
        headers["Authorization"] = f"Bearer {config.bearer_token}"
    elif username:
        password = url.password if url.username else config.password
        headers["Authorization"] = basic_authorization(username, password)
    names = {name.lower() for name in config.headers}
    kept = {name: value for name, value in headers.items() if name.lower() not in names}
    return {**kept, **config.headers}


def basic_authorization(username: str, password: str) -> str:
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


def body_of(events: Sequence[Event], config: HttpConfig) -> bytes:
    """One event a line, which a single event is too, or one array."""
    if config.batch == "array":
        body = b"[" + b",".join([event.body for event in events]) + b"]"
    else:
        body = b"".join([part for event in events for part in (event.body, b"\n")])
    if config.compression_level:
        return gzip.compress(body, config.compression_level, mtime=0)
    return body
