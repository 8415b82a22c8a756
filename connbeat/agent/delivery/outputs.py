"""From sections of the configuration to outputs; each loads its library only when it is on."""

import importlib
import socket
from collections.abc import Callable

import connbeat
from connbeat.agent.delivery.dead_letters import DeadLetters, dead_letter_directory
from connbeat.agent.delivery.deliver import DeliveryPolicy
from connbeat.agent.delivery.filters import WhenFilter
from connbeat.agent.delivery.queues import flushing
from connbeat.backoff import Backoff
from connbeat.clock import Clock
from connbeat.config.schema import Settings
from connbeat.errors import ConfigError
from connbeat.outputs.configuration import OutputConfig
from connbeat.outputs.file.client import FileOutput
from connbeat.outputs.file.rotation import Rotation
from connbeat.outputs.protocol import Output, OutputContext
from connbeat.telemetry.metrics import Metrics

#: By name: the module whose `build(config, context)` makes it.
_CLIENTS = {
    "console": "connbeat.outputs.console.client",
    "elasticsearch": "connbeat.outputs.elasticsearch.output",
    "file": "connbeat.outputs.file.client",
    "http": "connbeat.outputs.http.client",
    "kafka": "connbeat.outputs.kafka.client",
    "logstash": "connbeat.outputs.logstash.client",
    "redis": "connbeat.outputs.redis.client",
}
#: What may be missing, by the name it is imported by, and the extra that has it.
_EXTRAS = {"confluent_kafka": "kafka", "redis": "redis"}


def build_outputs(settings: Settings, clock: Clock, metrics: Metrics) -> dict[str, Output]:
    """The outputs that are on, by name, none of them opened. Raises ConfigError."""
    context = output_context(settings, clock, metrics)
    return {name: _build(name, config, context) for name, config in settings.outputs.items()}


def output_context(settings: Settings, clock: Clock, metrics: Metrics) -> OutputContext:
    hostname = socket.gethostname()
    return OutputContext(
        clock=clock,
        metrics=metrics,
        name=settings.name or hostname,
        hostname=hostname,
        version=connbeat.__version__,
        schema=settings.schema,
    )


def _build(name: str, config: OutputConfig, context: OutputContext) -> Output:
    try:
        client = importlib.import_module(_CLIENTS[name])
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _EXTRAS:
            raise
        fault = f"output.{name}: {library} is not installed; install connbeat[{_EXTRAS[library]}]"
        raise ConfigError((fault,)) from error
    build: Callable[[OutputConfig, OutputContext], Output] = client.build
    return build(config, context)


def delivery_policy(
    name: str, settings: Settings, clock: Clock, metrics: Metrics
) -> DeliveryPolicy:
    """How the output's worker works."""
    config = settings.outputs[name]
    min_events, flush_seconds = flushing(settings)
    return DeliveryPolicy(
        max_events=config.bulk_max_size,
        min_events=min_events,
        flush_seconds=flush_seconds,
        backoff=Backoff(
            init_seconds=min(config.backoff_init_seconds, config.backoff_max_seconds),
            max_seconds=config.backoff_max_seconds,
        ),
        max_retries=config.max_retries,
        wanted=WhenFilter(config.when),
        dead_letters=_dead_letters(name, settings, clock, metrics),
    )


def _dead_letters(
    name: str, settings: Settings, clock: Clock, metrics: Metrics
) -> DeadLetters | None:
    config = settings.dead_letter
    if not config.enabled:
        return None
    file = FileOutput(
        dead_letter_directory(config.path, settings.path.data),
        f"{name}.ndjson",
        rotation=Rotation(
            max_bytes=config.rotate_every_kb * 1024,
            number_of_files=config.number_of_files,
            on_startup=False,
        ),
        permissions=config.permissions,
    )
    return DeadLetters(name, file, metrics, clock)
