"""Options that every output has, and those of every output on the network."""

from connbeat.config.kinds import Boolean, Choice, Duration, Integer, Text, TextList
from connbeat.config.option import Option, Status, alias, known
from connbeat.config.output_kinds import BatchSize, Limit, When

COMMON: tuple[Option, ...] = (
    Option("enabled", Boolean(), "Use this output. On when its section has any key."),
    Option(
        "bulk_max_size",
        BatchSize(1_000_000),
        "Events in one batch, at most; 0 or less: one, there are no batches.",
    ),
    Option(
        "max_retries",
        Limit(1_000_000),
        "How often an event is sent again before it is given up; unset or negative: without limit.",
    ),
    Option("backoff.init", Duration(low=0.001), "The longest first wait after a failure."),
    Option(
        "backoff.max",
        Duration(low=0.001),
        "Each wait may be twice as long as the last, up to this; the wait is drawn at random.",
    ),
    Option("when", When(), "Send only the events that this condition fits."),
    *known(Status.OBSOLETE, "queue.mem.flush says when events are sent.", "", "flush_interval"),
    *known(Status.REFUSED, "One queue is for all outputs.", "", "queue"),
    *known(Status.OBSOLETE, "Events are JSON, one a line.", "codec.json.", "pretty escape_html"),
    *known(Status.REFUSED, "Events are JSON.", "", "codec.format"),
)

_TLS: tuple[Option, ...] = (
    Option("enabled", Boolean(), "Use TLS as this section says. On when it has any key."),
    Option(
        "verification_mode",
        Choice("full", "strict", "certificate", "none"),
        "`full`: the chain and the host's name; `strict`: the same, a common name is no name; "
        "`certificate`: the chain alone; `none`: nothing.",
    ),
    Option(
        "certificate_authorities",
        TextList(),
        "Files, directories or PEM texts; the machine's own authorities by default.",
    ),
    Option("certificate", Text(), "Our own certificate: a file or PEM text."),
    Option("key", Text(), "Its key, unless the certificate's file has it."),
    Option("key_passphrase", Text(), "What the key is encrypted with."),
    Option(
        "ca_trusted_fingerprint",
        Text(),
        "SHA-256 (hexadecimal) of an authority's certificate that the server shows; "
        "it is trusted then.",
    ),
    Option(
        "ca_sha256",
        TextList(),
        "SHA-256 (base64) of public keys, one of which has to be in the verified chain.",
    ),
    Option(
        "supported_protocols",
        TextList(),
        "From the lowest to the highest of these; TLSv1.2 and later by default.",
    ),
    Option("cipher_suites", TextList(), "Up to TLSv1.2, in libbeat's names or OpenSSL's."),
    *known(Status.OBSOLETE, "OpenSSL chooses.", "", "curve_types renegotiation"),
)
TLS: tuple[Option, ...] = tuple(
    Option(f"ssl.{option.key}", option.kind, option.text, option.status) for option in _TLS
)
#: What the original's HTTP output called it.
OLD_TLS: tuple[Option, ...] = tuple(
    alias(f"tls.{option.key}", f"ssl.{option.key}")
    if option.status is Status.USED
    else Option(f"tls.{option.key}", option.kind, option.text, option.status)
    for option in _TLS
)

NETWORK: tuple[Option, ...] = (
    Option("timeout", Duration(low=0.001), "How long the other side may take for anything."),
    Option("worker", Integer(1, 256), "Connections to each host that are used at once."),
    alias("workers", "worker"),
    Option(
        "loadbalance",
        Boolean(),
        "Use all hosts at once; off, one host, and another when that fails.",
    ),
    *TLS,
)
