"""The section `output.kafka` to librdkafka's properties. Pure.

What each is called and may be: CONFIGURATION.md of librdkafka.
"""

from collections.abc import Iterable, Iterator, Mapping

from connbeat.outputs.hosts import parse_host
from connbeat.outputs.kafka.config import HOST_DEFAULTS, KafkaConfig, Partitioning
from connbeat.outputs.tls_policy import TlsPolicy

Properties = dict[str, str | int | bool]

# The queue proper is ours; librdkafka holds one batch.
_BUFFER_KBYTES = 32 * 1024
_BATCH_BYTES = 1_000_000
_ROOM_KBYTES = 1024
# Bounds that librdkafka sets.
_SOCKET_MS = (10, 300_000)
_SETUP_MS = (1000, 300_000)
_REQUEST_MS = (1, 900_000)
_REFRESH_MS = (10, 3_600_000)
_FAST_MS = (1, 60_000)


def base_properties(config: KafkaConfig, hosts: Iterable[str]) -> Properties:
    """What every client has: where to, as whom, how long. Without TLS, see `tls_properties`."""
    setup_ms = _milliseconds(config.timeout_seconds, _SETUP_MS)
    properties: Properties = {
        "bootstrap.servers": ",".join(parse_host(host, HOST_DEFAULTS).netloc for host in hosts),
        "client.id": config.client_id,
        "security.protocol": _protocol(config),
        "socket.timeout.ms": _milliseconds(config.timeout_seconds, _SOCKET_MS),
        "socket.connection.setup.timeout.ms": setup_ms,
        "socket.keepalive.enable": config.keep_alive_seconds > 0,
        # An idle connection that the broker closes is no news.
        "log.connection.close": False,
    }
    if config.mechanism:
        properties["sasl.mechanism"] = config.mechanism.upper()
    if config.username:
        properties |= {"sasl.username": config.username, "sasl.password": config.password}
    return properties


def producer_properties(config: KafkaConfig) -> Properties:
    """What the producer has on top of it."""
    is_safe = config.required_acks == -1
    buffer_kbytes = max(_BUFFER_KBYTES, config.max_message_bytes // 1024 + _ROOM_KBYTES)
    properties: Properties = {
        "enable.idempotence": is_safe,
        "acks": config.required_acks,
        # An event leaves by an answer alone: no message expires, whatever the outage.
        "message.timeout.ms": 0,
        "request.timeout.ms": _milliseconds(config.broker_timeout_seconds, _REQUEST_MS),
        "compression.type": config.compression,
        "message.max.bytes": config.max_message_bytes,
        "batch.size": min(_BATCH_BYTES, config.max_message_bytes),
        "queue.buffering.max.messages": max(100_000, config.bulk_max_size),
        "queue.buffering.max.kbytes": buffer_kbytes,
        "partitioner": _partitioner(config.partition),
        "topic.metadata.refresh.interval.ms": _milliseconds(
            config.metadata_refresh_frequency_seconds, _REFRESH_MS
        ),
        "topic.metadata.refresh.fast.interval.ms": _milliseconds(
            config.metadata_retry_backoff_seconds, _FAST_MS
        ),
        "topic.metadata.refresh.sparse": not config.metadata_full,
    }
    if config.compression in ("gzip", "lz4", "zstd"):
        properties["compression.level"] = config.compression_level
    return properties


def tls_properties(policy: TlsPolicy, authorities_pem: str) -> Properties:
    """`authorities_pem` are the certificates of `certificate_authorities`; "": the machine's own.

    `certificate` checks the chain and takes any name; `strict` is `full` here.
    """
    properties: Properties = {
        "enable.ssl.certificate.verification": policy.verification_mode != "none",
        "ssl.endpoint.identification.algorithm": (
            "https" if policy.verification_mode in ("full", "strict") else "none"
        ),
    }
    if authorities_pem:
        properties["ssl.ca.pem"] = authorities_pem
    for text, kind in (
        (policy.certificate, "certificate"),
        (policy.key or policy.certificate, "key"),
    ):
        if text:
            form = "pem" if "-----BEGIN " in text else "location"
            properties[f"ssl.{kind}.{form}"] = text
    if policy.key_passphrase:
        properties["ssl.key.password"] = policy.key_passphrase
    return properties


def overridden(config: KafkaConfig) -> Iterator[str]:
    """The names of the passthrough that replace what connbeat chose."""
    tls = {} if config.ssl is None else tls_properties(config.ssl, "")
    ours = {*base_properties(config, config.hosts), *producer_properties(config), *tls}
    return (name for name in config.librdkafka if _canonical(name) in ours)


def with_passthrough(properties: Properties, passthrough: Mapping[str, str]) -> Properties:
    """The user's settings win; of two names of one property librdkafka gets only the user's."""
    theirs = set(map(_canonical, passthrough))
    ours = {name: value for name, value in properties.items() if name not in theirs}
    return {**ours, **passthrough}


# librdkafka has two names for some properties, and the later of the two would win.
_ALIASES = {
    "request.required.acks": "acks",
    "delivery.timeout.ms": "message.timeout.ms",
    "compression.codec": "compression.type",
    "sasl.mechanisms": "sasl.mechanism",
}


def _canonical(name: str) -> str:
    return _ALIASES.get(name, name)


def _protocol(config: KafkaConfig) -> str:
    wire = "plaintext" if config.ssl is None else "ssl"
    return f"sasl_{wire}" if config.mechanism else wire


def _partitioner(partition: Partitioning) -> str:
    """FNV-1a as in libbeat, not murmur2 as in Java. librdkafka has no round robin; random comes
    to the same number of messages in each.
    """  # noqa: D205  one thought
    if partition.strategy != "hash":
        return "random"
    return "fnv1a_random" if partition.has_random else "fnv1a"


def _milliseconds(seconds: float, bounds: tuple[int, int]) -> int:
    low, high = bounds
    return max(low, min(high, round(seconds * 1000)))
