"""Name servers as they are written: an address, with or without a port. Pure."""

import ipaddress
import re

_WITH_PORT = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})", re.ASCII)


def parse_server(text: str, default_port: int) -> tuple[str, int]:
    """Address and port. Raises ValueError."""
    match = _WITH_PORT.fullmatch(text)
    host = (match[1] or match[2]) if match else text
    port = int(match[3]) if match else default_port
    if not is_address(host) or not 0 < port < 65536:
        raise ValueError(f"{text!r} is no address, and no address:port")
    return host, port


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
