import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.addresses import (
    format_ip,
    is_link_local,
    is_loopback,
    is_wildcard,
    network_of,
    parse_ip,
    unmap,
)

V4 = st.binary(min_size=4, max_size=4)
V6 = st.binary(min_size=16, max_size=16)


@given(V4 | V6)
def test_an_address_is_written_as_the_standard_library_writes_it(packed: bytes) -> None:
    address = ipaddress.ip_address(packed)
    # glibc and ipaddress differ in how they write the last 4 bytes of ::1.2.3.4 and ::ffff:1.2.3.4.
    assert ipaddress.ip_address(format_ip(packed)) == address
    assert is_loopback(packed) == (address.is_loopback and unmap(packed) == packed)


@given(V4 | V6)
def test_what_is_written_is_read_again(packed: bytes) -> None:
    assert parse_ip(format_ip(packed)) == unmap(packed)


@given(V4)
def test_a_mapped_address_is_the_one_inside(packed: bytes) -> None:
    assert unmap(b"\x00" * 10 + b"\xff\xff" + packed) == packed
    assert parse_ip(f"::ffff:{format_ip(packed)}") == packed


def test_an_interface_behind_the_address_is_no_part_of_it() -> None:
    assert parse_ip("fe80::1%eth0") == parse_ip("fe80::1")


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4/24"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        parse_ip(text)


def test_the_wildcards_are_those_of_both_families() -> None:
    assert is_wildcard(parse_ip("0.0.0.0"))
    assert is_wildcard(parse_ip("::"))
    assert not is_wildcard(parse_ip("::1"))


@given(V4 | V6)
def test_link_local_is_the_ten_bits_of_fe80(packed: bytes) -> None:
    network = ipaddress.ip_network("fe80::/10")
    assert is_link_local(packed) == (ipaddress.ip_address(packed) in network)


@given(V4 | V6, st.integers(0, 128), V4 | V6)
def test_a_network_has_the_addresses_that_the_standard_library_says(
    packed: bytes, prefix_bits: int, other: bytes
) -> None:
    prefix_bits = min(prefix_bits, len(packed) * 8)
    expected = ipaddress.ip_network((packed, prefix_bits), strict=False)
    network = network_of(packed, prefix_bits)
    assert packed in network
    assert (other in network) == (ipaddress.ip_address(other) in expected)


def test_a_prefix_longer_than_the_address_is_refused() -> None:
    with pytest.raises(ValueError, match="33 bits"):
        network_of(bytes(4), 33)
