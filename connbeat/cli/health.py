"""`connbeat health`: does the agent that runs with this configuration live?

For a container's HEALTHCHECK and the like: exit code 0 or 1, never another.
"""

import sys
from http.client import HTTPConnection, HTTPException

from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings
from connbeat.errors import ConfigError, ConnbeatError
from connbeat.telemetry.listening import ListenAddress, connect, parse_address

_SECONDS = 5.0


class Unanswered(ConnbeatError):  # noqa: N818  what it is: no agent answered
    """Nothing that is a connbeat answered there."""


def run(options: Options) -> int:
    """Prints the answer. `--ready` asks whether it does its work, too."""
    path = "/readyz" if options.ready else "/healthz"
    try:
        status, body = ask(_address(options), path)
    except (ConfigError, Unanswered) as error:
        sys.stderr.write(f"connbeat health: {error}\n")
        return 1
    sys.stdout.write(body)
    return 0 if status == 200 else 1


def _address(options: Options) -> ListenAddress:
    config = load_settings(options).http
    if not config.enabled:
        raise Unanswered("http.enabled is false, so there is nobody to ask")
    return parse_address(config.host, config.port)


def ask(address: ListenAddress, path: str) -> tuple[int, str]:
    """Status and text of the answer. Waits a few seconds at most. Raises Unanswered."""
    connection = HTTPConnection("localhost", timeout=_SECONDS)
    try:
        connection.sock = connect(address, _SECONDS)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        raise Unanswered(f"{address}{path}: {error!r}") from error
    finally:
        connection.close()
