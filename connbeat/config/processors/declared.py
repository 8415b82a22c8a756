"""A processor as the configuration knows it."""

import msgspec

from connbeat.config.kinds import Boolean, Text
from connbeat.config.option import Option
from connbeat.config.output_kinds import When
from connbeat.processors.protocol import ProcessorConfig

#: What every processor has beside its own.
COMMON = (
    Option("when", When(), "Only events that this condition fits; the others go on as they are."),
    Option("enabled", Boolean(), "`false`: as if it did not stand there."),
    Option("tag", Text(), "A name for log lines and metrics, where there are several."),
)


class Declared(msgspec.Struct, frozen=True):
    """What its section becomes, and the options that are its own."""

    config: type[ProcessorConfig]
    options: tuple[Option, ...]


def declared(config: type[ProcessorConfig], *options: Option) -> Declared:
    return Declared(config, options)
