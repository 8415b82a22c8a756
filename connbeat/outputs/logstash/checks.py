"""`connbeat test output` for Logstash, as far as its protocol can be asked without an event."""

from collections.abc import Callable, Iterator

from connbeat.errors import Transient
from connbeat.outputs.hosts import HostUrl
from connbeat.outputs.logstash.config import LogstashConfig
from connbeat.outputs.logstash.connection import Connection
from connbeat.outputs.probing import Endpoint, probe
from connbeat.outputs.protocol import Check, Step

# A server of another protocol that speaks first, or that objects to a window, does so at once.
_LISTENING_SECONDS = 0.5


def check_host(
    url: HostUrl, config: LogstashConfig, connect: Callable[[HostUrl], Connection]
) -> Iterator[Check]:
    """All steps of one host. Never raises."""
    endpoint = Endpoint(
        host=url.host, port=url.port, seconds=config.timeout_seconds, tls=config.ssl
    )
    for check in probe(endpoint):
        yield check
        if check.error:
            return
    try:
        connection = connect(url)
    except Transient as error:
        yield Check(step=Step.TALK, target=url.netloc, error=str(error))
        return
    objection = connection.begin_window(_LISTENING_SECONDS)
    connection.close()
    yield Check(
        step=Step.TALK,
        target=url.netloc,
        error=objection,
        detail="" if objection else "no objection to the beginning of a window",
    )
