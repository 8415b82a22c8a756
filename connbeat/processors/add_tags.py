"""add_tags: words at the end of `tags`, or of another list."""

from connbeat.processors.protocol import Processor, ProcessorConfig, Services
from connbeat.processors.tags import tagger


class AddTagsConfig(ProcessorConfig, frozen=True, kw_only=True):
    """The words and the list."""

    tags: tuple[str, ...] = ()
    target: str = "tags"


def build(config: AddTagsConfig, _services: Services) -> Processor:
    return tagger(config.tags, config.target)
