"""Whether an address is in a network, by its CIDR notation or by its name in libbeat. Pure."""

import functools
import ipaddress
from collections.abc import Callable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
_REMEMBERED = 1024
_BROADCAST = ipaddress.ip_address("255.255.255.255")


def _is_private(address: _Address) -> bool:
    return any(address in network for network in _PRIVATE)


def _is_multicast_of_scope(address: _Address, scope: int) -> bool:
    return address.version == 6 and address.is_multicast and address.packed[1] & 0x0F == scope


def _is_link_local_multicast(address: _Address) -> bool:
    if address.version == 4:
        return address.packed.startswith(b"\xe0\x00\x00")  # 224.0.0.0/24
    return _is_multicast_of_scope(address, 2)


def _is_global_unicast(address: _Address) -> bool:
    """Go's meaning of the word: private addresses are in it."""
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or address == _BROADCAST
    )


def _is_public(address: _Address) -> bool:
    return _is_global_unicast(address) and not _is_private(address)


_NAMED: dict[str, Callable[[_Address], bool]] = {
    "loopback": lambda address: address.is_loopback,
    "private": _is_private,
    "public": _is_public,
    "unicast": _is_global_unicast,
    "global_unicast": _is_global_unicast,
    "multicast": lambda address: address.is_multicast,
    "interface_local_multicast": lambda address: _is_multicast_of_scope(address, 1),
    "link_local_unicast": lambda address: address.is_link_local,
    "link_local_multicast": _is_link_local_multicast,
    "unspecified": lambda address: address.is_unspecified,
}


def network_test(name: str) -> Callable[[str], bool]:
    """A test of addresses in text; what is no address is in no network. Raises ValueError."""
    is_in = _NAMED.get(name)
    if is_in is None:
        is_in = _cidr_test(name)

    # The same few hundred addresses again and again; to parse one takes 3 us.
    @functools.lru_cache(maxsize=_REMEMBERED)
    def test(text: str) -> bool:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return is_in(getattr(address, "ipv4_mapped", None) or address)

    return test


def _cidr_test(text: str) -> Callable[[_Address], bool]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        names = ", ".join(_NAMED)
        raise ValueError(f"found {text!r}, expected 10.0.0.0/8 or one of {names}") from None
    return lambda address: address.version == network.version and address in network
