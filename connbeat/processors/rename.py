"""rename: fields get other names."""

from connbeat.processors.moves import MovesConfig, build_moves
from connbeat.processors.protocol import Processor, Services


class RenameConfig(MovesConfig, frozen=True, kw_only=True):
    """See `MovesConfig`."""


def build(config: RenameConfig, _services: Services) -> Processor:
    return build_moves(config, is_copy=False)
