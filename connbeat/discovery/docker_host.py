"""The machine that runs the engine, for `container.docker_host` of every document.

As the original did it: the variables first, then the name the engine gives its host, and one
address for that name, IPv4 before IPv6. Without an engine the name is our own.
"""

import logging
import socket
from collections.abc import Callable, Mapping

from connbeat.model.addresses import parse_ip
from connbeat.model.containers import DockerHost

_log = logging.getLogger(__name__)

HOSTNAME_VARIABLE = "DOCKERHOST_HOSTNAME"
IP_VARIABLE = "DOCKERHOST_IP"


def resolve(hostname: str) -> list[str]:
    """Every address of a name, IPv4 first. Blocks as long as the resolver does; raises OSError."""
    # As text even a plain name is encoded by IDNA, whose tables take 0.4 MB.
    name = hostname.encode() if hostname.isascii() else hostname
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return [str(address[0]) for *_, address in found]


def read_docker_host(
    environ: Mapping[str, str],
    engine_name: str = "",
    resolve: Callable[[str], list[str]] = resolve,
) -> DockerHost:
    """The host's name and its address; no address, and one warning, if it has none.

    May block for as long as the resolver does, so not for the capture thread.
    """
    hostname = environ.get(HOSTNAME_VARIABLE) or engine_name or socket.gethostname()
    given = environ.get(IP_VARIABLE)
    try:
        ips = [given] if given else resolve(hostname)[:1]
        for ip in ips:
            parse_ip(ip)
    # UnicodeError, a ValueError, for a name that no resolver takes.
    except (OSError, ValueError) as error:
        _log.warning("The Docker host has no address. hostname=%s error=%s", hostname, error)
        ips = []
    return DockerHost(hostname=hostname, ips=tuple(ips))
