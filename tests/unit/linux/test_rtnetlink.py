"""Addresses of interfaces: a golden answer, and bytes that are almost right."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given

from connbeat.errors import CaptureError
from connbeat.linux.netlink import parse_datagram
from connbeat.linux.rtnetlink import parse_addresses, parse_networks, parse_nsid, read_nsid_at
from tests.golden import DATA, packed, read_datagrams
from tests.strategies import hostile, pack_attribute, pack_done, pack_message

NAME = "linux-6.18-addresses"
GOLDEN = read_datagrams(NAME)
IFA_ADDRESS, IFA_LOCAL = 1, 2
NETNSA_NSID = 1


def addresses_of(data: bytes, sequence: int = 1) -> list[bytes]:
    return parse_addresses(data, parse_datagram(data, sequence))


def message(*attributes: bytes) -> bytes:
    return pack_message(20, struct.pack("=BBBBI", 2, 24, 0, 0, 1) + b"".join(attributes))


def test_recorded_addresses_are_those_that_ip_shows() -> None:
    recorded = json.loads((DATA / "netlink" / f"{NAME}.json").read_bytes())
    found = [ip for data in GOLDEN for ip in addresses_of(data, recorded["sequence"])]
    assert sorted(found) == sorted(packed(text) for text in recorded["addresses"])


def test_on_a_point_to_point_link_the_local_address_is_ours() -> None:
    local, other = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    attributes = pack_attribute(IFA_ADDRESS, other), pack_attribute(IFA_LOCAL, local)
    assert addresses_of(message(*attributes)) == [local]
    assert addresses_of(message(*reversed(attributes))) == [local]


def test_recorded_networks_are_those_the_addresses_stand_in() -> None:
    recorded = json.loads((DATA / "netlink" / f"{NAME}.json").read_bytes())
    frame = parse_datagram(GOLDEN[0], recorded["sequence"])
    networks = parse_networks(GOLDEN[0], frame)
    inside = {"192.0.2.77", "127.9.9.9", "198.51.100.2", "2001:db8::77"}
    outside = {"192.0.3.1", "198.51.100.1", "198.51.100.3", "2001:db8:1::", "::2", "10.96.0.10"}
    found = {ip for ip in inside | outside if any(packed(ip) in it for it in networks)}
    assert found == inside


def test_a_prefix_longer_than_its_address_is_left_out() -> None:
    header = struct.pack("=BBBBI", 2, 33, 0, 0, 1)
    data = pack_message(20, header + pack_attribute(IFA_ADDRESS, bytes(4)))
    assert parse_networks(data, parse_datagram(data, 1)) == []


@pytest.mark.parametrize("payload", [b"", b"123", b"12345", bytes(17)])
def test_an_address_of_no_known_length_is_left_out(payload: bytes) -> None:
    data = message(pack_attribute(IFA_LOCAL, payload))
    assert addresses_of(data) == []
    assert parse_networks(data, parse_datagram(data, 1)) == []


def test_a_short_message_is_left_out_and_the_rest_survives() -> None:
    good = message(pack_attribute(IFA_ADDRESS, bytes([10, 0, 0, 1])))
    assert addresses_of(pack_message(20, b"short") + good) == [bytes([10, 0, 0, 1])]


@given(hostile(GOLDEN[0] + pack_done(3)))
def test_hostile_bytes_give_addresses_or_our_error(data: bytes) -> None:
    try:
        found = addresses_of(data, 3)
    except CaptureError:
        return
    assert all(len(ip) in (4, 16) for ip in found)


# Ids of other namespaces


def nsid_of(*attributes: bytes) -> int | None:
    data = pack_message(88, b"\0" * 4 + b"".join(attributes))
    return parse_nsid(data, parse_datagram(data, 1))


@pytest.mark.parametrize(("number", "nsid"), [(0, 0), (41, 41), (-1, None)])
def test_an_id_is_a_number_or_none_assigned(number: int, nsid: int | None) -> None:
    other = pack_attribute(5, struct.pack("=i", 7))
    assert nsid_of(other, pack_attribute(NETNSA_NSID, struct.pack("=i", number))) == nsid


@pytest.mark.parametrize("payload", [b"", b"\0", bytes(3), bytes(8)])
def test_an_id_of_another_length_is_none(payload: bytes) -> None:
    assert nsid_of(pack_attribute(NETNSA_NSID, payload)) is None


def test_an_answer_without_an_id_has_none() -> None:
    assert nsid_of() is None


@given(hostile(pack_message(88, b"\0" * 4 + pack_attribute(1, bytes(4)))))
def test_hostile_bytes_give_an_id_or_our_error(data: bytes) -> None:
    try:
        nsid = parse_nsid(data, parse_datagram(data, 1))
    except CaptureError:
        return
    assert nsid is None or nsid >= 0


def test_a_path_that_is_not_there_has_no_id(tmp_path: Path) -> None:
    assert read_nsid_at(tmp_path / "gone") is None
