import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.community_id import TCP, community_id, seeded_community_id
from tests.builders import address


# TCP vectors of the specification and of Zeek's tests, with seed 0.
@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ("66.35.250.204:80", "128.232.110.120:34855", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ("1.2.3.4:1122", "5.6.7.8:3344", "1:wCb3OG7yAFWelaUydu0D+125CLM="),
    ],
)
def test_it_is_what_other_tools_compute(one: str, other: str, expected: str) -> None:
    assert community_id(*address(one), *address(other)) == expected


def test_the_lower_address_comes_first_also_in_ipv6() -> None:
    low, high = address("[2001:db8::1]:1000"), address("[2001:db8::2]:53")
    text = b"\0\0" + low[0] + high[0] + b"\x06\0" + b"\x03\xe8" + b"\0\x35"
    expected = "1:" + base64.b64encode(hashlib.sha1(text).digest()).decode()
    assert community_id(*low, *high) == community_id(*high, *low) == expected


PACKED = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
PORTS = st.integers(0, 65535)


@given(PACKED, PORTS, PACKED, PORTS)
def test_both_ends_have_the_same(one: bytes, port: int, other: bytes, other_port: int) -> None:
    assert community_id(one, port, other, other_port) == community_id(other, other_port, one, port)


@given(PACKED, PORTS, PACKED, PORTS)
def test_with_tcp_and_seed_0_it_is_the_same(
    one: bytes, port: int, other: bytes, other_port: int
) -> None:
    seeded = seeded_community_id((one, port), (other, other_port), TCP, 0)
    assert seeded == community_id(one, port, other, other_port)


def test_seed_and_protocol_are_part_of_it() -> None:
    """The specification's vectors for seed 1, and for UDP."""
    one, other = address("128.232.110.120:34855"), address("66.35.250.204:80")
    assert seeded_community_id(one, other, TCP, 1) == "1:3V71V58M3Ksw/yuFALMcW0LAHvc="
    one, other = address("192.168.1.52:54585"), address("8.8.8.8:53")
    assert seeded_community_id(one, other, 17, 0) == "1:d/FP5EW3wiY1vCndhwleRRKHowQ="
