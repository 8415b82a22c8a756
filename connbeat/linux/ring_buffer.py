"""ring_buffer: the pages of `trace_pipe_raw`, as the kernel wrote them.

A page is a header (time of the first event, bytes used) and events, each a 32-bit word of 5 bits
type and 27 bits time since the one before, then its payload (include/linux/ring_buffer.h,
Documentation/trace/ring-buffer-design.rst; `events/header_page` and `events/header_event` say the
same at run time). Pure, and never trusts a length: what cannot be framed ends its page. The exec
reader's small process imports it too, so no library here.
"""

import struct

from connbeat.errors import Malformed

_DATA_MAX = 28
_PADDING = 29
_TIME_EXTEND = 30
_TIME_STAMP = 31

#: Bits of the header's commit word, above the number of bytes used.
_MISSED_EVENTS = 1 << 31
_MISSED_STORED = 1 << 30
_COMMIT_MASK = (1 << 20) - 1
#: An absolute time stamp carries 59 bits; the page's own time has the rest.
_STAMP_MASK = (1 << 59) - 1

_header = struct.Struct("<QQ")
_count = struct.Struct("<Q")
_word = struct.Struct("<I")
HEADER_BYTES = _header.size

#: (time in nanoseconds of the instance's clock, kind, the page, where the event's record begins)
RawEvent = tuple[int, int, bytes, int]

#: The kind of what stands at a time before which events were lost; the kernel has no event 0.
LOST = 0
#: Every record begins with its event's id, in 16 bits (include/linux/trace_events.h, trace_entry).
_kind = struct.Struct("<H")
#: A short event by its length in words: its own word, its kind, the rest of its record.
_short_events = {words: struct.Struct(f"<IH{4 * words - 2}x") for words in range(1, _DATA_MAX + 1)}


#: How many events were overwritten before a page, 0 if the kernel forgot; None if none were.
Loss = int | None


def parse_page(page: bytes, found: list[RawEvent]) -> Loss:
    """Append the events of a page to `found`, in their order; tell what was lost before it.

    After a loss one of kind `LOST` stands before them. A record is promised to lie inside the page,
    not to be long enough: who unpacks it checks. Raises Malformed if the page has no header or its
    words do not add up; what came before is in `found`.
    """
    if len(page) < HEADER_BYTES:
        raise Malformed(f"a page of {len(page)} bytes")
    time_ns, commit = _header.unpack_from(page, 0)
    end = HEADER_BYTES + (commit & _COMMIT_MASK)
    if end > len(page) or end & 3:
        raise Malformed(f"a page of {len(page)} bytes that says it uses {end}")
    loss = _loss(page, commit, end)
    if loss is not None:
        found.append((time_ns, LOST, b"", 0))
    _parse_words(page, time_ns, end, found)
    return loss


def start_of(page: bytes) -> int:
    """The time of a page's first event; none in the page is older."""
    return int.from_bytes(page[:8], "little")


def _parse_words(page: bytes, time_ns: int, end: int, found: list[RawEvent]) -> None:
    at = HEADER_BYTES
    while at < end:
        (header,) = _word.unpack_from(page, at)
        kind = header & 31
        if 0 < kind <= _DATA_MAX:
            time_ns, at = _parse_run(page, at, time_ns, found, end=end)
            continue
        if header == _PADDING:  # to the end of the page
            return
        body = at + 4
        second = _word.unpack_from(page, body)[0] if body < end else 0
        time_ns = _advance(time_ns, header, second)
        at = body + (4 if kind >= _TIME_EXTEND else max(4, (second + 3) & ~3))
        if kind == 0 and body + 4 < at <= end:
            found.append((time_ns, _kind.unpack_from(page, body + 4)[0], page, body + 4))
    if at > end:
        raise Malformed(f"an event that passes the end of its page, {end}")


# 50 events a page, thousands a second, nearly all of one length: unpacked as a run, those of one
# end of a connection take 0.56 us, each by itself 0.76.
def _parse_run(
    page: bytes, at: int, time_ns: int, found: list[RawEvent], *, end: int
) -> tuple[int, int]:
    """Append the short events from `at` on that are as long as the first.

    The running time and where they end: beyond `end` if not even the first is whole.
    """
    words = page[at] & 31
    size = 4 + 4 * words
    room = end - at
    if room < size:
        return time_ns, at + size
    append = found.append
    record = at + 4
    for header, kind in _short_events[words].iter_unpack(memoryview(page)[at : end - room % size]):
        if header & 31 != words:
            break
        time_ns += header >> 5
        append((time_ns, kind, page, record))
        record += size
    return time_ns, record - 4


def _advance(time_ns: int, header: int, second: int) -> int:
    """The running time after a word that is no short event."""
    kind, delta = header & 31, header >> 5
    if kind == _TIME_EXTEND:
        return time_ns + delta + (second << 27)
    if kind == _TIME_STAMP:
        return (time_ns & ~_STAMP_MASK) | ((delta + (second << 27)) & _STAMP_MASK)
    # An event that was discarded kept its time, but for 0, which would read as the page's end.
    return time_ns if kind == _PADDING and delta == 1 else time_ns + delta


def _loss(page: bytes, commit: int, end: int) -> Loss:
    if not commit & _MISSED_EVENTS:
        return None
    has_count = commit & _MISSED_STORED and end + _count.size <= len(page)
    return int(_count.unpack_from(page, end)[0]) if has_count else 0
