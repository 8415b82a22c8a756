"""What needs no server; the rest is in tests/contract/test_elasticsearch_client.py."""

import ssl
from typing import Any

import pytest
import urllib3

from connbeat.errors import Transient
from connbeat.outputs.elasticsearch.client import ElasticsearchHost
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.requests import host_settings
from connbeat.outputs.tls import ssl_context
from connbeat.outputs.tls_policy import TlsPolicy, Verification


def host(url: str = "http://127.0.0.1:1", **options: Any) -> ElasticsearchHost:
    config = ElasticsearchConfig(hosts=(url,), timeout_seconds=1.0, **options)
    context = ssl_context(config.ssl) if url.startswith("https") else None
    return ElasticsearchHost(host_settings(config.urls[0], config, "1"), context)


def pool_of(made: ElasticsearchHost) -> Any:
    (node,) = made._client.transport.node_pool.all()
    return node.pool  # type: ignore[attr-defined]  # the node is ours


def test_nobody_there_is_told_in_a_few_words() -> None:
    with pytest.raises(Transient, match=r"^Connection refused$"):
        host(proxy_disable=True).request("GET", "/")


def test_it_is_usable_until_it_fails_and_closing_twice_is_harmless() -> None:
    made = host()
    assert made.is_usable()
    made.close()
    made.close()


@pytest.mark.parametrize(
    ("mode", "assert_hostname", "verified"),
    [
        ("full", None, ssl.CERT_REQUIRED),
        ("strict", None, ssl.CERT_REQUIRED),
        ("certificate", False, ssl.CERT_REQUIRED),
        ("none", False, ssl.CERT_NONE),
    ],
)
def test_the_context_alone_says_what_is_verified(
    mode: Verification, assert_hostname: bool | None, verified: ssl.VerifyMode
) -> None:
    made = host("https://h", proxy_disable=True, ssl=TlsPolicy(verification_mode=mode))
    pool = pool_of(made)
    assert isinstance(pool, urllib3.HTTPSConnectionPool)
    assert pool.conn_kw["ssl_context"].verify_mode is verified
    assert pool.assert_hostname is assert_hostname
    assert pool.ca_certs is None, "nobody's authorities but those of the context"


def test_a_proxy_gets_its_own_credentials() -> None:
    made = host("https://[::1]:9200", proxy_url="http://u:p%40@proxy:3128", ssl=TlsPolicy())
    pool = pool_of(made)
    assert pool._origin == "https://[::1]:9200"
    assert pool._manager.proxy.url == "http://proxy:3128"
    assert pool._manager.proxy_headers == {"proxy-authorization": "Basic dTpwQA=="}
    made.close()
