"""Every option there is, once: key, kind, description, and what becomes of it.

From this table come the checks, the hints, and the tables of `docs/configuration.md`. A key that
connbeat 5.6 or its libbeat knew is in here for ever. Defaults stand in `schema`, whose fields are
found by key: `queue.mem.flush.timeout` is `QueueMemConfig.flush_timeout_seconds`.
"""

import msgspec

from connbeat.config.http_kinds import ListenHost
from connbeat.config.kinds import (
    Boolean,
    BooleanOrAuto,
    Choice,
    Duration,
    Fields,
    FileName,
    Integer,
    Permissions,
    Size,
    Text,
    TextList,
)
from connbeat.config.option import Option, Status, known
from connbeat.config.outputs.elasticsearch import SETUP
from connbeat.config.outputs.registry import OUTPUTS, output_options, output_sections
from connbeat.config.processors.kind import Processors
from connbeat.config.schema import (
    ConnbeatConfig,
    DeadLetterConfig,
    HttpConfig,
    KeystoreConfig,
    LogFilesConfig,
    LoggingConfig,
    PathConfig,
    QueueDiskConfig,
    QueueMemConfig,
    Settings,
    SummariseConfig,
)
from connbeat.config.tree import Node, below, list_items
from connbeat.config.volume_kinds import AggregationRules, Percent, WhoCondition

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "connbeat": ConnbeatConfig,
    "connbeat.summarise": SummariseConfig,
    **output_sections(),
    "dead_letter": DeadLetterConfig,
    "queue.mem": QueueMemConfig,
    "queue.disk": QueueDiskConfig,
    "logging": LoggingConfig,
    "logging.files": LogFilesConfig,
    "http": HttpConfig,
    "path": PathConfig,
    "keystore": KeystoreConfig,
}
BUILT_OUTPUTS = tuple(OUTPUTS)

_BOOLEAN = Boolean()
_TEXT = Text()
_LIST = TextList()

_USED = (
    Option("name", _TEXT, "`beat.name` of every event; empty: the host's name."),
    Option("tags", _LIST, "Added to every event as `tags`."),
    Option("fields", Fields(), "Added to every event as `fields`; keys and values are yours."),
    Option("fields_under_root", _BOOLEAN, "`fields` at the top of the event instead of below it."),
    Option(
        "processors",
        Processors(),
        "What happens to each event before it is sent: [processors](processors.md).",
    ),
    Option(
        "schema",
        Choice("connbeat", "ecs"),
        "The names of the events' fields: `connbeat`, or `ecs` for Elastic Common Schema.",
    ),
    Option("shutdown_timeout", Duration(), "How long a stop may wait for the outputs."),
    Option(
        "max_procs",
        Integer(0, 4096),
        "Run on so many processors only, those with the highest numbers; 0: on all.",
    ),
    Option(
        "nice",
        Integer(-20, 19),
        "The agent's priority, from -20 (high, needs rights) to 19; unset: unchanged. With a low "
        "one, more processes of a busy host end before they were read.",
    ),
    Option(
        "timestamp.precision",
        Choice("millisecond", "microsecond", "nanosecond"),
        "Of the times in events: `millisecond`, `microsecond` or `nanosecond`.",
    ),
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
        "A connection that stays open is reported again after this time; 0: at every poll.",
    ),
    Option(
        "connbeat.aggregation_rules",
        AggregationRules(),
        "Other times for some processes and containers: a list of `when` and `aggregation` (0 for"
        " never), the first that fits counts.",
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
        "connbeat.summarise.enabled",
        _BOOLEAN,
        "One event for all connections of a process to the same address and port, every `interval`,"
        " in place of an event for each step of each connection.",
    ),
    Option(
        "connbeat.summarise.interval",
        Duration(low=1.0),
        "Time that one summary is of; by default as `aggregation`, and 30s if that is 0.",
    ),
    Option(
        "connbeat.summarise.when",
        WhoCondition(),
        "Only of the processes and containers that this condition fits.",
    ),
    Option(
        "connbeat.summarise.max_keys",
        Integer(8, 10_000_000),
        "Summaries an interval; more connections are counted together, without their remote port,"
        " then without the address, and so on.",
    ),
    Option(
        "connbeat.cpu_budget",
        Percent(0.1, 10_000),
        "Share of one core that the agent may use. Above it, everything is told in summaries until"
        " it is calm again.",
    ),
    Option(
        "connbeat.cpu_budget_period",
        Duration(low=1.0),
        "Time of which that share is the average.",
    ),
    Option(
        "connbeat.cpu_budget_calm",
        Duration(low=1.0),
        "So long it has to use less than half of that before connections are told singly again.",
    ),
    *output_options(),
    Option(
        "dead_letter.enabled",
        _BOOLEAN,
        "Keep the events that an output gave up, each with the reason, in a file an output.",
    ),
    Option("dead_letter.path", _TEXT, "Their directory; `${path.data}/dead_letter` by default."),
    Option(
        "dead_letter.rotate_every_kb",
        Integer(1, 1_000_000_000),
        "Begin a new file when this many KiB are full.",
    ),
    Option("dead_letter.number_of_files", Integer(2, 1024), "Files kept, the oldest goes."),
    Option("dead_letter.permissions", Permissions(), "Mode of new files."),
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
        "queue.disk.enabled",
        _BOOLEAN,
        "Events wait on disk, for all outputs in one place. On when the section has any key.",
    ),
    Option(
        "queue.disk.path",
        _TEXT,
        "The directory, of one agent alone; `${path.data}/spool` by default.",
    ),
    Option(
        "queue.disk.max_size",
        Size(10_000_000, 64 * 1024**4, or_zero=True),
        "What it may take on disk, 0 for as much as there is. At the limit the oldest events go,"
        " counted for each output that loses them.",
    ),
    Option(
        "queue.disk.write_ahead",
        Integer(1, 100_000_000),
        "Events that may wait in memory for the disk. When full, the oldest goes, counted.",
    ),
    Option(
        "queue.disk.retry_interval",
        Duration(low=0.01),
        "How soon a disk that takes nothing (full, say) is tried again; doubles with each try.",
    ),
    Option(
        "queue.disk.max_retry_interval",
        Duration(low=0.01),
        "The longest time between two tries.",
    ),
    Option(
        "logging.level",
        Choice("critical", "error", "warning", "info", "debug"),
        "How much the log says: `critical`, `error`, `warning`, `info` or `debug`.",
    ),
    Option("logging.selectors", _LIST, "Parts of the agent whose debug lines are shown; `*`: all."),
    Option(
        "logging.to_stderr",
        _BOOLEAN,
        "Log to stderr; by default if the log goes nowhere else. `-e`: there and nowhere else.",
    ),
    Option("logging.to_syslog", _BOOLEAN, "Log to the syslog of this machine, `/dev/log`."),
    Option(
        "logging.to_files",
        _BOOLEAN,
        "Log to files; by default if `logging.files` has any key, or `logging.to_stderr` is off.",
    ),
    Option("logging.json", _BOOLEAN, "A line of the log is a JSON object, as in newer Beats."),
    Option("logging.files.path", _TEXT, "Their directory; `${path.logs}` by default."),
    Option("logging.files.name", FileName(), "The newest file; older ones get `.1`, `.2`, ..."),
    Option(
        "logging.files.rotateeverybytes",
        Size(1, 1024**4),
        "Begin a new file when this many bytes are full.",
    ),
    Option("logging.files.keepfiles", Integer(2, 1024), "Files kept, the oldest goes."),
    Option("logging.files.permissions", Permissions(), "Mode of new files."),
    Option(
        "logging.files.interval",
        Duration(),
        "Begin a new file after this time, too, counted from midnight UTC; 0: never.",
    ),
    Option("logging.files.rotateonstartup", _BOOLEAN, "Begin a new file at every start."),
    Option("logging.metrics.enabled", _BOOLEAN, "Log, now and then, the numbers that changed."),
    Option("logging.metrics.period", Duration(low=1.0), "How often."),
    Option("http.enabled", _BOOLEAN, "Serve the agent's own numbers and its health."),
    Option(
        "http.host",
        ListenHost(),
        "Where: a name or an address, or `unix:///path`. Whoever reaches it may read.",
    ),
    Option("http.port", Integer(1, 65_535), "Its port."),
    Option(
        "path.home",
        _TEXT,
        "Base of the other paths; the working directory by default. With a file of `/etc/connbeat`"
        " the defaults are `/etc/connbeat`, `/var/lib/connbeat` and `/var/log/connbeat`.",
    ),
    Option("path.config", _TEXT, "Where configuration files are; `${path.home}` by default."),
    Option("path.data", _TEXT, "What the agent keeps; `${path.home}/data` by default."),
    Option("path.logs", _TEXT, "Log files; `${path.home}/logs` by default."),
    Option(
        "keystore.path",
        _TEXT,
        "The file with the secrets; `${path.data}/connbeat.keystore` by default.",
    ),
)

