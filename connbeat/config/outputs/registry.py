"""Every output there is: its settings and all of its options."""

import msgspec

from connbeat.config.option import Option, below
from connbeat.config.outputs import console, elasticsearch, file, http, kafka, logstash, redis
from connbeat.config.outputs.common import COMMON, NETWORK
from connbeat.outputs.configuration import NetworkOutputConfig, OutputConfig
from connbeat.outputs.console.config import ConsoleConfig
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.file.config import FileConfig
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.kafka.config import KafkaConfig
from connbeat.outputs.logstash.config import LogstashConfig
from connbeat.outputs.redis.config import RedisConfig
from connbeat.outputs.tls_policy import TlsPolicy

#: By name: what its section becomes, and the options that are its own.
OUTPUTS: dict[str, tuple[type[OutputConfig], tuple[Option, ...]]] = {
    "console": (ConsoleConfig, console.OPTIONS),
    "elasticsearch": (ElasticsearchConfig, elasticsearch.OPTIONS),
    "file": (FileConfig, file.OPTIONS),
    "http": (HttpConfig, http.OPTIONS),
    "kafka": (KafkaConfig, kafka.OPTIONS),
    "logstash": (LogstashConfig, logstash.OPTIONS),
    "redis": (RedisConfig, redis.OPTIONS),
}


def output_options() -> tuple[Option, ...]:
    """All of them, with whole keys. An output's own option replaces a common one of that key."""
    return tuple(
        option
        for name, (config, own) in OUTPUTS.items()
        for option in below(f"output.{name}", _all_options(config, own))
    )


def output_sections() -> dict[str, type[msgspec.Struct]]:
    """The sections of the outputs by key, `output.http.ssl` too."""
    sections: dict[str, type[msgspec.Struct]] = {}
    for name, (config, _) in OUTPUTS.items():
        sections[f"output.{name}"] = config
        if issubclass(config, NetworkOutputConfig):
            sections[f"output.{name}.ssl"] = TlsPolicy
    return sections


def _all_options(config: type[OutputConfig], own: tuple[Option, ...]) -> tuple[Option, ...]:
    shared = (*COMMON, *(NETWORK if issubclass(config, NetworkOutputConfig) else ()))
    by_key = {option.key: option for option in (*shared, *own)}
    order = ("enabled", *(option.key for option in own))  # the page begins with what is special
    return tuple(({key: by_key[key] for key in order} | by_key).values())
