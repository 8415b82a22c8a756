"""Whether an address is in a network, by its CIDR notation or by its name in libbeat. Pure."""

import functools
import ipaddress
from collections.abc import Callable

from connbeat.model.addresses import Network, network_of, parse_ip

_IsIn = Callable[[bytes], bool]

_REMEMBERED = 1024


def _network(text: str) -> Network:
    """Raises ValueError."""
    network = ipaddress.ip_network(text, strict=False)
    return network_of(network.network_address.packed, network.prefixlen)


def _any_of(*texts: str) -> _IsIn:
    networks = tuple(map(_network, texts))
    return lambda packed: any(packed in network for network in networks)


def _is_multicast_of_scope(packed: bytes, scope: int) -> bool:
    return len(packed) == 16 and packed[0] == 0xFF and packed[1] & 0x0F == scope


_is_loopback = _any_of("127.0.0.0/8", "::1")
_is_private = _any_of("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_is_multicast = _any_of("224.0.0.0/4", "ff00::/8")
_is_link_local = _any_of("169.254.0.0/16", "fe80::/10")
_is_unspecified = _any_of("0.0.0.0/32", "::")
_is_v4_link_local_multicast = _any_of("224.0.0.0/24")
# Go's meaning of the word: private addresses are in it.
_is_no_global_unicast = _any_of(
    "0.0.0.0/32",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::/10",
    "ff00::/8",
)


def _is_global_unicast(packed: bytes) -> bool:
    return not _is_no_global_unicast(packed)


_NAMED: dict[str, _IsIn] = {
    "loopback": _is_loopback,
    "private": _is_private,
    "public": lambda packed: _is_global_unicast(packed) and not _is_private(packed),
    "unicast": _is_global_unicast,
    "global_unicast": _is_global_unicast,
    "multicast": _is_multicast,
    "interface_local_multicast": lambda packed: _is_multicast_of_scope(packed, 1),
    "link_local_unicast": _is_link_local,
    "link_local_multicast": lambda packed: (
        _is_v4_link_local_multicast(packed) or _is_multicast_of_scope(packed, 2)
    ),
    "unspecified": _is_unspecified,
}


def network_test(name: str) -> Callable[[str], bool]:
    """A test of addresses in text; what is no address is in no network. Raises ValueError."""
    is_in = _NAMED.get(name)
    if is_in is None:
        is_in = _cidr_test(name)

    @functools.lru_cache(maxsize=_REMEMBERED)  # the same addresses again and again
    def test(text: str) -> bool:
        try:
            return is_in(parse_ip(text))
        except ValueError:
            return False

    return test


def _cidr_test(text: str) -> _IsIn:
    try:
        return _network(text).__contains__
    except ValueError:
        names = ", ".join(_NAMED)
        raise ValueError(f"found {text!r}, expected 10.0.0.0/8 or one of {names}") from None
