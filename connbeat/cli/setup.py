"""`connbeat setup`: what Elasticsearch is to have before the first event, put there and no more."""

import sys

from connbeat.agent.delivery.outputs import output_context
from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings
from connbeat.clock import SystemClock
from connbeat.errors import ConfigError
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.output import ElasticsearchOutput
from connbeat.outputs.elasticsearch.preparation import Prepared
from connbeat.telemetry.log import LogSettings, set_up
from connbeat.telemetry.metrics import Metrics


def run(options: Options) -> int:
    """Raises ConfigError where there is nothing to put anything into, and OutputError."""
    settings = load_settings(options)
    config = settings.outputs.get("elasticsearch")
    if not isinstance(config, ElasticsearchConfig):
        raise ConfigError(("connbeat setup: output.elasticsearch is not on; it needs hosts",))
    # What was put there and what was left is told by the log, as in the agent itself.
    set_up(LogSettings(level=settings.logging.level, selectors=settings.logging.selectors))
    config = config.in_schema(settings.schema)
    output = ElasticsearchOutput(config, output_context(settings, SystemClock(), Metrics()))
    found = output.prepare()
    sys.stdout.write(f"Elasticsearch {found.version}, cluster {found.name}: {_what(found)}\n")
    return 0


def _what(found: Prepared) -> str:
    parts = [f"index template {found.template}"] if found.template else []
    parts += [f"lifecycle policy {found.policy}"] if found.policy else []
    return f"{' and '.join(parts)} set up" if parts else "nothing is to be set up"
