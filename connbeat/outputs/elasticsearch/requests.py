"""What a configuration says of requests to one of its hosts."""

from base64 import b64encode
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import msgspec

from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.hosts import HostUrl


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One host and how it is spoken to; `proxy` "" is none."""

    url: HostUrl
    headers: Mapping[str, str]
    timeout_seconds: float
    compression_level: int
    proxy: str = ""


def host_settings(url: HostUrl, config: ElasticsearchConfig, version: str) -> HostSettings:
    """`version` is the agent's."""
    headers = {"user-agent": f"connbeat/{version}"}
    if authorization := authorization_for(url, config):
        headers["authorization"] = authorization
    return HostSettings(
        url=url,
        headers=headers | {name.lower(): value for name, value in config.headers.items()},
        timeout_seconds=config.timeout_seconds,
        compression_level=config.compression_level,
        proxy=proxy_for(url, config),
    )


def authorization_for(url: HostUrl, config: ElasticsearchConfig) -> str:
    """What the host's URL says wins over the options. "" for nothing."""
    if url.username:
        return f"Basic {_base64(f'{url.username}:{url.password}')}"
    if config.api_key:
        # Kibana shows it either as `id:key` or encoded already.
        key = config.api_key
        return f"ApiKey {_base64(key) if ':' in key else key}"
    if config.username:
        return f"Basic {_base64(f'{config.username}:{config.password}')}"
    return ""


def proxy_for(url: HostUrl, config: ElasticsearchConfig) -> str:
    """`proxy_url`, otherwise what `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say."""
    if config.proxy_disable:
        return ""
    proxy = config.proxy_url
    if not proxy and not proxy_bypass(url.netloc):
        proxy = getproxies().get(url.scheme, "")
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def retry_after_seconds(text: str) -> float:
    """What `Retry-After` asks for in seconds; 0 for a date, which Elasticsearch never sends."""
    return float(text[:9]) if text.isascii() and text.isdecimal() else 0.0


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
