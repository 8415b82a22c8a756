"""The section `output.console`."""

from connbeat.outputs.configuration import OutputConfig


class ConsoleConfig(OutputConfig, frozen=True, kw_only=True):
    """One document a line on stdout."""

    pretty: bool = False
