import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Transient
from connbeat.outputs.logstash.frames import AckReader, document_prefix, encode_window

PREFIX = document_prefix(b'{"beat":"connbeat"}')


def ack(number: int) -> bytes:
    return b"2A" + struct.pack(">I", number)


def events_in(window: bytes) -> list[tuple[int, bytes]]:
    """An independent reading of a window: numbers and documents."""
    assert window[:2] == b"2W"
    count = int.from_bytes(window[2:6])
    frames = window[6:]
    if frames[:2] == b"2C":
        assert int.from_bytes(frames[2:6]) == len(frames) - 6
        frames = zlib.decompress(frames[6:])
    found = []
    while frames:
        assert frames[:2] == b"2J"
        length = int.from_bytes(frames[6:10])
        found.append((int.from_bytes(frames[2:6]), frames[10 : 10 + length]))
        frames = frames[10 + length :]
    assert len(found) == count
    return found


def test_a_window_is_these_bytes() -> None:
    assert encode_window([b'{"a":1}', b"{}"]) == (
        b"2W\0\0\0\2" + b'2J\0\0\0\1\0\0\0\7{"a":1}' + b"2J\0\0\0\2\0\0\0\2{}"
    )


@pytest.mark.parametrize("level", [0, 1, 3, 9])
def test_compressed_or_not_the_same_events_are_in_it(level: int) -> None:
    bodies = [b'{"n":%d}' % number for number in range(100)]
    window = encode_window(bodies, compression_level=level)
    assert events_in(window) == list(enumerate(bodies, 1))


@pytest.mark.parametrize("body", [b'{"a":1}', b"{}", b"{ }", b'{ "a" : {} }'])
def test_the_metadata_stands_first_and_takes_nothing_away(body: bytes) -> None:
    [(_, document)] = events_in(encode_window([body], prefix=PREFIX))
    assert document.startswith(b'{"@metadata":{"beat":"connbeat"}')
    assert json.loads(document) == {"@metadata": {"beat": "connbeat"}, **json.loads(body)}


@given(
    st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none()), max_size=5),
    st.sampled_from([0, 3]),
)
def test_any_document_comes_out_as_it_went_in(
    documents: list[dict[str, object]], level: int
) -> None:
    bodies = [json.dumps(one).encode() for one in documents]
    window = encode_window(bodies, prefix=PREFIX, compression_level=level)
    read = [json.loads(body) for _, body in events_in(window)]
    assert {next(iter(one)) for one in read} <= {"@metadata"}
    assert read == [{"@metadata": {"beat": "connbeat"}} | one for one in documents]


@pytest.mark.parametrize(
    ("numbers", "safe"),
    [((), 0), ((10,), 10), ((3, 10), 10), ((0, 0, 4, 0), 4), ((4, 3), 4), ((10, 0), 10)],
)
def test_acks_are_counted_in_pieces_of_any_size(numbers: tuple[int, ...], safe: int) -> None:
    data = b"".join(ack(number) for number in numbers)
    for size in range(1, len(data) + 1):
        reader = AckReader(10)
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
        assert reader.acknowledged == safe
        assert reader.is_complete == (safe == 10)


def test_half_an_ack_says_nothing() -> None:
    for length in range(6):
        reader = AckReader(10)
        reader.feed(ack(10)[:length])
        assert reader.acknowledged == 0


def test_more_than_was_sent_cannot_be_acknowledged() -> None:
    reader = AckReader(10)
    with pytest.raises(Transient, match="event 11 of a window of 10"):
        reader.feed(ack(11))
    assert reader.acknowledged == 0


@pytest.mark.parametrize("data", [b"HTTP/1.1 400", b"1A\0\0\0\1", b"2W\0\0\0\1", b"H", b"2B"])
def test_another_servers_answer_is_told_at_once(data: bytes) -> None:
    with pytest.raises(Transient, match="not an answer of a lumberjack server"):
        AckReader(1).feed(data)


def test_what_came_before_the_nonsense_counts() -> None:
    reader = AckReader(10)
    with pytest.raises(Transient):
        reader.feed(ack(4) + b"nonsense")
    assert reader.acknowledged == 4


@given(st.lists(st.binary(max_size=20) | st.integers(0, 12).map(ack)), st.integers(0, 12))
def test_any_bytes_are_taken_or_refused_with_our_own_error(pieces: list[bytes], count: int) -> None:
    reader = AckReader(count)
    try:
        for piece in pieces:
            reader.feed(piece)
    except Transient:
        pass
    assert 0 <= reader.acknowledged <= count
