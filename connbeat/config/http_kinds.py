"""The types of options that the monitoring endpoint has. Pure."""

from connbeat.config.kinds import Mismatch, Text
from connbeat.config.tree import Node
from connbeat.telemetry.listening import parse_address


class ListenHost(Text):
    """A name, an address or `unix:///path`, at which the agent can listen."""

    name = "host"

    def parse(self, node: Node) -> str:
        host = super().parse(node)
        try:
            parse_address(host, 0)
        except ValueError as error:
            raise Mismatch(str(error)) from error
        return host
