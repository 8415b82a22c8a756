import ssl
from pathlib import Path

import pytest

from connbeat.errors import Permanent, Transient
from connbeat.outputs.host_tls import HostTls
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.tls_policy import TlsPolicy
from tests.servers.certificates import Authority

URL = HostUrl(scheme="tcp", host="127.0.0.1", port=5044)


def test_a_context_is_made_once_until_it_is_to_be_forgotten(tmp_path: Path) -> None:
    authority = Authority().authority_file(tmp_path)
    tls = HostTls(TlsPolicy(certificate_authorities=(str(authority),)), timeout_seconds=1)
    tls.check()
    first = tls.context(URL)
    assert first.verify_mode is ssl.CERT_REQUIRED
    assert tls.context(URL) is first
    tls.forget()
    assert tls.context(URL) is not first


def test_a_missing_file_is_a_mistake_at_the_start_and_an_accident_later(tmp_path: Path) -> None:
    tls = HostTls(TlsPolicy(certificate_authorities=(str(tmp_path / "no"),)), timeout_seconds=1)
    with pytest.raises(Permanent, match=r"ssl\.certificate_authorities"):
        tls.check()
    with pytest.raises(Transient, match=r"ssl\.certificate_authorities"):
        tls.context(URL)
