"""How a connection is protected: the options `ssl.*`. Apart from `tls`, which loads libcrypto."""

import binascii
import re
from collections.abc import Iterator
from typing import Literal

import msgspec

Verification = Literal["full", "strict", "certificate", "none"]

#: Names of libbeat; the versions before 1.2 work only where the machine's OpenSSL still has them.
PROTOCOLS = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")


class TlsPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Options of libbeat, names and meanings.

    Certificates and keys are file names or PEM texts. `verification_mode`: `full` checks the chain
    and the name, `strict` takes no name but those of the extension, `certificate` checks the chain
    alone, `none` nothing. `ca_trusted_fingerprint` (hexadecimal, SHA-256) adds that one of the
    certificates the server shows to the authorities, see `tls.with_trusted_ca`. `ca_sha256` (base64
    of the SHA-256 of a public key) wants one of those keys in the chain that was verified.
    """

    verification_mode: Verification = "full"
    certificate_authorities: tuple[str, ...] = ()
    certificate: str = ""
    key: str = ""
    key_passphrase: str = ""
    ca_sha256: tuple[str, ...] = ()
    ca_trusted_fingerprint: str = ""
    supported_protocols: tuple[str, ...] = ()
    cipher_suites: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """`ca_trusted_fingerprint` in lower case, without colons."""
        return self.ca_trusted_fingerprint.replace(":", "").lower()

    def problems(self) -> Iterator[tuple[str, str]]:
        """What cannot be meant, by option; files are looked into by `tls.ssl_context`."""
        if self.key and not self.certificate:
            yield "key", "found a key without ssl.certificate"
        if self.fingerprint and not re.fullmatch("[0-9a-f]{64}", self.fingerprint):
            yield "ca_trusted_fingerprint", "expected 64 hexadecimal digits (SHA-256)"
        for pin in self.ca_sha256:
            if not _is_sha256(pin):
                yield "ca_sha256", f"found {pin!r}, expected a SHA-256 in base64"
        for protocol in self.supported_protocols:
            if protocol not in PROTOCOLS:
                yield (
                    "supported_protocols",
                    f"found {protocol!r}, expected some of {', '.join(PROTOCOLS)}",
                )


def _is_sha256(text: str) -> bool:
    try:
        return len(binascii.a2b_base64(text, strict_mode=True)) == 32
    except ValueError:
        return False
