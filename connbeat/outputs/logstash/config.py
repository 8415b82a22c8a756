"""The section `output.logstash`."""

from connbeat.outputs.configuration import NetworkOutputConfig
from connbeat.outputs.hosts import HostDefaults

PORT = 5044


class LogstashConfig(NetworkOutputConfig, frozen=True, kw_only=True):
    """Documents to Logstash's beats input. `index` becomes `@metadata.beat`."""

    timeout_seconds: float = 30.0
    loadbalance: bool = False
    port: int = PORT
    index: str = "connbeat"
    compression_level: int = 3
    slow_start: bool = False
    ttl_seconds: float = 0.0


def host_defaults(port: int) -> HostDefaults:
    """Logstash has no URLs: there is TLS if there is a section `ssl`."""
    return HostDefaults(ports={"tcp": port}, scheme="tcp")
