"""The first steps of `connbeat test output`, the same for every output on the network."""

import socket
import ssl
import time
from collections.abc import Iterator

import msgspec

from connbeat.errors import ConnbeatError
from connbeat.outputs.protocol import Check, Step
from connbeat.outputs.tls import describe_tls_error, ssl_context, with_trusted_ca
from connbeat.outputs.tls_policy import TlsPolicy


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where to, how long each step may take, and how it is protected; `tls` None: not at all."""

    host: str
    port: int
    seconds: float
    tls: TlsPolicy | None = None

    @property
    def target(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def probe(endpoint: Endpoint) -> Iterator[Check]:
    """Resolve, connect and, where wanted, the handshake. Ends with the first step that failed."""
    resolved = _resolve(endpoint)
    yield resolved
    if resolved.error:
        return
    try:
        plain = socket.create_connection((endpoint.host, endpoint.port), endpoint.seconds)
    except OSError as error:
        yield _failed(Step.CONNECT, endpoint, error)
        return
    with plain:
        connected = _connected(endpoint, plain)
        yield connected
        if endpoint.tls is not None and not connected.error:
            yield _handshake(endpoint, endpoint.tls, plain)


def _resolve(endpoint: Endpoint) -> Check:
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return _failed(Step.RESOLVE, endpoint, error)
    addresses = dict.fromkeys(str(address[0]) for *_, address in found)
    return Check(step=Step.RESOLVE, target=endpoint.target, detail=", ".join(addresses))


def _connected(endpoint: Endpoint, plain: socket.socket) -> Check:
    try:
        peer = str(plain.getpeername()[0])
    except OSError as error:  # reset meanwhile
        return _failed(Step.CONNECT, endpoint, error)
    return Check(step=Step.CONNECT, target=endpoint.target, detail=peer)


def _handshake(endpoint: Endpoint, tls: TlsPolicy, plain: socket.socket) -> Check:
    try:
        policy = with_trusted_ca(tls, (endpoint.host, endpoint.port), endpoint.seconds)
        with ssl_context(policy).wrap_socket(plain, server_hostname=endpoint.host) as wrapped:
            return Check(step=Step.TLS, target=endpoint.target, detail=_describe(wrapped))
    except (OSError, ValueError, ConnbeatError) as error:
        return _failed(Step.TLS, endpoint, error)


def _describe(wrapped: ssl.SSLSocket) -> str:
    """The version, and when the certificate ends where it was looked at."""
    certificate = wrapped.getpeercert() or {}
    parts = [wrapped.version() or "TLS"]
    if "notAfter" in certificate:
        ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        parts.append(f"certificate valid until {time.strftime('%Y-%m-%d', time.gmtime(ends))}")
    if wrapped.context.verify_mode is ssl.CERT_NONE:
        parts.append("certificate not verified")
    return ", ".join(parts)


def _failed(step: Step, endpoint: Endpoint, error: Exception) -> Check:
    if isinstance(error, TimeoutError):
        text = f"no answer within {endpoint.seconds:g} s"
    elif isinstance(error, ssl.SSLError):
        text = describe_tls_error(error)
    else:
        text = getattr(error, "strerror", None) or str(error)
    return Check(step=step, target=endpoint.target, error=text)
