"""Every option there is, once: key, kind, description, and what becomes of it.

From this table come the checks, the hints, and the tables of `docs/configuration.md`. A key that
connbeat 5.6 or its libbeat knew is in here for ever. Defaults stand in `schema`, whose fields are
found by key: `queue.mem.flush.timeout` is `QueueMemConfig.flush_timeout_seconds`.
"""

import enum

import msgspec

from connbeat.config.kinds import (
    Anything,
    Boolean,
    BooleanOrAuto,
    Choice,
    Duration,
    Fields,
    FileName,
    Integer,
    Kind,
    Permissions,
    Size,
    Text,
    TextList,
)
from connbeat.config.schema import (
    ConnbeatConfig,
    LoggingConfig,
    OutputConsoleConfig,
    OutputFileConfig,
    PathConfig,
    QueueMemConfig,
    Settings,
)


class Status(enum.Enum):
    """What setting an option leads to."""

    USED = "used"
    IGNORED = "not built yet; accepted with a warning"
    REFUSED = "not built yet; refused, because ignoring it would change what is delivered"
    OBSOLETE = "has no meaning any more; accepted with a warning"


class Option(msgspec.Struct, frozen=True):
    """One row. `text` is the description; of what is not used, what applies instead."""

    key: str
    kind: Kind
    text: str
    status: Status = Status.USED


SECTIONS: dict[str, type[msgspec.Struct]] = {
    "connbeat": ConnbeatConfig,
    "output.console": OutputConsoleConfig,
    "output.file": OutputFileConfig,
    "queue.mem": QueueMemConfig,
    "logging": LoggingConfig,
    "path": PathConfig,
}
BUILT_OUTPUTS = ("console", "file")
LATER_OUTPUTS = ("elasticsearch", "http", "kafka", "logstash", "redis")

_BOOLEAN = Boolean()
_TEXT = Text()
_LIST = TextList()

