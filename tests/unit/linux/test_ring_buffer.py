"""Trace pages: every kind of word, what was lost, and lengths that lie."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Malformed
from connbeat.linux.ring_buffer import HEADER_BYTES, LOST, RawEvent, parse_page, start_of
from tests.strategies import hostile
from tests.traces import (
    MISSED,
    RECORDINGS,
    Recording,
    discarded_event,
    long_event,
    page,
    short_event,
    time_extend,
    time_stamp,
    word,
)

ONE, TWO, THREE = (struct.pack("<HHI", kind, 0, kind * 1000) for kind in (1, 2, 3))
LONG = struct.pack("<H", 9) + b"x" * 198
GOLDEN = Recording(RECORDINGS[0]).pages()[0]


def parse(data: bytes) -> list[RawEvent]:
    found: list[RawEvent] = []
    parse_page(data, found)
    return found


def told(data: bytes) -> list[tuple[int, int]]:
    """(time, kind) of each event."""
    return [(time_ns, kind) for time_ns, kind, _, _ in parse(data)]


# Words


def test_an_event_is_told_with_its_time_its_kind_and_where_its_record_begins() -> None:
    data = page(1000, short_event(ONE), short_event(TWO, delta=5), short_event(THREE, delta=7))
    assert parse(data) == [(1000, 1, data, 20), (1005, 2, data, 32), (1012, 3, data, 44)]
    assert [data[offset : offset + 8] for _, _, _, offset in parse(data)] == [ONE, TWO, THREE]


def test_an_empty_page_has_no_event() -> None:
    assert parse(page(1000)) == []
    assert parse(page(1000, size=HEADER_BYTES)) == []


@pytest.mark.parametrize("delta", [1 << 27, (1 << 27) - 1, 1 << 40, (1 << 59) - 1])
def test_a_gap_that_27_bits_cannot_hold_stands_before_the_event(delta: int) -> None:
    data = page(1000, short_event(ONE), time_extend(delta), short_event(TWO, delta=3))
    assert told(data) == [(1000, 1), (1000 + delta + 3, 2)]


def test_an_absolute_time_replaces_the_running_one_but_for_its_highest_bits() -> None:
    base = (3 << 59) + 1000
    data = page(base, short_event(ONE), time_stamp(base + 50), short_event(TWO, delta=2))
    assert told(data) == [(base, 1), (base + 52, 2)]


def test_a_long_event_has_its_length_in_a_word_of_its_own() -> None:
    data = page(1000, short_event(ONE), long_event(LONG, delta=4), short_event(TWO, delta=1))
    assert told(data) == [(1000, 1), (1004, 9), (1005, 2)]
    offset = parse(data)[1][3]
    assert data[offset : offset + len(LONG)] == LONG


def test_a_discarded_event_is_passed_over_and_its_time_counts() -> None:
    """The next event's time is counted from it (ring_buffer.c, check_buffer)."""
    data = page(1000, short_event(ONE), discarded_event(TWO, delta=9), short_event(THREE, delta=2))
    assert told(data) == [(1000, 1), (1011, 3)]


def test_a_discarded_event_that_took_no_time_says_one_and_means_none() -> None:
    data = page(1000, discarded_event(ONE, delta=1), short_event(TWO, delta=2))
    assert told(data) == [(1002, 2)]


def test_padding_ends_the_page_whatever_stands_behind_it() -> None:
    data = page(1000, short_event(ONE), word(29, 0), short_event(TWO))
    assert told(data) == [(1000, 1)]


def test_what_stands_behind_the_used_bytes_is_not_read() -> None:
    data = bytearray(page(1000, short_event(ONE)))
    data[28:40] = short_event(TWO)
    assert told(bytes(data)) == [(1000, 1)]


# Loss


def test_no_event_is_older_than_the_start_of_its_page() -> None:
    made = page(12, short_event(b"aaaa", 3), short_event(b"bbbb"))
    assert start_of(made) == 12
    assert start_of(b"") == 0


def test_an_ordinary_page_lost_nothing() -> None:
    assert parse_page(page(1000, short_event(ONE)), []) is None


def test_a_loss_is_told_with_its_number_and_stands_before_what_came_after() -> None:
    found: list[RawEvent] = []
    data = page(1000, short_event(ONE, delta=2), missed=77)
    assert parse_page(data, found) == 77
    assert [(time_ns, kind) for time_ns, kind, _, _ in found] == [(1000, LOST), (1002, 1)]


def test_a_loss_whose_number_did_not_fit_is_a_loss() -> None:
    words = short_event(bytes(108)) * 36 + short_event(bytes(36))
    data = page(1000, words, flags=MISSED)
    assert parse_page(data, []) == 0


def test_a_number_that_is_said_to_stand_beyond_the_page_is_none() -> None:
    data = page(1000, short_event(ONE), missed=5, size=36)
    assert parse_page(data[:32], []) == 0


# Lengths that lie


@pytest.mark.parametrize("size", range(HEADER_BYTES))
def test_less_than_a_header_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        parse_page(bytes(size), [])


def test_a_page_that_uses_more_than_it_has_is_malformed() -> None:
    with pytest.raises(Malformed):
        parse_page(struct.pack("<QQ", 1000, 4081) + bytes(4080), [])


