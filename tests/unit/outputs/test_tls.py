"""Contexts alone; handshakes are in tests/contract/test_tls.py."""

import ssl
from pathlib import Path

import pytest

from connbeat.errors import Permanent
from connbeat.outputs.tls import describe_tls_error, openssl_name, ssl_context, with_trusted_ca
from connbeat.outputs.tls_policy import TlsPolicy
from tests.servers.certificates import Authority


def test_by_default_everything_is_verified() -> None:
    context = ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("mode", "verify", "name"),
    [
        ("full", ssl.CERT_REQUIRED, True),
        ("strict", ssl.CERT_REQUIRED, True),
        ("certificate", ssl.CERT_REQUIRED, False),
        ("none", ssl.CERT_NONE, False),
    ],
)
def test_the_modes_are_libbeat_s(mode: str, verify: ssl.VerifyMode, name: bool) -> None:
    context = ssl_context(TlsPolicy(verification_mode=mode))  # type: ignore[arg-type]  # a literal
    assert (context.verify_mode, context.check_hostname) == (verify, name)
    assert context.hostname_checks_common_name is (mode != "strict")


def test_authorities_are_files_directories_or_texts(tmp_path: Path) -> None:
    authority, other = Authority(), Authority()
    file = authority.authority_file(tmp_path)
    context = ssl_context(TlsPolicy(certificate_authorities=(str(file), other.pem, str(tmp_path))))
    assert context.cert_store_stats()["x509_ca"] == 2


@pytest.mark.parametrize(
    ("policy", "option"),
    [
        (TlsPolicy(certificate_authorities=("/nowhere.pem",)), "/nowhere.pem: No such file"),
        (
            TlsPolicy(certificate_authorities=("-----BEGIN CERTIFICATE-----\nx",)),
            "ssl.certificate_authorities: the text",
        ),
        (TlsPolicy(certificate="/nowhere.pem"), "ssl.certificate"),
        (TlsPolicy(cipher_suites=("NONSENSE",)), "ssl.cipher_suites"),
    ],
)
def test_what_cannot_be_used_is_named(policy: TlsPolicy, option: str) -> None:
    with pytest.raises(Permanent, match=option):
        ssl_context(policy)


def test_our_own_certificate_may_be_files_or_texts(tmp_path: Path) -> None:
    certificate, key = Authority().client_files(tmp_path)
    ssl_context(TlsPolicy(certificate=str(certificate), key=str(key)))
    ssl_context(TlsPolicy(certificate=certificate.read_text(), key=key.read_text()))
    with pytest.raises(Permanent, match="key"):
        ssl_context(TlsPolicy(certificate=str(certificate)))


def test_protocols_are_a_range() -> None:
    context = ssl_context(TlsPolicy(supported_protocols=("TLSv1.2",)))
    assert context.minimum_version is context.maximum_version is ssl.TLSVersion.TLSv1_2
    context = ssl_context(TlsPolicy(supported_protocols=("TLSv1.3", "TLSv1.2")))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.maximum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("libbeat", "openssl"),
    [
        ("ECDHE-RSA-AES-128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("ECDHE-ECDSA-AES-256-CBC-SHA", "ECDHE-ECDSA-AES256-SHA"),
        ("RSA-AES-128-CBC-SHA", "AES128-SHA"),
        ("ECDHE-RSA-CHACHA20-POLY1205", "ECDHE-RSA-CHACHA20-POLY1305"),
        ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    ],
)
def test_cipher_suites_have_libbeat_s_names_or_openssl_s(libbeat: str, openssl: str) -> None:
    assert openssl_name(libbeat) == openssl
    suites = [
        suite["name"] for suite in ssl_context(TlsPolicy(cipher_suites=(libbeat,))).get_ciphers()
    ]
    assert openssl in suites


def test_without_a_fingerprint_nobody_is_asked() -> None:
    policy = TlsPolicy()
    assert with_trusted_ca(policy, ("nowhere.invalid", 1), 1) is policy


def test_errors_are_said_without_openssl_s_internals() -> None:
    assert describe_tls_error(ssl.SSLError(1, "short")) == "short"
    assert describe_tls_error(ConnectionResetError(104, "Connection reset")) == "Connection reset"
    assert describe_tls_error(ValueError()) == "ValueError"
