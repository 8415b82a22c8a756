from base64 import b64decode
from typing import Any

import pytest

from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.requests import (
    HostSettings,
    authorization_for,
    host_settings,
    proxy_for,
    retry_after_seconds,
)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def settings(host: str = "es", **options: Any) -> HostSettings:
    config = ElasticsearchConfig(hosts=(host,), **options)
    return host_settings(config.urls[0], config, "1.2.3")


def authorization(host: str = "es", **options: Any) -> str:
    config = ElasticsearchConfig(hosts=(host,), **options)
    return authorization_for(config.urls[0], config)


def proxy(host: str = "es", **options: Any) -> str:
    config = ElasticsearchConfig(hosts=(host,), **options)
    return proxy_for(config.urls[0], config)


def decoded(header: str) -> tuple[str, str]:
    kind, _, text = header.partition(" ")
    return kind, b64decode(text).decode()


def test_who_asks_is_told() -> None:
    assert settings().headers == {"user-agent": "connbeat/1.2.3"}


def test_without_credentials_there_is_no_login() -> None:
    assert authorization() == ""


def test_basic_authentication_takes_any_letters() -> None:
    assert decoded(authorization(username="ü", password="p:w")) == ("Basic", "ü:p:w")


def test_credentials_of_a_host_win() -> None:
    found = authorization("http://u:p%40@es", username="x", password="y", api_key="")
    assert decoded(found) == ("Basic", "u:p@")


def test_an_api_key_may_be_encoded_already() -> None:
    assert decoded(authorization(api_key="id:key")) == ("ApiKey", "id:key")
    assert authorization(api_key="aWQ6a2V5") == "ApiKey aWQ6a2V5"


def test_headers_are_the_users_last_word() -> None:
    found = settings(username="u", password="p", headers={"Authorization": "Bearer t", "X-A": "b"})
    assert found.headers["authorization"] == "Bearer t"
    assert found.headers["x-a"] == "b"


def test_a_proxy_is_the_options_or_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy() == ""
    monkeypatch.setenv("http_proxy", "proxy:3128")
    assert proxy() == "http://proxy:3128"
    assert proxy("https://es") == ""
    assert proxy(proxy_url="https://other:1") == "https://other:1"
    assert proxy(proxy_disable=True, proxy_url="https://other:1") == ""
    monkeypatch.setenv("no_proxy", "es")
    assert proxy() == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 0.0), ("7", 7.0), ("-7", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("٣", 0.0)],
)
def test_only_seconds_are_a_pause(text: str, seconds: float) -> None:
    assert retry_after_seconds(text) == seconds