@pytest.mark.parametrize(
    "liar",
    [
        word(28, 0) + bytes(8),
        word(1, 0),
        word(0, 0),
        word(0, 0) + struct.pack("<I", 12) + bytes(4),
        word(0, 0) + struct.pack("<I", 0xFFFFFFFF) + bytes(4),
        word(29, 5) + struct.pack("<I", 400),
        word(30, 5),
        word(31, 5),
    ],
)
def test_an_event_that_passes_the_end_is_malformed_and_what_came_before_is_kept(
    liar: bytes,
) -> None:
    found: list[RawEvent] = []
    with pytest.raises(Malformed):
        parse_page(page(1000, short_event(ONE), liar), found)
    assert [(time_ns, kind) for time_ns, kind, _, _ in found] == [(1000, 1)]


def test_a_page_cut_at_any_byte_gives_a_prefix_of_its_events_or_our_error() -> None:
    whole = told(GOLDEN)
    assert len(whole) > 20
    used = 16 + (struct.unpack_from("<Q", GOLDEN, 8)[0] & 0xFFFFF)
    for size in range(used):
        with pytest.raises(Malformed):
            parse_page(GOLDEN[:size], [])
        if size >= HEADER_BYTES:  # and with a header that tells the truth about it
            cut = GOLDEN[:8] + struct.pack("<Q", size - HEADER_BYTES) + GOLDEN[16:size]
            found: list[RawEvent] = []
            with contextlib.suppress(Malformed):
                parse_page(cut, found)
            assert [event[:2] for event in found] == whole[: len(found)]


@given(hostile(GOLDEN[:600]), st.booleans())
def test_hostile_bytes_give_events_inside_the_page_or_our_error(data: bytes, patched: bool) -> None:
    if patched and len(data) >= HEADER_BYTES:  # else the header refuses nearly all of it
        data = data[:8] + struct.pack("<Q", (len(data) - HEADER_BYTES) & ~3) + data[16:]
    found: list[RawEvent] = []
    with contextlib.suppress(Malformed):
        parse_page(data, found)
    for time_ns, kind, where, offset in found:
        assert time_ns >= 0
        if kind != LOST:
            assert where is data
            assert HEADER_BYTES + 4 <= offset < len(data)
            assert kind == data[offset] | data[offset + 1] << 8


_deltas = st.integers(0, (1 << 27) - 1)
_records = st.binary(min_size=4, max_size=112)


@given(
    st.integers(0, 1 << 58),
    st.lists(
        st.one_of(
            st.tuples(st.just("short"), _records, _deltas),
            st.tuples(st.just("long"), st.binary(min_size=4, max_size=200), _deltas),
            st.tuples(st.just("discarded"), _records, st.integers(2, 1000)),
            st.tuples(st.just("extend"), st.just(b""), st.integers(0, 1 << 40)),
        ),
        max_size=15,
    ),
)
def test_what_was_written_is_read(time_ns: int, story: list[tuple[str, bytes, int]]) -> None:
    writers = {"short": short_event, "long": long_event, "discarded": discarded_event}
    words: list[bytes] = []
    expected: list[tuple[int, bytes]] = []
    now = time_ns
    for kind, body, delta in story:
        now += delta
        words.append(time_extend(delta) if kind == "extend" else writers[kind](body, delta))
        if kind in ("short", "long"):
            expected.append((now, body))
    data = page(time_ns, *words, size=8192)
    found = parse(data)
    assert [(at, where[o : o + len(body)]) for (at, _, where, o), (_, body) in zip(
        found, expected, strict=True
    )] == expected  # fmt: skip


# Runs


def read_one_by_one(data: bytes) -> list[tuple[int, int, int]]:
    """(time, kind, offset) of the short events from a page's beginning on; no other event."""
    (now,) = struct.unpack_from("<Q", data)
    end = HEADER_BYTES + (struct.unpack_from("<Q", data, 8)[0] & 0xFFFFF)
    at, events = HEADER_BYTES, []
    while at < end:
        (header,) = struct.unpack_from("<I", data, at)
        if not 0 < header & 31 <= 28 or at + 4 + 4 * (header & 31) > end:
            break
        now += header >> 5
        events.append((now, struct.unpack_from("<H", data, at + 4)[0], at + 4))
        at += 4 + 4 * (header & 31)
    return events


_few_lengths = st.sampled_from([ONE, TWO, bytes(8), bytes(16), LONG[:76]])


@given(
    st.lists(st.tuples(_few_lengths, _deltas), max_size=60),
    st.sampled_from([b"", word(28, 3), word(29, 0), time_extend(5), discarded_event(ONE)]),
)
def test_events_of_one_length_are_read_as_each_by_itself(
    events: list[tuple[bytes, int]], last: bytes
) -> None:
    data = page(1 << 50, *(short_event(body, delta) for body, delta in events), last, size=8192)
    found: list[RawEvent] = []
    with contextlib.suppress(Malformed):
        parse_page(data, found)
    assert [(at, kind, offset) for at, kind, _, offset in found] == read_one_by_one(data)
    assert len(found) == len(events)


@pytest.mark.parametrize("recorded", Recording(RECORDINGS[0]).pages())
def test_a_recorded_page_begins_as_each_event_by_itself(recorded: bytes) -> None:
    one_by_one = read_one_by_one(recorded)
    assert one_by_one
    assert [(at, kind, o) for at, kind, _, o in parse(recorded)][: len(one_by_one)] == one_by_one
