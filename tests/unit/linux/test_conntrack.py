"""Tracked connections: what a kernel answered, and bytes that are almost right."""

import errno
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import CaptureError, Malformed, NotPermitted
from connbeat.linux.conntrack import (
    CTA_TUPLE_ORIG,
    CTA_TUPLE_REPLY,
    Entry,
    is_untranslated,
    pack_get,
    pack_tuple,
    parse_count,
    parse_entry,
)
from connbeat.model.connections import FourTuple
from tests.golden import DATA, packed, read_datagrams
from tests.strategies import NLMSG_ERROR, hostile, pack_attribute, pack_message

NAME = "linux-6.18-conntrack"
GOLDEN = read_datagrams(NAME)
RECORDED = json.loads((DATA / "netlink" / f"{NAME}.json").read_bytes())
CT_NEW, CT_STATS = 0x100, 0x105
NFGENMSG = b"\x02\0\0\0"
CALL: FourTuple = (bytes([192, 0, 2, 7]), 40001, bytes([10, 96, 0, 10]), 80)
ANSWER: FourTuple = (bytes([192, 0, 2, 9]), 8080, bytes([192, 0, 2, 7]), 40001)


def packed_ends(ends: list[Any]) -> FourTuple:
    return packed(ends[0]), ends[1], packed(ends[2]), ends[3]


ENTRIES = [
    Entry(packed_ends(entry["original"]), packed_ends(entry["reply"]))
    for entry in RECORDED["entries"]
]
#: (what was asked, what was answered, its sequence number): by both tuples of every entry.
ASKED = [
    (ends, data, number + 1)
    for number, (ends, data) in enumerate(
        zip([it.original for it in ENTRIES] + [it.reply for it in ENTRIES], GOLDEN, strict=False)
    )
]


def message(*attributes: bytes, sequence: int = 3) -> bytes:
    return pack_message(CT_NEW, NFGENMSG + b"".join(attributes), sequence, 0)


def refusal(number: int) -> bytes:
    return pack_message(NLMSG_ERROR, struct.pack("=i", -number) + bytes(16), 3, 0)


@pytest.mark.parametrize(("place", "asked"), list(enumerate(ASKED)))
def test_a_recorded_entry_is_what_the_kernel_lists(
    place: int, asked: tuple[FourTuple, bytes, int]
) -> None:
    _, data, sequence = asked
    assert parse_entry(data, sequence) == ENTRIES[place % len(ENTRIES)]


@pytest.mark.parametrize("asked", ASKED)
def test_at_first_sight_only_a_caller_whose_call_was_left_as_it_was_is_untranslated(
    asked: tuple[FourTuple, bytes, int],
) -> None:
    ends, data, _ = asked
    direct = [it.original for it in ENTRIES if it.reply == (*it.original[2:], *it.original[:2])]
    assert len(direct) == 1
    assert is_untranslated(data, ends) == (ends in direct)


def test_a_recorded_count_and_a_recorded_nothing() -> None:
    assert parse_count(GOLDEN[-2], 99) == RECORDED["count"]
    assert parse_entry(GOLDEN[-1], 100) is None


def test_a_request_has_the_layout_of_the_kernel_s_headers() -> None:
    source, destination = bytes([192, 0, 2, 7]), bytes([10, 96, 0, 10])
    nested = 0x8000
    ips = pack_attribute(1, source) + pack_attribute(2, destination)
    ports = pack_attribute(1, b"\x06") + pack_attribute(2, b"\x9c\x41") + pack_attribute(3, b"\0P")
    parts = pack_attribute(1 | nested, ips) + pack_attribute(2 | nested, ports)
    expected = pack_message(0x101, NFGENMSG + pack_attribute(1 | nested, parts), 7, flags=1)
    assert pack_get(7, CALL) == expected


