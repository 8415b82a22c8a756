"""Chunks: events that came one after the other, as one row of the spool. Pure.

One row for some dozens of events, not a row each: a row costs a step of SQLite, and each step hands
Python's lock to whoever wants it. Beside a busy thread rows for single events took 184 us each, and
without one twice the CPU of chunks.

The documents stand in `bodies` one a line, as an event has no line feed in its body; `ids` and
`timestamps` are JSON lists. All three can be read by eye, and by the view `events`.
"""

import zlib
from collections.abc import Iterator, Sequence

import msgspec

from connbeat.model.batches import Event

# A row above 128 KiB left the allocator's pools and took twice the time per event.
_CHUNK_BYTES = 64 * 1024
_CHUNK_EVENTS = 256

_decode_ids = msgspec.json.Decoder(list[str]).decode
_decode_timestamps = msgspec.json.Decoder(list[int]).decode
_encode = msgspec.json.Encoder().encode


class Chunk(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A row. The fields are its columns, in their order.

    `last_bytes` counts the bodies of all events ever written up to and with the last one here.
    """

    last_seq: int
    first_seq: int
    last_bytes: int
    crc: int
    ids: str
    timestamps: str
    bodies: bytes


def split(events: Sequence[Event], seq: int, size_bytes: int) -> Iterator[Chunk]:
    """The events as chunks that come after event number `seq`, and after so many bytes."""
    for part in _parts(events):
        size_bytes += sum([len(event.body) for event in part])
        yield _chunk(part, seq + 1, size_bytes)
        seq += len(part)


def decode(chunk: Chunk) -> list[Event]:
    """The events, from number `first_seq` on. ValueError or TypeError if the row is damaged."""
    if chunk.crc != _crc(chunk):
        raise ValueError(f"the checksum of chunk {chunk.last_seq} is wrong")
    ids, timestamps = _decode_ids(chunk.ids), _decode_timestamps(chunk.timestamps)
    return list(map(Event, ids, timestamps, chunk.bodies.split(b"\n")))


def _parts(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    start = size = 0
    for number, event in enumerate(events):
        size += len(event.body)
        if number > start and (size > _CHUNK_BYTES or number - start == _CHUNK_EVENTS):
            yield events[start:number]
            start, size = number, len(event.body)
    if start < len(events):
        yield events[start:]


def _chunk(events: Sequence[Event], first_seq: int, last_bytes: int) -> Chunk:
    ids = _encode([event.id for event in events]).decode()
    timestamps = _encode([event.timestamp_ns for event in events]).decode()
    bodies = b"\n".join([event.body for event in events])
    if bodies.count(b"\n") >= len(events):
        # Nobody makes such a body. In JSON a line feed is white space, so it may as well be a space
        # and cost nobody else's event.
        bodies = b"\n".join([event.body.replace(b"\n", b" ") for event in events])
    chunk = Chunk(first_seq + len(events) - 1, first_seq, last_bytes, 0, ids, timestamps, bodies)
    return msgspec.structs.replace(chunk, crc=_crc(chunk))


def _crc(chunk: Chunk) -> int:
    """SQLite checks its pages in the log, not in the file."""
    numbers = f"{chunk.last_seq} {chunk.first_seq} {chunk.last_bytes}"
    head = f"{numbers} {chunk.ids} {chunk.timestamps}".encode()
    return zlib.crc32(chunk.bodies, zlib.crc32(head))
