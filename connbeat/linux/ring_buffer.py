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
HEADER_BYTES = _header.size

#: (time in nanoseconds of the instance's clock, kind, the page, where the event's record begins)
RawEvent = tuple[int, int, bytes, int]

#: The kind of what stands at a time before which events were lost; the kernel has no event 0.
LOST = 0
#: Every record begins with its event's id, in 16 bits (include/linux/trace_events.h, trace_entry).
_KIND_MASK = 0xFFFF


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


# 50 events a page, thousands a second: words are read by index, not unpacked one by one.
def _parse_words(page: bytes, time_ns: int, end: int, found: list[RawEvent]) -> None:
    words = memoryview(page)[:end].cast("I")
    append = found.append
    at, last = HEADER_BYTES >> 2, end >> 2
    while at < last:
        header = words[at]
        kind = header & 31
        begin = at + 1
        if 0 < kind <= _DATA_MAX:
            at = begin + kind
            if at > last:
                break
            time_ns += header >> 5
            append((time_ns, words[begin] & _KIND_MASK, page, begin << 2))
            continue
        if header == _PADDING:  # to the end of the page
            return
        second = words[begin] if begin < last else 0
        time_ns = _advance(time_ns, header, second)
        at = begin + (1 if kind >= _TIME_EXTEND else max(1, (second + 3) >> 2))
        if kind == 0 and begin + 1 < at <= last:
            append((time_ns, words[begin + 1] & _KIND_MASK, page, (begin + 1) << 2))
    if at > last:
        raise Malformed(f"an event that passes the end of its page, {end}")


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
