"""copy_fields: values stand under another name as well."""

from connbeat.processors.moves import MovesConfig, build_moves
from connbeat.processors.protocol import Processor, Services


class CopyFieldsConfig(MovesConfig, frozen=True, kw_only=True):
    """See `MovesConfig`."""


def build(config: CopyFieldsConfig, _services: Services) -> Processor:
    return build_moves(config, is_copy=True)
