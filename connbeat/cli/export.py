"""`connbeat export`: what the agent knows about itself, for other programs."""

import json
import os
import sys

from connbeat.cli.options import Options


def run(options: Options) -> int:
    sys.stdout.write(_PRINTED[options.command](options))
    return 0


def _schema(options: Options) -> str:
    from connbeat.cli.settings import load_settings  # noqa: PLC0415  only this command needs it
    from connbeat.events.schema import event_schema  # noqa: PLC0415  as above

    return json.dumps(event_schema(load_settings(options).schema), indent=2) + "\n"


def _fields(options: Options) -> str:
    from connbeat.cli.settings import load_settings  # noqa: PLC0415  as above
    from connbeat.config.document import write_document  # noqa: PLC0415  as above
    from connbeat.events.field_list import field_list  # noqa: PLC0415  as above

    return write_document(field_list(load_settings(options).schema))


def _config_schema(_: Options) -> str:
    from connbeat.config.json_schema import config_schema  # noqa: PLC0415  as above

    return json.dumps(config_schema(), indent=1, ensure_ascii=False) + "\n"


def _config(options: Options) -> str:
    from connbeat.cli.settings import load_configuration  # noqa: PLC0415  as above
    from connbeat.config.document import write_document  # noqa: PLC0415  as above
    from connbeat.config.masking import masked  # noqa: PLC0415  as above
    from connbeat.config.options import with_lists  # noqa: PLC0415  as above

    return write_document(masked(with_lists(load_configuration(options, os.environ).root)))


_PRINTED = {
    "export config": _config,
    "export config-schema": _config_schema,
    "export schema": _schema,
    "export fields": _fields,
}
