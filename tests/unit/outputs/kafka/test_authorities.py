from pathlib import Path
from typing import Any

import pytest
import trustme

from connbeat.errors import Permanent, Transient
from connbeat.outputs.kafka.authorities import connection_properties
from connbeat.outputs.kafka.config import KafkaConfig
from connbeat.outputs.kafka.properties import Properties
from connbeat.outputs.tls_policy import TlsPolicy

AUTHORITY = trustme.CA().cert_pem.bytes().decode()


def properties(**options: Any) -> Properties:
    config = KafkaConfig(hosts=("127.0.0.1:1",), ssl=TlsPolicy(**options), timeout_seconds=1.0)
    return connection_properties(config, config.hosts)


def test_without_tls_no_certificate_is_looked_for() -> None:
    config = KafkaConfig(hosts=("k",))
    made = connection_properties(config, config.hosts)
    assert made["security.protocol"] == "plaintext"
    assert not [name for name in made if name.startswith(("ssl.", "enable.ssl"))]


def test_files_folders_and_texts_become_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text(AUTHORITY)
    (tmp_path / "README").write_text("no certificate")
    (tmp_path / "below").mkdir()
    made = properties(certificate_authorities=(str(tmp_path), str(tmp_path / "a.pem"), AUTHORITY))
    assert str(made["ssl.ca.pem"]).count("-----BEGIN CERTIFICATE-----") == 3


def test_who_verifies_nothing_needs_no_authorities() -> None:
    made = properties(verification_mode="none", certificate_authorities=("/nowhere",))
    assert "ssl.ca.pem" not in made


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem", "."])
def test_an_authority_that_is_none_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(Permanent, match="certificate_authorities"):
        properties(certificate_authorities=(str(tmp_path / name),))


def test_a_fingerprint_wants_a_host_that_answers() -> None:
    with pytest.raises(Transient):
        properties(ca_trusted_fingerprint="ab" * 32)