_USED = (
    Option("name", _TEXT, "`beat.name` of every event; empty: the host's name."),
    Option("tags", _LIST, "Added to every event as `tags`."),
    Option("fields", Fields(), "Added to every event as `fields`; keys and values are yours."),
    Option("fields_under_root", _BOOLEAN, "`fields` at the top of the event instead of below it."),
    Option("shutdown_timeout", Duration(), "How long a stop may wait for the outputs."),
    Option(
        "connbeat.expose_process_info",
        _BOOLEAN,
        "Say which process has a connection. Off, `binary` names only the inode.",
    ),
    Option("connbeat.expose_cmdline", _BOOLEAN, "With the process, its command line."),
    Option("connbeat.expose_environ", _BOOLEAN, "With the process, its environment variables."),
    Option(
        "connbeat.aggregation",
        Duration(),
        "A connection that stays open is reported again after this time.",
    ),
    Option(
        "connbeat.poll_interval",
        Duration(low=0.01),
        "Time between two looks at the sockets.",
    ),
    Option(
        "connbeat.enable_local_connections",
        _BOOLEAN,
        "Report the host's own connections. Off, only those of containers.",
    ),
    Option(
        "connbeat.enable_tcp_diag",
        _BOOLEAN,
        "The old switch: `true` is at least rung `dump`, `false` is rung `procfs`; "
        "unset, as high as possible.",
    ),
    Option(
        "connbeat.enable_docker",
        BooleanOrAuto(),
        "Ask Docker about containers: `true` insists and keeps trying, `false` never asks, "
        "`auto` asks when its socket is there.",
    ),
    Option(
        "connbeat.docker_environment",
        _LIST,
        "Names of the containers' environment variables that are reported.",
    ),
    Option(
        "connbeat.capture",
        Choice("auto", "procfs", "dump", "closes", "transitions", "nat"),
        "The highest rung of capture to use: `auto`, `procfs`, `dump`, `closes`, `transitions` "
        "or `nat`.",
    ),
    Option(
        "connbeat.redact",
        _BOOLEAN,
        "Mask what looks like a secret in command lines and environments.",
    ),
    Option("connbeat.report_self", _BOOLEAN, "Report the agent's own connections too."),
    Option(
        "connbeat.max_connections",
        Integer(1, 10_000_000),
        "Connections held at once; more are counted and left out.",
    ),
    Option(
        "output.console.enabled",
        _BOOLEAN,
        "Write events to stdout. On when no output is configured.",
    ),
    Option("output.console.pretty", _BOOLEAN, "Indent the JSON: one event on many lines."),
    Option(
        "output.file.enabled",
        _BOOLEAN,
        "Write events to files. On when the section has any key.",
    ),
    Option("output.file.path", _TEXT, "The directory. Required."),
    Option("output.file.filename", FileName(), "The file's name; older ones get `.1`, `.2`, ..."),
    Option(
        "output.file.rotate_every_kb",
        Integer(1, 1_000_000_000),
        "Begin a new file when this many KiB are full.",
    ),
    Option("output.file.number_of_files", Integer(2, 1024), "Files kept, the oldest goes."),
    Option("output.file.permissions", Permissions(), "Mode of new files."),
    Option("output.file.rotate_on_startup", _BOOLEAN, "Begin a new file at every start."),
    Option(
        "queue.mem.events",
        Integer(1, 100_000_000),
        "Events an output may have waiting in memory. When full, the oldest goes, counted.",
    ),
    Option(
        "queue.mem.max_bytes",
        Size(64 * 1024, 64 * 1024**3),
        "Bytes an output may have waiting in memory; the same happens.",
    ),
    Option(
        "queue.mem.flush.min_events",
        Integer(0, 100_000_000),
        "Send as soon as this many events wait; at most so many in one batch.",
    ),
    Option("queue.mem.flush.timeout", Duration(), "Send after this time, however few wait."),
    Option(
        "logging.level",
        Choice("critical", "error", "warning", "info", "debug"),
        "How much the log says: `critical`, `error`, `warning`, `info` or `debug`.",
    ),
    Option("logging.selectors", _LIST, "Parts of the agent whose debug lines are shown; `*`: all."),
    Option("logging.to_stderr", _BOOLEAN, "The log goes to stderr."),
    Option("logging.metrics.enabled", _BOOLEAN, "Log, now and then, the numbers that changed."),
    Option("logging.metrics.period", Duration(low=1.0), "How often."),
    Option("path.home", _TEXT, "Base of the other paths; the working directory by default."),
    Option("path.config", _TEXT, "Where configuration files are; `${path.home}` by default."),
    Option("path.data", _TEXT, "What the agent keeps; `${path.home}/data` by default."),
    Option("path.logs", _TEXT, "Log files; `${path.home}/logs` by default."),
)


def _later(status: Status, text: str, prefix: str, names: str) -> tuple[Option, ...]:
    """Keys that are known and not looked into."""
    return tuple(Option(prefix + name, Anything(), text, status) for name in names.split())


