"""What needs no server; the rest is in tests/contract/test_http_output.py."""

import logging
from pathlib import Path

import pytest

from connbeat.errors import Permanent
from connbeat.outputs.http.client import build
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.protocol import Step
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import batch, context, events


def test_a_certificate_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    missing = TlsPolicy(certificate_authorities=(str(tmp_path / "ca.pem"),))
    output = build(HttpConfig(hosts=("https://h",), ssl=missing), context())
    with pytest.raises(Permanent, match=r"ca\.pem"):
        output.open()
    (check,) = output.checks()
    assert (check.step, "ca.pem" in check.error) == (Step.TLS, True)


def test_without_https_there_is_nothing_to_read(tmp_path: Path) -> None:
    missing = TlsPolicy(certificate_authorities=(str(tmp_path / "ca.pem"),))
    build(HttpConfig(hosts=("h",), ssl=missing), context()).open()


def test_unverified_certificates_are_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    policy = TlsPolicy(verification_mode="none")
    build(HttpConfig(hosts=("https://h",), ssl=policy), context()).open()
    assert "not verified" in caplog.text


@pytest.mark.parametrize(
    ("config", "lanes"),
    [
        (HttpConfig(hosts=("a",)), 1),
        (HttpConfig(hosts=("a", "b"), worker=2), 4),
        (HttpConfig(hosts=("a", "b"), worker=2, loadbalance=False), 2),
    ],
)
def test_there_are_as_many_connections_as_hosts_and_workers_want(
    config: HttpConfig, lanes: int
) -> None:
    assert len(build(config, context())._new_lanes()) == lanes


def test_a_batch_is_shared_out_evenly() -> None:
    output = build(HttpConfig(hosts=("a", "b"), batch="array"), context())
    output._lanes = output._new_lanes()
    assert [len(chunk) for chunk in output._chunks(batch(*events(5)))] == [3, 2]
