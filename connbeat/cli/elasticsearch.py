"""`connbeat export template` and `connbeat export ilm-policy`: what Elasticsearch is to be given.

For those who put it there themselves: the agent then needs no right to do so. The configuration of
`output.elasticsearch` counts if that output is on, otherwise its defaults do.
"""

import json
import sys
from pathlib import Path
from typing import Any

from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings
from connbeat.errors import ConfigError
from connbeat.model.schemas import SchemaName
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.policy import read_policy
from connbeat.outputs.elasticsearch.template import (
    OLDEST,
    Version,
    index_template,
    lifecycle_policy,
    parse_version,
)

_DEFAULT_VERSION = "8.19.0"


def run(options: Options) -> int:
    settings = load_settings(options)
    config = settings.outputs.get("elasticsearch")
    if not isinstance(config, ElasticsearchConfig):
        config = ElasticsearchConfig()
    if options.command == "export template":
        version = _version(options.es_version or _DEFAULT_VERSION)
        document = _template(config.in_schema(settings.schema), settings.schema, version)
    else:
        document = _policy(config)
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0


def _template(config: ElasticsearchConfig, schema: SchemaName, version: Version) -> dict[str, Any]:
    policy = config.ilm_policy_name if config.wants_policy else ""
    return index_template(config.template_wish(policy=policy, schema=schema), version)


def _policy(config: ElasticsearchConfig) -> dict[str, Any]:
    if config.ilm_policy_file:
        return read_policy(Path(config.ilm_policy_file))
    return lifecycle_policy(is_data_stream=config.data_stream)


def _version(text: str) -> Version:
    try:
        version = parse_version(text)
        if version < OLDEST:
            raise ValueError(f"found {text!r}, expected 7.17 or later")  # noqa: TRY301  told below, as the others
    except ValueError as error:
        raise ConfigError((f"connbeat export template: --es.version: {error}",)) from error
    return version