@given(
    st.sampled_from([4, 16]).flatmap(
        lambda size: st.tuples(
            st.binary(min_size=size, max_size=size),
            st.integers(0, 0xFFFF),
            st.binary(min_size=size, max_size=size),
            st.integers(0, 0xFFFF),
        )
    )
)
def test_tuples_are_read_as_they_are_packed(ends: FourTuple) -> None:
    data = message(pack_tuple(CTA_TUPLE_ORIG, ends), pack_tuple(CTA_TUPLE_REPLY, ANSWER))
    entry = parse_entry(data, 3)
    assert entry is not None
    assert entry.original[1::2] == ends[1::2]
    if ends[0][:12] != bytes(10) + b"\xff\xff" != ends[2][:12]:
        assert entry.original == ends


def test_tuples_in_another_order_between_other_attributes_are_found() -> None:
    other = pack_attribute(7, b"\0\0\0\x01")
    call, answer = pack_tuple(CTA_TUPLE_ORIG, CALL), pack_tuple(CTA_TUPLE_REPLY, ANSWER)
    assert parse_entry(message(other, call, other, answer), 3) == Entry(CALL, ANSWER)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [pack_tuple(CTA_TUPLE_ORIG, CALL)],
        [pack_tuple(CTA_TUPLE_REPLY, ANSWER)],
        [pack_attribute(CTA_TUPLE_ORIG, b""), pack_tuple(CTA_TUPLE_REPLY, ANSWER)],
    ],
)
def test_an_entry_without_both_tuples_is_malformed(parts: list[bytes]) -> None:
    with pytest.raises(Malformed, match="without its tuples"):
        parse_entry(message(*parts), 3)


@pytest.mark.parametrize("ip", [b"", b"123", bytes(5), bytes(17)])
def test_an_address_of_no_known_length_is_malformed(ip: bytes) -> None:
    ips = pack_attribute(1, ip) + pack_attribute(2, bytes(4))
    ports = pack_attribute(2, b"\0\1") + pack_attribute(3, b"\0\2")
    parts = pack_attribute(1, ips) + pack_attribute(2, ports)
    with pytest.raises(Malformed):
        parse_entry(
            message(pack_attribute(CTA_TUPLE_ORIG, parts), pack_tuple(CTA_TUPLE_REPLY, ANSWER)), 3
        )


def test_without_the_right_the_capability_is_named() -> None:
    with pytest.raises(NotPermitted, match="CAP_NET_ADMIN"):
        parse_entry(refusal(errno.EPERM), 3)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_kernel_without_the_module_is_told(number: int) -> None:
    with pytest.raises(CaptureError, match="nf_conntrack_netlink"):
        parse_count(refusal(number), 3)


@pytest.mark.parametrize("number", [errno.ENOBUFS, 5000, -1])
def test_any_other_refusal_is_told(number: int) -> None:
    with pytest.raises(CaptureError, match="refused"):
        parse_entry(refusal(number), 3)


def test_an_answer_to_another_question_is_malformed() -> None:
    data = message(pack_tuple(CTA_TUPLE_ORIG, CALL), pack_tuple(CTA_TUPLE_REPLY, ANSWER))
    with pytest.raises(Malformed):
        parse_entry(data, 4)
    with pytest.raises(Malformed, match="of type"):
        parse_count(data, 3)


def test_statistics_without_a_count_are_malformed() -> None:
    with pytest.raises(Malformed, match="without a count"):
        parse_count(pack_message(CT_STATS, NFGENMSG + pack_attribute(1, b"123"), 3, 0), 3)


@pytest.mark.parametrize("size", range(len(GOLDEN[0])))
def test_a_truncated_answer_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        parse_entry(GOLDEN[0][:size], 1)


@given(hostile(GOLDEN[0]))
def test_hostile_bytes_give_an_entry_or_our_error(data: bytes) -> None:
    try:
        entry = parse_entry(data, 1)
    except CaptureError:
        return
    assert entry is None or all(
        len(ends[0]) in (4, 16) and len(ends[2]) in (4, 16)
        for ends in (entry.original, entry.reply)
    )


@given(hostile(GOLDEN[-2]))
def test_hostile_statistics_give_a_count_or_our_error(data: bytes) -> None:
    try:
        assert parse_count(data, 99) >= 0
    except CaptureError:
        return
