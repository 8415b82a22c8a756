"""Rung 3: the kernel's tracing of TCP and of processes, read in binary from an instance of our own.

Records are written per processor, so they are sorted, and only what is older than the moment of
reading is folded: a younger one of another processor may still be on its way.
"""

import logging
import os
from collections.abc import Sequence
from operator import itemgetter

from connbeat.capture.formats import (
    DESTROY,
    ERROR,
    ERROR_FILTER,
    EXEC,
    EXIT,
    FORK,
    ICMP,
    ICMP_FILTER,
    STATE,
    STATE_FILTER,
    read_formats,
)
from connbeat.capture.traces import TraceFolder
from connbeat.errors import CaptureError, Malformed
from connbeat.linux.procfs import ProcFs
from connbeat.linux.ring_buffer import LOST, RawEvent, parse_page, start_of
from connbeat.linux.tracefs import Tracefs, TraceInstance, page_size
from connbeat.model.traces import ProcessSink

log = logging.getLogger(__name__)

#: Per processor: a second of 25,000 connections, or on a large machine of 3,000; kernel memory.
_BUFFER_KB = 8192
_BUFFER_KB_LEAST = 1024
_BUFFER_KB_ALL = 64 << 10
#: Pages of each processor that one turn reads: twice what a buffer holds.
_PAGES = 4096
#: Pages whose records are unpacked at once, a second of 6,000 connections: until it is folded a
#: record takes 140 bytes more than it has in its page.
_PAGES_AT_ONCE = 400
#: How often an instance that is silent is looked at: it may be idle, or switched off.
_LOOK_NS = 1_900_000_000

_time_of = itemgetter(0)


class TransitionSource:
    """The instance and what it gave. One thread uses it.

    Making it raises CaptureError or NotPermitted where that is not possible.
    """

    def __init__(
        self, tracefs: Tracefs, procfs: ProcFs, sink: ProcessSink, buffer_kb: int = 0
    ) -> None:
        formats = read_formats(tracefs)
        self.folder = TraceFolder(formats, sink)
        self._page_bytes = page_size(tracefs)
        self._held: list[RawEvent] = []
        self._looked_ns = -_LOOK_NS
        #: Pages before which records were overwritten, those records as far as the kernel counted
        #: them, and pages that made no sense.
        self.lost_pages = 0
        self.lost_records = 0
        self.bad_pages = 0
        buffer_kb = buffer_kb or buffer_kb_for(os.cpu_count() or 1)
        self._instance = TraceInstance(tracefs, "transitions", procfs, buffer_kb)
        try:
            self._instance.enable(STATE, STATE_FILTER)
            self._instance.enable(DESTROY)
            if formats.error is not None:
                self._instance.enable(ERROR, ERROR_FILTER)
            if formats.icmp is not None:
                self._instance.enable(ICMP, ICMP_FILTER)
            for event in (FORK, EXEC, EXIT):
                self._instance.enable(event)
            self._instance.start()
        except BaseException:  # a signal's, too: nobody else knows the instance yet
            self._instance.close()
            raise

    def fold(self, until_ns: int) -> bool:
        """Read what is there, fold what is older than `until_ns`; true if records were lost.

        Raises CaptureError if the instance is gone, or was switched off.
        """
        pages = self._instance.read_pages(self._page_bytes, _PAGES)
        if not pages:
            self._look(until_ns)
        is_lossy = False
        if len(pages) > _PAGES_AT_ONCE:
            pages.sort(key=start_of)
        while len(pages) > _PAGES_AT_ONCE:
            part = pages[:_PAGES_AT_ONCE]
            del pages[:_PAGES_AT_ONCE]
            before_ns = start_of(pages[0])  # no later page has anything older
            is_lossy = self._fold_pages(part, min(until_ns, before_ns - 1)) or is_lossy
        return self._fold_pages(pages, until_ns) or is_lossy

    def close(self) -> None:
        self._instance.close()

    def _fold_pages(self, pages: Sequence[bytes], until_ns: int) -> bool:
        events = self._held
        is_lossy = False
        for page in pages:
            is_lossy = self._parse(page, events, until_ns) or is_lossy
        events.sort(key=_time_of)
        cut = len(events)
        while cut and events[cut - 1][0] > until_ns:
            cut -= 1
        self._held = events[cut:]
        del events[cut:]
        self.folder.fold(events)
        return is_lossy

    def _look(self, now_ns: int) -> None:
        if now_ns - self._looked_ns < _LOOK_NS:
            return
        self._looked_ns = now_ns
        if not self._instance.is_recording():
            raise CaptureError("the tracing instance was removed or switched off")

    def _parse(self, page: bytes, events: list[RawEvent], until_ns: int) -> bool:
        before = len(events)
        try:
            loss = parse_page(page, events)
        except Malformed as error:
            self.bad_pages += 1
            lost_ns = start_of(page)
            if len(events) > before or lost_ns > until_ns:  # some of it was read, or no time at all
                lost_ns = events[-1][0] if events else 0
            events.append((lost_ns, LOST, b"", 0))
            log.debug("Trace page not read. error=%s", error)
            return True
        if loss is None:
            return False
        self.lost_pages += 1
        self.lost_records += loss
        return True


def buffer_kb_for(processors: int) -> int:
    """The buffer of each: large enough for a flood, and not a gigabyte on 128 of them."""
    return max(_BUFFER_KB_LEAST, min(_BUFFER_KB, _BUFFER_KB_ALL // processors))
