from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from connbeat.outputs.certificates import pem_files, public_key_info
from tests.servers.certificates import Authority


def test_the_public_key_is_found_in_a_certificate() -> None:
    certificate = x509.load_pem_x509_certificate(Authority().pem.encode())
    info = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public_key_info(certificate.public_bytes(serialization.Encoding.DER)) == info


@given(st.binary(max_size=40))
def test_what_is_no_certificate_is_refused(junk: bytes) -> None:
    for der in (junk, b"\x30\x20\x30\x1e" + junk):
        try:
            public_key_info(der)
        except ValueError:
            continue


def test_a_certificate_cut_short_is_refused() -> None:
    der = x509.load_pem_x509_certificate(Authority().pem.encode()).public_bytes(
        serialization.Encoding.DER
    )
    for length in range(0, 200, 7):
        with pytest.raises(ValueError, match="not a certificate"):
            public_key_info(der[:length])


def test_a_text_is_a_file_for_a_while_and_a_name_stays() -> None:
    with pem_files("/etc/x.pem", "-----BEGIN X-----\n", "") as (name, text, nothing):
        assert (name, nothing) == ("/etc/x.pem", "")
        path = Path(text)
        assert path.read_text() == "-----BEGIN X-----\n"
        assert path.parent.stat().st_mode & 0o077 == 0
    assert not path.exists()
