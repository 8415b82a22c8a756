import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.networks import network_test


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("loopback", "127.9.9.9 ::1 ::ffff:127.0.0.1", "10.0.0.1 ::2"),
        ("private", "10.1.2.3 172.16.0.1 192.168.9.9 fd00::1", "172.32.0.1 8.8.8.8 fe80::1"),
        ("public", "8.8.8.8 2001:4860::8888", "10.0.0.1 127.0.0.1 224.0.0.1 fe80::1 0.0.0.0"),
        ("unicast", "8.8.8.8 10.0.0.1", "127.0.0.1 255.255.255.255 ff02::1 169.254.1.1"),
        ("global_unicast", "8.8.8.8 10.0.0.1", "::"),
        ("multicast", "224.0.0.1 239.1.1.1 ff02::1", "8.8.8.8"),
        ("interface_local_multicast", "ff01::1", "ff02::1 224.0.0.1"),
        ("link_local_unicast", "169.254.1.1 fe80::1 fe80::1%eth0", "10.0.0.1"),
        ("link_local_multicast", "224.0.0.251 ff02::fb", "224.0.1.1 ff05::2"),
        ("unspecified", "0.0.0.0 ::", "127.0.0.1"),
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.1 ::1"),
        ("10.1.2.3/8", "10.255.0.1", "11.0.0.1"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("2001:db8::/32", "2001:db8::1", "2001:db9::1 10.0.0.1"),
    ],
)
def test_named_and_numbered_networks(name: str, inside: str, outside: str) -> None:
    test = network_test(name)
    assert [text for text in inside.split() if not test(text)] == []
    assert [text for text in outside.split() if test(text)] == []


NETWORKS: dict[str, Callable[[Any], bool]] = {
    "loopback": lambda one: one.is_loopback,
    "multicast": lambda one: one.is_multicast,
    "link_local_unicast": lambda one: one.is_link_local,
    "unspecified": lambda one: one.is_unspecified,
    "172.16.0.0/12": lambda one: one in ipaddress.ip_network("172.16.0.0/12"),
    "2001:db8::/33": lambda one: one in ipaddress.ip_network("2001:db8::/33"),
}
BEGINNINGS = (b"", b"\x7f", b"\xa9\xfe", b"\xe0", b"\xac\x10", b"\xfe\x80", b"\xff", b" \x01\r\xb8")


@given(st.sampled_from(BEGINNINGS), st.binary(min_size=16, max_size=16), st.sampled_from((4, 16)))
def test_they_are_those_of_the_standard_library(first: bytes, rest: bytes, size: int) -> None:
    address = ipaddress.ip_address((first + rest)[:size])
    if getattr(address, "ipv4_mapped", None) is None:
        for name, is_in in NETWORKS.items():
            assert network_test(name)(str(address)) == is_in(address), name


@pytest.mark.parametrize("name", ["", "home", "10.0.0.0/33", "10.0.0"])
def test_what_is_no_network_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        network_test(name)


@given(st.text())
def test_what_is_no_address_is_nowhere(text: str) -> None:
    assert not network_test("2001:db8::/32")(f"x{text}")
