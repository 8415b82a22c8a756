"""`connbeat export`: what the agent knows about itself, for other programs."""

import json
import os
import sys

from connbeat.cli.options import Options


def run(options: Options) -> int:
    sys.stdout.write(_schema(options) if options.command == "export schema" else _config(options))
    return 0


def _schema(options: Options) -> str:
    from connbeat.cli.settings import load_settings  # noqa: PLC0415  only this command needs it
    from connbeat.events.schema import event_schema  # noqa: PLC0415  as above

    return json.dumps(event_schema(load_settings(options).schema), indent=2) + "\n"


def _config(options: Options) -> str:
    from connbeat.cli.settings import load_configuration  # noqa: PLC0415  only this command needs it
    from connbeat.config.document import write_document  # noqa: PLC0415  as above
    from connbeat.config.masking import masked  # noqa: PLC0415  as above
    from connbeat.config.tree import to_plain  # noqa: PLC0415  as above

    return write_document(masked(to_plain(load_configuration(options, os.environ).root)))
