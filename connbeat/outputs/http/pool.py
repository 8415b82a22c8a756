"""One connection to one host, kept open. The only module that knows urllib3.

Its retries are off and it follows no redirect: what an answer means is decided in `answers`.
"""

import ssl
from http.client import BadStatusLine, RemoteDisconnected
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InsecureRequestWarning,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from connbeat.errors import Permanent, Transient
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.http.answers import Answer
from connbeat.outputs.http.codec import basic_authorization, headers_of, target_of
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.tls import describe_tls_error, ssl_context, with_trusted_ca

#: Of an answer's body so much is read, and so much of it is worth a line of the log.
_MOST_BYTES = 65_536
_TEXT_CHARACTERS = 200


class HttpConnection:
    """Not thread-safe; it connects by itself when it is used."""

    def __init__(self, url: HostUrl, config: HttpConfig, version: str) -> None:
        """Raises Transient: certificates and keys may be replaced while we run."""
        self.url = url
        self._target = target_of(url, config)
        self._headers = headers_of(url, config, version)
        self._seconds = config.timeout_seconds
        self._keeps_alive = config.keep_alive
        try:
            self._manager = _manager(url, config)
        except (Permanent, HTTPError) as error:  # HTTPError: a proxy of a kind it does not know
            raise Transient(str(error)) from error
        self._pool = self._new_pool()
        if self._manager.proxy is not None and url.scheme == "http":
            self._target = f"http://{url.netloc}{self._target}"  # as proxies want it

    def is_usable(self) -> bool:
        return True

    def post(self, body: bytes) -> Answer:
        """Blocks for as long as the timeout. Raises Transient: nobody knows what arrived."""
        return self.request("POST", body)

    def request(self, method: str, body: bytes | None) -> Answer:
        """As `post`, with any method."""
        try:
            response = self._pool.urlopen(
                method,
                self._target,
                body=body,
                headers=self._headers,
                timeout=self._seconds,
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
            )
            text = _read(response)
            if not self._keeps_alive:  # not every server closes when it is asked to
                self.close()
                self._pool = self._new_pool()
        except (HTTPError, OSError) as error:
            raise Transient(_describe(error, self._seconds)) from error
        return Answer(
            status=response.status,
            text=text,
            retry_after=response.headers.get("Retry-After", ""),
            location=response.headers.get("Location", ""),
        )

    def close(self) -> None:
        self._manager.clear()

    def _new_pool(self) -> urllib3.HTTPConnectionPool:
        """Asked itself, instead of its manager, it saves 20 us a request."""
        return self._manager.connection_from_host(self.url.host, self.url.port, self.url.scheme)


def proxy_of(url: HostUrl, config: HttpConfig) -> str:
    """The proxy's URL, "" for none: `proxy_url`, otherwise what the environment says."""
    if config.proxy_disable:
        return ""
    proxy = config.proxy_url
    if not proxy and not proxy_bypass(url.netloc):
        proxy = getproxies().get(url.scheme, "")
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _manager(url: HostUrl, config: HttpConfig) -> urllib3.PoolManager:
    proxy = proxy_of(url, config)
    context = None
    if url.scheme == "https":
        policy = config.ssl
        if policy is not None and not proxy:
            policy = with_trusted_ca(policy, (url.host, url.port), config.timeout_seconds)
        context = ssl_context(policy)
        if context.verify_mode is ssl.CERT_NONE:  # it would be a warning for every request
            urllib3.disable_warnings(InsecureRequestWarning)
    # One pool of one connection; urllib3 checks the name as the context says.
    if not proxy:
        return urllib3.PoolManager(
            num_pools=1, maxsize=1, ssl_context=context, assert_hostname=_assert_hostname(config)
        )
    parts = urlsplit(proxy)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    headers = {}
    if parts.username:
        name, password = unquote(parts.username), unquote(parts.password or "")
        headers["Proxy-Authorization"] = basic_authorization(name, password)
    return urllib3.ProxyManager(
        f"{parts.scheme}://{parts.hostname}:{port}",
        num_pools=1,
        maxsize=1,
        proxy_headers=headers,
        ssl_context=context,
        assert_hostname=_assert_hostname(config),
    )


def _assert_hostname(config: HttpConfig) -> bool | None:
    """False where the context does not check the name either: urllib3 has a check of its own."""
    mode = config.ssl.verification_mode if config.ssl is not None else "full"
    return False if mode in ("certificate", "none") else None


def _read(response: urllib3.BaseHTTPResponse) -> str:
    """To the end, so that the connection can be used again; a long body costs the connection."""
    data = b""
    while len(data) < _MOST_BYTES:
        piece = response.read(_MOST_BYTES, decode_content=False)
        if not piece:
            response.release_conn()
            return _as_text(data)
        data += piece
    response.close()
    return _as_text(data)


def _as_text(data: bytes) -> str:
    return " ".join(data[: 4 * _TEXT_CHARACTERS].decode(errors="replace").split())[
        :_TEXT_CHARACTERS
    ]


def _describe(error: Exception, seconds: float) -> str:
    """One line without urllib3's objects in it."""
    if isinstance(error, NameResolutionError):
        return "the host's name cannot be resolved"
    is_timeout = isinstance(error, ConnectTimeoutError | ReadTimeoutError)
    if is_timeout and not isinstance(error, NewConnectionError):
        return f"no answer within {seconds:g} s"
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
        return "what it answers is not HTTP"
    return describe_tls_error(cause)
