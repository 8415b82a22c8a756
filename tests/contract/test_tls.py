"""`ssl.*` against real handshakes, step by step as `connbeat test output` tells them."""

import socket
from pathlib import Path

import pytest

from connbeat.errors import Transient
from connbeat.outputs.probing import Endpoint, probe
from connbeat.outputs.protocol import Check, Step
from connbeat.outputs.tls import with_trusted_ca
from connbeat.outputs.tls_policy import TlsPolicy
from tests.servers.certificates import Authority
from tests.servers.fault_proxy import FaultProxy, Reset, Stall, Truncate
from tests.servers.http_server import HttpServer

OURS, OTHER = Authority(), Authority()


def handshake(server: HttpServer, policy: TlsPolicy, host: str = "127.0.0.1") -> Check:
    """The last step."""
    *before, last = probe(Endpoint(host=host, port=server.port, seconds=2, tls=policy))
    assert [check.step for check in before] == [Step.RESOLVE, Step.CONNECT]
    assert last.step is Step.TLS
    return last


@pytest.mark.parametrize(
    "policy",
    [
        TlsPolicy(certificate_authorities=(OURS.pem,)),
        TlsPolicy(certificate_authorities=(OTHER.pem, OURS.pem)),
        TlsPolicy(certificate_authorities=(OURS.pem,), verification_mode="strict"),
        TlsPolicy(ca_trusted_fingerprint=OURS.fingerprint),
        TlsPolicy(ca_trusted_fingerprint=OURS.fingerprint.upper()),
        TlsPolicy(certificate_authorities=(OURS.pem,), ca_sha256=(OTHER.key_pin, OURS.key_pin)),
        TlsPolicy(certificate_authorities=(OURS.pem,), supported_protocols=("TLSv1.2",)),
        TlsPolicy(verification_mode="none"),
        TlsPolicy(verification_mode="none", ca_trusted_fingerprint=OTHER.fingerprint),
    ],
)
def test_what_is_trusted(policy: TlsPolicy) -> None:
    with HttpServer(OURS.server_context(shows_authority=True)) as server:
        assert handshake(server, policy).error == ""


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        (TlsPolicy(), "issuer"),
        (TlsPolicy(certificate_authorities=(OTHER.pem,)), "issuer"),
        (TlsPolicy(ca_trusted_fingerprint=OTHER.fingerprint), "ca_trusted_fingerprint"),
        (
            TlsPolicy(certificate_authorities=(OURS.pem,), ca_sha256=(OTHER.key_pin,)),
            "no certificate of the chain has a key of ssl.ca_sha256",
        ),
    ],
)
def test_what_is_not_trusted(policy: TlsPolicy, error: str) -> None:
    with HttpServer(OURS.server_context()) as server:
        assert error in handshake(server, policy).error


def test_a_fingerprint_that_is_merely_shown_is_not_trusted() -> None:
    """The authority's certificate is public: whoever shows it need not have been signed by it."""
    with HttpServer(OTHER.server_context(shows_authority=True)) as server:
        policy = TlsPolicy(
            certificate_authorities=(OURS.pem,), ca_trusted_fingerprint=OURS.fingerprint
        )
        assert handshake(server, policy).error


@pytest.mark.parametrize("by_fingerprint", [True, False])
def test_an_authority_in_the_middle_is_enough(*, by_fingerprint: bool) -> None:
    middle = Authority(parent=OTHER)
    policy = TlsPolicy(certificate_authorities=(middle.pem,))
    if by_fingerprint:
        policy = TlsPolicy(ca_trusted_fingerprint=middle.fingerprint)
    with HttpServer(middle.server_context(shows_authority=True)) as server:
        assert handshake(server, policy).error == ""


def test_an_expired_certificate_is_said_to_be_expired() -> None:
    with HttpServer(OURS.server_context(is_expired=True)) as server:
        check = handshake(server, TlsPolicy(certificate_authorities=(OURS.pem,)))
        assert "expired" in check.error


def test_the_name_counts_in_full_and_not_in_certificate() -> None:
    with HttpServer(OURS.server_context("other.example")) as server:
        authorities = (OURS.pem,)
        wrong = handshake(server, TlsPolicy(certificate_authorities=authorities))
        assert "not valid for '127.0.0.1'" in wrong.error
        policy = TlsPolicy(certificate_authorities=authorities, verification_mode="certificate")
        assert handshake(server, policy).error == ""


def test_our_own_certificate_is_shown_to_who_wants_one(tmp_path: Path) -> None:
    certificate, key = OTHER.client_files(tmp_path)
    with HttpServer(OURS.server_context(clients=OTHER)) as server:
        policy = TlsPolicy(
            certificate_authorities=(OURS.pem,), certificate=str(certificate), key=str(key)
        )
        assert handshake(server, policy).error == ""


def test_a_server_without_tls_is_told_apart() -> None:
    with HttpServer() as server:
        assert handshake(server, TlsPolicy()).error


# Not Refuse: reset before the handshake, Python 3.11's own `wrap_socket` leaves a socket unclosed.
@pytest.mark.parametrize("fault", [Reset(), Reset(after_bytes=100), Truncate(50), Stall()])
def test_a_handshake_that_breaks_is_an_error_and_ends(fault: Reset | Truncate | Stall) -> None:
    with (
        HttpServer(OURS.server_context()) as server,
        FaultProxy(server.address) as proxy,
    ):
        proxy.fault = fault
        endpoint = Endpoint(host="127.0.0.1", port=proxy.port, seconds=0.3, tls=TlsPolicy())
        *_, last = probe(endpoint)
        assert last.error


def test_a_server_that_cannot_be_asked_for_its_certificates_may_be_asked_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    policy = TlsPolicy(ca_trusted_fingerprint=OURS.fingerprint)
    with pytest.raises(Transient, match="cannot ask"):
        with_trusted_ca(policy, ("127.0.0.1", port), 1)
