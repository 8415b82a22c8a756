"""One host of a cluster, asked with the official client: the only module that knows it.

Of the client we use its requests: it speaks to the versions before and after its own
(`compatible-with=8`) and knows an Elasticsearch from what only looks like one. Its retries, its
choice of hosts and its JSON are not used: for those there are `agent.delivery.deliver`,
`outputs.failover` and msgspec.
"""

import logging
import ssl
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from elastic_transport import (
    BaseNode,
    ConnectionTimeout,
    NodeConfig,
    Serializer,
    TransportError,
    Urllib3HttpNode,
)
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError
from urllib3.exceptions import InsecureRequestWarning, NameResolutionError

from connbeat.errors import Transient
from connbeat.outputs.elasticsearch.cluster import Answer
from connbeat.outputs.elasticsearch.requests import HostSettings, retry_after_seconds
from connbeat.outputs.tls import describe_tls_error

_log = logging.getLogger(__name__)
# It tells of every failure at WARNING, and so do we.
logging.getLogger("elastic_transport").setLevel(logging.ERROR)

_GZIP = 16 + zlib.MAX_WBITS
_PROXY = "_connbeat_proxy"


class ElasticsearchHost:
    """A `Cluster`. It connects by itself when it is asked, and keeps the connection."""

    def __init__(self, settings: HostSettings, tls: ssl.SSLContext | None) -> None:
        """`tls` is None for http."""
        self._seconds = settings.timeout_seconds
        self._compression_level = settings.compression_level
        self._headers = dict(settings.headers)  # a node's own would lose `user-agent`
        url = settings.url
        node = NodeConfig(
            scheme=url.scheme,
            host=url.host,
            port=url.port,
            path_prefix=url.path.rstrip("/"),
            connections_per_node=1,
            request_timeout=settings.timeout_seconds,
            ssl_context=tls,
            _extras={_PROXY: settings.proxy},
        )
        raw = _RawSerializer()
        self._client = Elasticsearch(
            [node],
            node_class=_Node,
            serializers={"application/json": raw, "application/x-ndjson": raw, "text/*": raw},
            max_retries=0,
            retry_on_status=(),
            retry_on_timeout=False,
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        headers = {"accept": "application/json", **self._headers}
        if body is not None:
            kind = "x-ndjson" if path.endswith("/_bulk") else "json"
            headers["content-type"] = f"application/{kind}"
            if self._compression_level:
                headers["content-encoding"] = "gzip"
                body = zlib.compress(body, self._compression_level, _GZIP)
        try:
            answer = self._client.perform_request(
                method, path, params=query, headers=headers, body=body
            )
        except UnsupportedProductError as error:
            raise Transient("what answers is not Elasticsearch") from error
        except ApiError as error:
            return _answer(error.meta.status, error.body, error.meta.headers)
        except TransportError as error:
            raise Transient(_describe(error, self._seconds)) from error
        return _answer(answer.meta.status, answer.body, answer.meta.headers)

    def is_usable(self) -> bool:
        return True

    def close(self) -> None:
        self._client.close()


class _RawSerializer(Serializer):
    """Bytes as they are, both ways."""

    def dumps(self, data: bytes) -> bytes:
        return data

    def loads(self, data: bytes) -> bytes:
        return data


class _Node(Urllib3HttpNode):
    """The client's own, but for the pool: its TLS adds authorities to those of a context."""

    def __init__(self, config: NodeConfig) -> None:
        BaseNode.__init__(self, config)
        self.pool = _pool(config)

    def perform_request(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  the client's
        """Deprecations are for who wrote the request: for us they are no warnings of Python."""
        answer = super().perform_request(*arguments, **options)
        if "warning" in answer.meta.headers:
            _log.debug("Elasticsearch warns. text=%s", answer.meta.headers["warning"])
            del answer.meta.headers["warning"]
        return answer

    def _log_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  the client's
        """Nothing: it would decode every body for a line that nobody reads."""


def _pool(config: NodeConfig) -> Any:  # noqa: ANN401  what a node asks of a pool
    if config._extras[_PROXY]:  # noqa: SLF001  how the client carries what it does not know
        return _ProxiedPool(config)
    if config.ssl_context is None:
        return urllib3.HTTPConnectionPool(config.host, config.port, **_pool_options(config))
    return urllib3.HTTPSConnectionPool(config.host, config.port, **_pool_options(config))


def _pool_options(config: NodeConfig) -> dict[str, Any]:
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(config.request_timeout),
        "maxsize": config.connections_per_node,
        "block": True,
    }
    context = config.ssl_context
    if context is not None:
        # urllib3 checks the name by itself where the context does not.
        is_named = context.check_hostname
        options |= {"ssl_context": context, "assert_hostname": None if is_named else False}
        if context.verify_mode is ssl.CERT_NONE:
            options["cert_reqs"] = "CERT_NONE"
            urllib3.disable_warnings(InsecureRequestWarning)  # one for every request
    return options


class _ProxiedPool:
    """What a node asks of a pool, by way of a proxy."""

    def __init__(self, config: NodeConfig) -> None:
        proxy = urlsplit(config._extras[_PROXY])  # noqa: SLF001  as above
        port = proxy.port or (443 if proxy.scheme == "https" else 80)
        headers = None
        if proxy.username:
            login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            headers = urllib3.make_headers(proxy_basic_auth=login)
        host = f"[{config.host}]" if ":" in config.host else config.host
        self._origin = f"{config.scheme}://{host}:{config.port}"
        self._manager = urllib3.ProxyManager(
            f"{proxy.scheme}://{proxy.hostname}:{port}",
            proxy_headers=headers,
            **_pool_options(config),
        )

    def urlopen(self, method: str, target: str, **options: Any) -> urllib3.BaseHTTPResponse:  # noqa: ANN401  urllib3's
        return self._manager.urlopen(method, self._origin + target, redirect=False, **options)

    def close(self) -> None:
        self._manager.clear()


def _answer(status: int, body: object, headers: Mapping[str, str]) -> Answer:
    return Answer(
        status=status,
        body=body if isinstance(body, bytes) else b"",
        retry_after_seconds=retry_after_seconds(headers.get("retry-after", "")),
    )


def _describe(error: TransportError, seconds: float) -> str:
    """One line without the client's objects in it."""
    if isinstance(error, ConnectionTimeout):
        return f"no answer within {seconds:g} s"
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        if isinstance(inner, NameResolutionError):
            return "the host's name cannot be resolved"
        cause = inner
    return describe_tls_error(cause) if isinstance(cause, Exception) else str(cause)
