"""drop_event: the event goes nowhere."""

from connbeat.processors.protocol import Processor, ProcessorConfig, Services


class DropEventConfig(ProcessorConfig, frozen=True, kw_only=True):
    """No options: `when` says which."""


def build(_config: DropEventConfig, _services: Services) -> Processor:
    return lambda _: None
