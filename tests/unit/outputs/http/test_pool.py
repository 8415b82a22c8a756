"""What needs no server; the rest is in tests/contract/test_http_output.py."""

import pytest
from urllib3 import ProxyManager

from connbeat.errors import Transient
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.http.pool import HttpConnection, proxy_of

URL = HostUrl(scheme="http", host="web", port=80)


@pytest.mark.parametrize(
    ("config", "environment", "proxy"),
    [
        (HttpConfig(), {}, ""),
        (HttpConfig(), {"http_proxy": "http://p:1"}, "http://p:1"),
        (HttpConfig(), {"https_proxy": "http://p:1"}, ""),
        (HttpConfig(), {"http_proxy": "http://p:1", "no_proxy": "web"}, ""),
        (HttpConfig(proxy_url="q:2"), {"http_proxy": "http://p:1"}, "http://q:2"),
        (HttpConfig(proxy_url="https://q"), {"no_proxy": "web"}, "https://q"),
        (HttpConfig(proxy_disable=True), {"http_proxy": "http://p:1"}, ""),
    ],
)
def test_the_proxy_is_the_section_s_or_the_environment_s(
    config: HttpConfig,
    environment: dict[str, str],
    proxy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(URL, config) == proxy


def test_a_proxy_gets_the_credentials_of_its_url() -> None:
    connection = HttpConnection(URL, HttpConfig(proxy_url="http://u:p%40@proxy"), "1")
    manager = connection._manager
    assert isinstance(manager, ProxyManager)
    assert manager.proxy is not None
    assert (manager.proxy.host, manager.proxy.port) == ("proxy", 80)
    assert manager.proxy_headers["Proxy-Authorization"] == "Basic dTpwQA=="
    connection.close()


def test_a_proxy_that_speaks_something_else_is_told_and_stops_nothing() -> None:
    with pytest.raises(Transient, match="socks5"):
        HttpConnection(URL, HttpConfig(proxy_url="socks5://p:1"), "1")
