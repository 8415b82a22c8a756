"""Certificates for tests: an authority of the test's own, and what it signs."""

import datetime as dt
import hashlib
import ssl
from base64 import b64encode
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

_DAY = dt.timedelta(days=1)


class Authority:
    """One authority, signed by itself or by its parent. Nobody but the test trusts it."""

    def __init__(self, parent: "Authority | None" = None) -> None:
        self._ca: trustme.CA = trustme.CA() if parent is None else parent._ca.create_child_ca()
        self.pem: str = self._ca.cert_pem.bytes().decode()
        self._certificate = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes())

    @property
    def fingerprint(self) -> str:
        """For `ssl.ca_trusted_fingerprint`."""
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        return hashlib.sha256(der).hexdigest()

    @property
    def key_pin(self) -> str:
        """For `ssl.ca_sha256`."""
        info = self._certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return b64encode(hashlib.sha256(info).digest()).decode()

    def server_context(
        self,
        *names: str,
        is_expired: bool = False,
        shows_authority: bool = False,
        clients: "Authority | None" = None,
    ) -> ssl.SSLContext:
        """For a server of these names (`localhost` and 127.0.0.1 by default).

        `shows_authority`: its chain has the authority's certificate, which a fingerprint needs.
        `clients`: only those with a certificate of that authority may come.
        """
        leaf = self._issue(names or ("localhost", "127.0.0.1"), is_expired=is_expired)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if shows_authority:
            self._load_with_authority(context, leaf)
        else:
            leaf.configure_cert(context)
        if clients is not None:
            context.load_verify_locations(cadata=clients.pem)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_files(self, folder: Path, name: str = "agent@localhost") -> tuple[Path, Path]:
        """A certificate and its key, in files: `ssl.certificate` and `ssl.key`."""
        leaf = self._ca.issue_cert(name)
        certificate, key = folder / "client.pem", folder / "client.key"
        leaf.cert_chain_pems[0].write_to_path(certificate)
        leaf.private_key_pem.write_to_path(key)
        return certificate, key

    def authority_file(self, folder: Path) -> Path:
        """`ssl.certificate_authorities`, as a file."""
        path = folder / "authority.pem"
        path.write_text(self.pem)
        return path

    def server_files(self, folder: Path, *names: str) -> tuple[Path, Path]:
        """A certificate and its key, for servers that are programs of their own."""
        leaf = self._issue(names or ("localhost", "127.0.0.1"), is_expired=False)
        certificate, key = folder / "server.pem", folder / "server.key"
        leaf.cert_chain_pems[0].write_to_path(certificate)
        leaf.private_key_pem.write_to_path(key)
        return certificate, key

    def _issue(self, names: tuple[str, ...], *, is_expired: bool) -> trustme.LeafCert:
        now = dt.datetime.now(dt.UTC)
        ends = now - _DAY if is_expired else now + 30 * _DAY
        return self._ca.issue_cert(*names, not_before=now - 30 * _DAY, not_after=ends)

    def _load_with_authority(self, context: ssl.SSLContext, leaf: trustme.LeafCert) -> None:
        chain = leaf.cert_chain_pems[0].bytes() + self._ca.cert_pem.bytes()
        with trustme.Blob(leaf.private_key_pem.bytes() + chain).tempfile() as path:
            context.load_cert_chain(path)
