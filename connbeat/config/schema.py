"""Settings: what a configuration means once everything about it is known to be right.

Names are those of the options; a duration or a size says its unit here, never in the file.
`options` is the table of the same options with their types and descriptions, and a test holds the
two together. A default stands here and nowhere else.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from connbeat.model.schemas import SchemaName
from connbeat.outputs.configuration import OutputConfig
from connbeat.processors.protocol import Step

Capture = Literal["auto", "procfs", "dump", "closes", "transitions", "nat"]
DockerUse = bool | Literal["auto"]
Precision = Literal["millisecond", "microsecond", "nanosecond"]
LogLevel = Literal["critical", "error", "warning", "info", "debug"]


class AggregationRule(msgspec.Struct, frozen=True, kw_only=True):
    """One of `connbeat.aggregation_rules`; `when` is plain data for `model.conditions`."""

    when: object
    aggregation_seconds: float


class ConnbeatConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`connbeat`: what is observed and what of it is shown."""

    expose_process_info: bool = True
    expose_cmdline: bool = True
    expose_environ: bool = False
    aggregation_seconds: float = 30.0
    aggregation_rules: tuple[AggregationRule, ...] = ()
    poll_interval_seconds: float = 2.0
    enable_local_connections: bool = True
    enable_tcp_diag: bool | None = None
    enable_docker: DockerUse = "auto"
    docker_environment: tuple[str, ...] = ()
    capture: Capture = "auto"
    redact: bool = True
    report_self: bool = False
    max_connections: int = 200_000
    cpu_budget: float = 0.0
    cpu_budget_period_seconds: float = 10.0
    cpu_budget_calm_seconds: float = 30.0


class SummariseConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`connbeat.summarise`: one event for many connections.

    `interval_seconds` None is that of `aggregation`; `when` is plain data for `model.conditions`.
    """

    enabled: bool = False
    interval_seconds: float | None = None
    when: object = None
    max_keys: int = 10_000


class DeadLetterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`dead_letter`: where events go that an output gave up, with the reason.

    `path` is "" for `dead_letter` below `path.data`; each output has a file of its own in it.
    """

    enabled: bool = True
    path: str = ""
    rotate_every_kb: int = 10_240
    number_of_files: int = 7
    permissions: int = 0o600


class QueueMemConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`queue.mem`: the place of each output in memory. When full, the oldest event goes."""

    # libbeat's 3200 was for a queue that blocks; here one poll of a large host has to fit.
    events: int = 65_536
    max_bytes: int = 64 * 1024 * 1024
    flush_min_events: int = 1600
    # libbeat says 10s today; 5.6 flushed every second, and who looks at a console expects that.
    flush_timeout_seconds: float = 1.0


class QueueDiskConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`queue.disk`: one spool on disk for all outputs, in place of `queue.mem`.

    `path` is "" for `spool` below `path.data`, `max_size` 0 is without limit.
    """

    enabled: bool = False
    path: str = ""
    max_size: int = 10_000_000_000
    write_ahead: int = 65_536
    retry_interval_seconds: float = 1.0
    max_retry_interval_seconds: float = 30.0


class LoggingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`logging`: the agent's own log.

    `to_stderr` None: if it goes nowhere else. `to_files` None: if stderr is off and syslog as well.
    """

    level: LogLevel = "info"
    selectors: tuple[str, ...] = ()
    to_stderr: bool | None = None
    to_syslog: bool = False
    to_files: bool | None = None
    json: bool = False
    metrics_enabled: bool = True
    metrics_period_seconds: float = 30.0


class LogFilesConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`logging.files`: `path` is "" for `path.logs`, `interval` 0 for no rotation by time."""

    path: str = ""
    name: str = "connbeat"
    rotateeverybytes: int = 10 * 1024 * 1024
    keepfiles: int = 7
    permissions: int = 0o600
    interval_seconds: float = 0.0
    rotateonstartup: bool = True


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`http`: the monitoring endpoint. `host` may be `unix:///path`; then `port` says nothing."""

    enabled: bool = False
    host: str = "localhost"
    port: int = 5066


class PathConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`path`: always filled in, `home` with the working directory if nobody said otherwise."""

    home: str = ""
    config: str = ""
    data: str = ""
    logs: str = ""


class KeystoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`keystore`: `path` is "" for `connbeat.keystore` below `path.data`."""

    path: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration.

    `name` is "" for the host's own name. `outputs` has those that are on, by name; there is always
    one, if only the console. `fields` holds plain JSON values. `max_procs` is 0 for all processors,
    `nice` None for what we were started with.
    """

    name: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, object] = {}
    fields_under_root: bool = False
    processors: tuple[Step, ...] = ()
    schema: SchemaName = "connbeat"
    shutdown_timeout_seconds: float = 10.0
    max_procs: int = 0
    nice: int | None = None
    timestamp_precision: Precision = "millisecond"
    connbeat: ConnbeatConfig = ConnbeatConfig()
    connbeat_summarise: SummariseConfig = SummariseConfig()
    outputs: Mapping[str, OutputConfig] = {}
    dead_letter: DeadLetterConfig = DeadLetterConfig()
    queue_mem: QueueMemConfig = QueueMemConfig()
    queue_disk: QueueDiskConfig = QueueDiskConfig()
    logging: LoggingConfig = LoggingConfig()
    logging_files: LogFilesConfig = LogFilesConfig()
    http: HttpConfig = HttpConfig()
    path: PathConfig = PathConfig()
    keystore: KeystoreConfig = KeystoreConfig()
