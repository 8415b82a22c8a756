"""Who is connected to, and whom to believe there: files and the servers themselves are asked."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from connbeat.errors import Permanent, Transient
from connbeat.outputs.hosts import parse_host
from connbeat.outputs.kafka.config import HOST_DEFAULTS, KafkaConfig
from connbeat.outputs.kafka.properties import Properties, base_properties, tls_properties
from connbeat.outputs.tls_policy import TlsPolicy

_PEM_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


def connection_properties(config: KafkaConfig, hosts: Sequence[str]) -> Properties:
    """What every client of librdkafka needs to reach these hosts.

    Reads certificates; with `ssl.ca_trusted_fingerprint` it asks the hosts for theirs. Raises
    Permanent, which names option and file, and Transient if no host shows such a certificate.
    """
    properties = base_properties(config, hosts)
    if config.ssl is None:
        return properties
    policy = _with_trusted_ca(config.ssl, hosts, config.timeout_seconds)
    authorities = "\n".join(_authorities(policy)) if policy.verification_mode != "none" else ""
    return {**properties, **tls_properties(policy, authorities)}


def _with_trusted_ca(policy: TlsPolicy, hosts: Sequence[str], seconds: float) -> TlsPolicy:
    if not policy.fingerprint:
        return policy
    from connbeat.outputs.tls import with_trusted_ca  # noqa: PLC0415  it loads libcrypto

    trouble: Transient | None = None
    for host in hosts:
        url = parse_host(host, HOST_DEFAULTS)
        try:
            return with_trusted_ca(policy, (url.host, url.port), seconds)
        except Transient as error:
            trouble = error
    raise trouble or Transient("there is no host to ask for its certificates")


def _authorities(policy: TlsPolicy) -> Iterator[str]:
    """PEM texts: librdkafka takes one file, one folder or one text, the option any of them."""
    for authority in policy.certificate_authorities:
        if _PEM_CERTIFICATE in authority:
            yield authority
            continue
        path = Path(authority)
        try:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            texts = [file.read_text("utf-8", "replace") for file in files if not file.is_dir()]
        except OSError as error:
            text = f"ssl.certificate_authorities: {authority}: {error.strerror}"
            raise Permanent(text) from error
        found = [text for text in texts if _PEM_CERTIFICATE in text]
        if not found:
            raise Permanent(f"ssl.certificate_authorities: {authority}: has no certificate in PEM")
        yield from found
