import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.model.batches import Event
from connbeat.queue.chunks import Chunk, decode, split
from tests.deliveries import event, events

EVENTS = st.lists(
    st.builds(
        Event,
        st.text(st.characters(exclude_categories=["Cs"])),
        st.integers(-(2**63), 2**63 - 1),
        st.binary(max_size=300).map(lambda body: body.replace(b"\n", b"")),
    ),
    max_size=600,
)


def together(chunks: list[Chunk]) -> list[Event]:
    return [one for chunk in chunks for one in decode(chunk)]


@given(EVENTS, st.integers(0, 2**40), st.integers(0, 2**40))
def test_what_is_split_is_decoded_as_it_was(put: list[Event], seq: int, size: int) -> None:
    chunks = list(split(put, seq, size))
    assert together(chunks) == put
    for chunk in chunks:
        assert chunk.first_seq == seq + 1
        seq = chunk.last_seq
        size += sum(len(one.body) for one in decode(chunk))
        assert chunk.last_bytes == size


def test_a_chunk_is_bounded_by_events() -> None:
    assert [len(decode(chunk)) for chunk in split(events(600), 0, 0)] == [256, 256, 88]


def test_a_chunk_is_bounded_by_bytes() -> None:
    put = [event(number, b"x" * 30_000) for number in range(5)]
    assert [len(decode(chunk)) for chunk in split(put, 0, 0)] == [2, 2, 1]


def test_an_event_of_any_size_is_a_chunk() -> None:
    put = [event(0), event(1, b"x" * 2_000_000), event(2)]
    assert together(list(split(put, 0, 0))) == put


def test_nothing_makes_no_chunk() -> None:
    assert list(split([], 5, 5)) == []


def test_a_body_with_a_line_feed_costs_nobody_elses_event() -> None:
    put = [event(0), event(1, b'{"a":\n1}\n'), event(2)]
    bodies = [one.body for one in together(list(split(put, 0, 0)))]
    assert bodies == [put[0].body, b'{"a": 1} ', put[2].body]


def test_the_columns_can_be_read_by_eye() -> None:
    (chunk,) = split(events(2), 0, 0)
    assert (json.loads(chunk.ids), json.loads(chunk.timestamps)) == (["e0", "e1"], [0, 1])
    assert chunk.bodies == b'{"n":0}\n{"n":1}'


DAMAGE = {
    "last_seq": 4,
    "first_seq": 1,
    "last_bytes": 1,
    "crc": 1,
    "ids": '["e0","e2"]',
    "timestamps": "[0,2]",
    "bodies": b'{"n":0}\n{"n":2}',
}


@pytest.mark.parametrize("field", DAMAGE)
def test_a_column_that_is_not_what_was_written_is_found(field: str) -> None:
    (chunk,) = split(events(2), 7, 7)
    with pytest.raises(ValueError, match="checksum"):
        decode(msgspec.structs.replace(chunk, **{field: DAMAGE[field]}))


@pytest.mark.parametrize("value", [None, 1, "text", "\udc80"])
def test_a_column_of_another_type_is_found(value: object) -> None:
    (chunk,) = split(events(2), 7, 7)
    for field in ("ids", "timestamps", "bodies"):
        with pytest.raises((TypeError, ValueError)):
            decode(msgspec.structs.replace(chunk, **{field: value}))
