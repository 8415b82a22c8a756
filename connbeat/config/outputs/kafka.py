"""Options of `output.kafka`."""

from connbeat.config.kinds import Boolean, Choice, Duration, Integer, Mismatch, Size, Text
from connbeat.config.option import Option, Status, known
from connbeat.config.output_kinds import Format, Hosts, Rules, TextMap
from connbeat.config.tree import Node
from connbeat.outputs.kafka.config import HOST_DEFAULTS, Partitioning, Strategy

_STRATEGIES: dict[str, Strategy] = {
    "hash": "hash",
    "random": "random",
    "round_robin": "round_robin",
}


class Partition:
    """`partition.hash`, `partition.random` or `partition.round_robin`, as libbeat has it.

    The name alone will do where its section would be empty.
    """

    name = "section"

    def parse(self, node: Node) -> Partitioning:
        expected = "one of the sections hash, random and round_robin"
        sections = {node.text: node} if node.is_scalar else node.value
        if not isinstance(sections, dict) or len(sections) != 1:
            raise Mismatch(expected)
        ((name, inside),) = sections.items()
        if name not in _STRATEGIES:
            raise Mismatch(expected)
        inner = inside.value if isinstance(inside.value, dict) else {}
        unknown = set(inner) - {"hash", "random", "reachable_only", "group_events"}
        if unknown:
            raise Mismatch(f"{expected}; {name} has no {min(unknown)}")
        if "hash" in inner and inner["hash"].value:
            raise Mismatch("no fields to hash: the key is hashed, let `key` have them")
        has_random = "random" not in inner or Boolean().parse(inner["random"])
        return Partitioning(_STRATEGIES[name], has_random)

    def show(self, value: object) -> str:
        return value.strategy if isinstance(value, Partitioning) else str(value)


OPTIONS: tuple[Option, ...] = (
    Option(
        "hosts",
        Hosts(HOST_DEFAULTS),
        "Brokers to begin with, `host:port`; the cluster names the others. Required.",
        required="a list of brokers such as [kafka:9092]",
    ),
    Option("topic", Format(), "The topic. Required, unless there are `topics`."),
    Option("topics", Rules("topic"), "Rules that choose another topic for some events."),
    Option(
        "key",
        Format(),
        "The messages' key, by default the host's name: what has the same key stays in order. "
        "Empty: no key.",
    ),
    Option(
        "partition",
        Partition(),
        "How a message's partition is chosen: `hash` of the key (FNV-1a; without a key any, unless "
        "`hash.random: false`), `random`, or `round_robin`, which is done as `random`.",
    ),
    Option("client_id", Text(), "What we call ourselves to the brokers."),
    Option("username", Text(), "Log in with SASL as this user."),
    Option("password", Text(), "With it."),
    Option(
        "sasl.mechanism",
        Choice("plain", "scram-sha-256", "scram-sha-512", "oauthbearer"),
        "`PLAIN` (with a username the default), `SCRAM-SHA-256`, `SCRAM-SHA-512`, or `OAUTHBEARER` "
        "with its settings under `librdkafka`.",
    ),
    Option(
        "compression",
        Choice("none", "snappy", "lz4", "gzip", "zstd"),
        "`none`, `snappy`, `lz4`, `gzip` or `zstd`; `lz4` and `zstd` cost the least.",
    ),
    Option("compression_level", Integer(-1, 12), "Of gzip, lz4 and zstd; -1: the library's own."),
    Option(
        "max_message_bytes",
        Size(1000, 1_000_000_000),
        "A larger event is given up; at most the topic's `max.message.bytes`.",
    ),
    Option(
        "required_acks",
        Integer(-1, 1),
        "`-1`: all replicas in sync, each message once; `1`, `0`: the leader, nobody. Then events "
        "may be lost or stand twice.",
    ),
    Option("broker_timeout", Duration(low=0.001), "How long a broker may wait for its replicas."),
    Option("keep_alive", Duration(), "Anything but 0: TCP keep-alive."),
    Option("metadata.retry.backoff", Duration(low=0.001), "Between two questions for a leader."),
    Option("metadata.refresh_frequency", Duration(low=0.01), "Ask for the leaders this often."),
    Option("metadata.full", Boolean(), "Ask for all topics, not only for those that are used."),
    Option(
        "librdkafka",
        TextMap(),
        "Settings of librdkafka, by its own names. They come before connbeat's, which the log "
        "tells.",
    ),
    *known(Status.OBSOLETE, "The versions are negotiated.", "", "version"),
    *known(
        Status.OBSOLETE,
        "One producer is for all brokers.",
        "",
        "worker workers loadbalance channel_buffer_size",
    ),
    *known(Status.OBSOLETE, "librdkafka tries until it succeeds.", "metadata.retry.", "max"),
    *known(
        Status.OBSOLETE, "queue.mem.flush says when events are sent.", "", "bulk_flush_frequency"
    ),
    *known(Status.OBSOLETE, "OpenSSL chooses, TLS 1.2 or later.", "ssl.", "supported_protocols"),
    *known(Status.REFUSED, "Messages have no headers.", "", "headers"),
    *known(Status.REFUSED, "There is no GSSAPI.", "", "kerberos"),
)
