import pytest

from connbeat.outputs.tls_policy import TlsPolicy


def problems(policy: TlsPolicy) -> list[str]:
    return [key for key, _ in policy.problems()]


def test_what_is_right_has_no_problems() -> None:
    fingerprint = ":".join(["AB"] * 32)
    policy = TlsPolicy(
        certificate="c.pem",
        key="k.pem",
        ca_trusted_fingerprint=fingerprint,
        ca_sha256=("A" * 43 + "=",),
        supported_protocols=("TLSv1.2", "TLSv1.3"),
    )
    assert problems(TlsPolicy()) == problems(policy) == []
    assert policy.fingerprint == "ab" * 32


@pytest.mark.parametrize(
    ("policy", "key"),
    [
        (TlsPolicy(key="k.pem"), "key"),
        (TlsPolicy(ca_trusted_fingerprint="abc"), "ca_trusted_fingerprint"),
        (TlsPolicy(ca_sha256=("abc",)), "ca_sha256"),
        (TlsPolicy(ca_sha256=("é",)), "ca_sha256"),
        (TlsPolicy(supported_protocols=("TLSv1.2", "SSLv3")), "supported_protocols"),
    ],
)
def test_what_cannot_be_meant_is_named(policy: TlsPolicy, key: str) -> None:
    assert problems(policy) == [key]
