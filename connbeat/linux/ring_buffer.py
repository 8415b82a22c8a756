"""ring_buffer: the pages of `trace_pipe_raw`, as the kernel wrote them.

A page is a header (time of the first event, bytes used) and events, each a 32-bit word of 5 bits
type and 27 bits time since the one before, then its payload (include/linux/ring_buffer.h,
Documentation/trace/ring-buffer-design.rst; `events/header_page` and `events/header_event` say the
same at run time). Pure, and never trusts a length: what cannot be framed ends its page.
"""

import struct

import msgspec

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
_word = struct.Struct("<I")
_count = struct.Struct("<Q")
HEADER_BYTES = _header.size

#: (time in nanoseconds of the instance's clock, the page, where the event's payload begins)
RawEvent = tuple[int, bytes, int]


class Loss(msgspec.Struct, frozen=True, gc=False):
    """Whether events were overwritten before this page, and how many, 0 if the kernel forgot."""

    is_lossy: bool
    events: int


def parse_page(page: bytes, found: list[RawEvent]) -> Loss:
    """Append the events of a page to `found`, in their order; tell what was lost before it.

    A payload is only promised to begin inside the page: who unpacks it checks its length. Raises
    Malformed if the page has no header or its words do not add up; what came before is in `found`.
    """
    if len(page) < HEADER_BYTES:
        raise Malformed(f"a page of {len(page)} bytes")
    time_ns, commit = _header.unpack_from(page, 0)
    end = HEADER_BYTES + (commit & _COMMIT_MASK)
    if end > len(page):
        raise Malformed(f"a page of {len(page)} bytes that says it uses {end}")
    word = _word.unpack_from
    offset = HEADER_BYTES
    while offset + 4 <= end:
        header = word(page, offset)[0]
        kind = header & 31
        if 0 < kind <= _DATA_MAX:
            time_ns += header >> 5
            found.append((time_ns, page, offset + 4))
            offset += 4 + kind * 4
            continue
        if offset + 8 > end:
            break
        second = word(page, offset + 4)[0]
        if kind == 0:
            found.append((time_ns + (header >> 5), page, offset + 8))
        time_ns = _advance(time_ns, header, second)
        step = _step(header, second)
        if not step:
            break
        offset += step
    return _loss(page, commit, end)


def _advance(time_ns: int, header: int, second: int) -> int:
    """The running time after a word that is no short event."""
    kind, delta = header & 31, header >> 5
    if kind == 0:
        return time_ns + delta
    if kind == _TIME_EXTEND:
        return time_ns + delta + (second << 27)
    if kind == _TIME_STAMP:
        return (time_ns & ~_STAMP_MASK) | ((delta + (second << 27)) & _STAMP_MASK)
    return time_ns


def _step(header: int, second: int) -> int:
    """How far to the next word; 0 at the padding that ends a page."""
    kind, delta = header & 31, header >> 5
    if kind in (_TIME_EXTEND, _TIME_STAMP):
        return 8
    if kind == _PADDING and not delta:
        return 0
    return 4 + max(4, (second + 3) & ~3)  # a long event, or one that was discarded


def _loss(page: bytes, commit: int, end: int) -> Loss:
    if not commit & _MISSED_EVENTS:
        return Loss(is_lossy=False, events=0)
    has_count = commit & _MISSED_STORED and end + _count.size <= len(page)
    return Loss(is_lossy=True, events=_count.unpack_from(page, end)[0] if has_count else 0)
