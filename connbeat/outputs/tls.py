"""`ssl.*` to the standard library's SSLContext, which every client library takes.

Imported by what connects only: it loads libcrypto.
"""

import hashlib
import re
import socket
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec

from connbeat.errors import Permanent, Transient
from connbeat.outputs.certificates import pem_files, public_key_info
from connbeat.outputs.tls_policy import TlsPolicy

_VERSIONS = {
    "TLSv1.0": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_PEM_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


def ssl_context(policy: TlsPolicy | None = None) -> ssl.SSLContext:
    """The context for connections to servers, by default with the machine's authorities.

    Reads files. Raises Permanent, which names the option and the file. Of `ca_trusted_fingerprint`
    it knows nothing: `with_trusted_ca` turns that into an authority first.
    """
    policy = policy or TlsPolicy()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As in Go: an authority that was named is trusted, even if another one signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if policy.ca_sha256:
        context.sslsocket_class = _pinned_socket(frozenset(policy.ca_sha256))
    _set_verification(context, policy)
    _load_authorities(context, policy)
    _load_certificate(context, policy)
    _limit_protocols(context, policy)
    if policy.cipher_suites:
        names = ":".join(openssl_name(suite) for suite in policy.cipher_suites)
        try:
            context.set_ciphers(names)
        except ssl.SSLError as error:
            raise Permanent(f"ssl.cipher_suites: OpenSSL knows none of {names}") from error
    return context


def with_trusted_ca(policy: TlsPolicy, address: tuple[str, int], seconds: float) -> TlsPolicy:
    """The policy with the certificate of `ca_trusted_fingerprint` among its authorities.

    Asks the server for its certificates; verifies nothing yet, so the connection that follows has
    to. Without a fingerprint, or with verification off, the policy comes back at once. Raises
    Transient when the server cannot be asked or shows no such certificate.
    """
    if not policy.fingerprint or policy.verification_mode == "none":
        return policy
    try:
        chain = _shown_certificates(policy, address, seconds)
    except OSError as error:
        raise Transient(
            f"cannot ask {address[0]}:{address[1]} for certificates: {error}"
        ) from error
    for der in chain:
        if hashlib.sha256(der).hexdigest() == policy.fingerprint:
            pem = ssl.DER_cert_to_PEM_cert(der)
            authorities = (*policy.certificate_authorities, pem)
            return msgspec.structs.replace(policy, certificate_authorities=authorities)
    raise Transient(
        f"none of the {len(chain)} certificates of {address[0]}:{address[1]} has the"
        f" ssl.ca_trusted_fingerprint {policy.ca_trusted_fingerprint}"
    )


def openssl_name(suite: str) -> str:
    """A cipher suite as OpenSSL calls it: libbeat's `ECDHE-RSA-AES-128-CBC-SHA` loses hyphens."""
    name = re.sub(r"AES-(128|256)", r"AES\1", suite.upper().replace("POLY1205", "POLY1305"))
    return name.replace("-CBC-SHA", "-SHA").removeprefix("RSA-")


def describe_tls_error(error: BaseException) -> str:
    """What a user can do something with: OpenSSL's reason without its internals."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    if reason := getattr(error, "reason", ""):  # an SSLError of Python itself has none
        return str(reason).lower().replace("_", " ")
    return getattr(error, "strerror", "") or str(error) or type(error).__name__


def _set_verification(context: ssl.SSLContext, policy: TlsPolicy) -> None:
    mode = policy.verification_mode
    context.check_hostname = mode in ("full", "strict")
    if mode == "none":
        context.verify_mode = ssl.CERT_NONE
    if mode == "strict" and ssl.HAS_NEVER_CHECK_COMMON_NAME:
        context.hostname_checks_common_name = False


def _load_authorities(context: ssl.SSLContext, policy: TlsPolicy) -> None:
    if policy.verification_mode == "none":
        return
    if not policy.certificate_authorities:
        context.load_default_certs()
    for authority in policy.certificate_authorities:
        try:
            if _PEM_CERTIFICATE in authority:
                context.load_verify_locations(cadata=authority)
            else:
                is_folder = Path(authority).is_dir()
                context.load_verify_locations(
                    cafile=None if is_folder else authority, capath=authority if is_folder else None
                )
        except (OSError, ValueError) as error:
            shown = "the text" if _PEM_CERTIFICATE in authority else authority
            text = f"ssl.certificate_authorities: {shown}: {_reason(error)}"
            raise Permanent(text) from error


def _load_certificate(context: ssl.SSLContext, policy: TlsPolicy) -> None:
    if not policy.certificate:
        return
    with pem_files(policy.certificate, policy.key) as (certificate, key):
        try:
            context.load_cert_chain(certificate, key or None, lambda: policy.key_passphrase)
        except (OSError, ValueError) as error:
            text = f"ssl.certificate, ssl.key or ssl.key_passphrase: {_reason(error)}"
            raise Permanent(text) from error


def _limit_protocols(context: ssl.SSLContext, policy: TlsPolicy) -> None:
    wanted = sorted(_VERSIONS[name] for name in policy.supported_protocols)
    context.minimum_version = wanted[0] if wanted else ssl.TLSVersion.TLSv1_2
    if wanted:
        context.maximum_version = wanted[-1]


def _shown_certificates(
    policy: TlsPolicy, address: tuple[str, int], seconds: float
) -> tuple[bytes, ...]:
    unverified = msgspec.structs.replace(policy, verification_mode="none", ca_sha256=())
    context = ssl_context(unverified)
    with (
        socket.create_connection(address, seconds) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as wrapped,
    ):
        return _chain(wrapped, "get_unverified_chain")


def _chain(wrapped: Any, method: str) -> tuple[bytes, ...]:  # noqa: ANN401  private until 3.13
    """The certificates in DER. Public from Python 3.13 on; the same function underneath before."""
    if hasattr(wrapped, method):
        return tuple(getattr(wrapped, method)())
    certificates = getattr(wrapped._sslobj, method)() or ()  # noqa: SLF001  as above
    return tuple(certificate.public_bytes(2) for certificate in certificates)  # 2: DER


def _pinned_socket(pins: frozenset[str]) -> type[ssl.SSLSocket]:
    """Sockets whose handshake fails unless a key of the verified chain is one of the pins."""

    class PinnedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            if self.context.verify_mode is ssl.CERT_NONE:
                return
            keys = {
                b64encode(hashlib.sha256(public_key_info(der)).digest()).decode()
                for der in _chain(self, "get_verified_chain")
            }
            if not keys & pins:
                text = "no certificate of the chain has a key of ssl.ca_sha256"
                raise ssl.SSLError(ssl.SSL_ERROR_SSL, text)

    return PinnedSocket


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return describe_tls_error(error)
    return getattr(error, "strerror", None) or str(error)