_LOG_FILES = "The log goes to stderr."
_OTHERS = (
    *_later(Status.REFUSED, "Events are reported as they are.", "", "processors"),
    *_later(Status.REFUSED, "Events wait in memory.", "queue.", "disk"),
    *(
        option
        for output in BUILT_OUTPUTS
        for option in (
            *_later(Status.REFUSED, "Events are JSON.", f"output.{output}.", "codec"),
            *_later(Status.REFUSED, "queue.mem is for all outputs.", f"output.{output}.", "queue"),
            *_later(
                Status.OBSOLETE,
                "queue.mem.flush says when events are sent.",
                f"output.{output}.",
                "bulk_max_size flush_interval",
            ),
        )
    ),
    *_later(Status.IGNORED, "There is no monitoring endpoint.", "http.", "enabled host port pprof"),
    *_later(Status.IGNORED, _LOG_FILES, "logging.", "to_files to_syslog"),
    *_later(
        Status.IGNORED,
        _LOG_FILES,
        "logging.files.",
        "path name rotateeverybytes keepfiles permissions interval rotateonstartup",
    ),
    *_later(Status.IGNORED, "Nothing is set up in advance.", "", "setup"),
    *_later(Status.OBSOLETE, "queue.mem.events is the limit.", "", "queue_size bulk_queue_size"),
    *_later(Status.OBSOLETE, "The agent uses one core.", "", "max_procs"),
    *_later(
        Status.OBSOLETE, "There is no topology map.", "", "refresh_topology_freq topology_expire"
    ),
    *_later(Status.OBSOLETE, "There is no GeoIP look-up.", "geoip.", "paths"),
    *_later(
        Status.OBSOLETE,
        "There are no dashboards to load.",
        "dashboards.",
        "enabled url directory file beat kibana_index index snapshot snapshot_url"
        " only_dashboards only_index",
    ),
)
_ANY_OUTPUT = (
    "enabled hosts worker bulk_max_size flush_interval max_retries timeout loadbalance queue"
)
_ANY_TLS = (
    "enabled verification_mode supported_protocols certificate_authorities certificate key"
    " key_passphrase cipher_suites curve_types renegotiation"
)
_BACKOFF = " backoff.init backoff.max"
_LATER_OUTPUT_KEYS = {
    "elasticsearch": "protocol path username password api_key parameters headers proxy_url index"
    " indices pipeline pipelines compression_level escape_html idle_connection_timeout"
    " non_indexable_policy preset allow_older_versions save_topology template.enabled"
    " template.name template.path template.overwrite template.versions.2x.enabled"
    " template.versions.2x.path template.versions.6x.enabled template.versions.6x.path" + _BACKOFF,
    "http": "protocol path parameters username password headers proxy_url compression_level batch"
    + _BACKOFF,
    "kafka": "topic topics key partition version username password sasl required_acks compression"
    " compression_level max_message_bytes broker_timeout channel_buffer_size keep_alive client_id"
    " metadata headers codec bulk_flush_frequency" + _BACKOFF,
    "logstash": "port compression_level pipelining slow_start ttl index proxy_url"
    " proxy_use_local_resolver escape_html" + _BACKOFF,
    "redis": "port key keys index db datatype username password proxy_url proxy_use_local_resolver"
    " codec host_topology password_topology db_topology" + _BACKOFF,
}
_OUTPUTS_TO_COME = tuple(
    option
    for output in LATER_OUTPUTS
    for names, below in (
        (f"{_ANY_OUTPUT} {_LATER_OUTPUT_KEYS[output]}", ""),
        (_ANY_TLS, "ssl."),
        *(((_ANY_TLS, "tls."),) if output == "http" else ()),
    )
    for option in _later(Status.REFUSED, "", f"output.{output}.{below}", names)
)

OPTIONS: dict[str, Option] = {
    option.key: option for option in (*_USED, *_OTHERS, *_OUTPUTS_TO_COME)
}
SECTION_NAMES: frozenset[str] = frozenset(
    key[:dot] for key in OPTIONS for dot, letter in enumerate(key) if letter == "."
)


def section_of(option: Option) -> str:
    """The name in SECTIONS, "" for an option that is a field of `Settings` itself."""
    return max(
        (name for name in SECTIONS if option.key.startswith(f"{name}.")), default="", key=len
    )


def attribute_of(option: Option) -> str:
    """The field of the section's Struct."""
    name = option.key.removeprefix(f"{section_of(option)}.").replace(".", "_")
    return f"{name}_seconds" if isinstance(option.kind, Duration) else name


def default_of(option: Option) -> object:
    """The default of an option that is used; None where there is none."""
    struct = SECTIONS.get(section_of(option), Settings)
    for field in msgspec.structs.fields(struct):
        if field.name == attribute_of(option) and field.default is not msgspec.NODEFAULT:
            return field.default
    return None