_OTHERS = (
    *known(
        Status.OBSOLETE,
        "The disk queue is one database; it needs no such setting.",
        "queue.disk.",
        "segment_size read_ahead use_compression",
    ),
    *known(Status.OBSOLETE, "There is no profiler of Go programs.", "http.", "pprof"),
    *known(Status.OBSOLETE, "Named pipes are of Windows.", "http.", "named_pipe"),
    *known(Status.OBSOLETE, "It was for Windows.", "logging.", "to_eventlog"),
    *SETUP,
    *known(Status.OBSOLETE, "queue.mem.events is the limit.", "", "queue_size bulk_queue_size"),
    *known(
        Status.OBSOLETE, "There is no topology map.", "", "refresh_topology_freq topology_expire"
    ),
    *known(Status.OBSOLETE, "There is no GeoIP look-up.", "geoip.", "paths"),
    *known(
        Status.OBSOLETE,
        "There are no dashboards to load.",
        "dashboards.",
        "enabled url directory file beat kibana_index index snapshot snapshot_url"
        " only_dashboards only_index",
    ),
)

OPTIONS: dict[str, Option] = {option.key: option for option in (*_USED, *_OTHERS)}
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


def with_lists(node: Node, path: str = "") -> Node:
    """The same tree as a file has to say it: the `a,b` of `-E` as a list, where it means one."""
    if isinstance(node.value, dict):
        section = {key: with_lists(child, below(path, key)) for key, child in node.value.items()}
        return msgspec.structs.replace(node, value=section)
    option = OPTIONS.get(path)
    if option is not None and option.status is Status.ALIAS:
        option = OPTIONS[option.stands_for]
    if option is None or not isinstance(option.kind, TextList):
        return node
    items = list_items(node)
    return node if items is None else msgspec.structs.replace(node, value=items)


def default_of(option: Option) -> object:
    """The default of an option that is used; None where there is none."""
    struct = SECTIONS.get(section_of(option), Settings)
    for field in msgspec.structs.fields(struct):
        if field.name == attribute_of(option) and field.default is not msgspec.NODEFAULT:
            return field.default
    return None
