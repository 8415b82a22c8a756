"""Rung 3: the kernel's tracing of TCP and of processes, read in binary from an instance of our own.

Records are written per processor, so they are sorted, and only what is older than the moment of
reading is folded: a younger one of another processor may still be on its way.
"""

import logging

from connbeat.capture.traces import (
    DESTROY,
    ERROR,
    ERROR_FILTER,
    EXEC,
    EXIT,
    FORK,
    STATE,
    STATE_FILTER,
    TraceFolder,
    read_formats,
)
from connbeat.errors import CaptureError, Malformed
from connbeat.linux.procfs import ProcFs
from connbeat.linux.ring_buffer import RawEvent, parse_page
from connbeat.linux.tracefs import Tracefs, TraceInstance, page_size
from connbeat.model.traces import ProcessSink

log = logging.getLogger(__name__)

#: A second of 25,000 connections on one processor.
BUFFER_KB = 8192
#: Pages of each processor that one turn reads: what more there is comes in the next.
_PAGES = 4096


class TransitionSource:
    """The instance and what it gave. One thread uses it.

    Making it raises CaptureError or NotPermitted where that is not possible.
    """

    def __init__(
        self, tracefs: Tracefs, procfs: ProcFs, sink: ProcessSink, buffer_kb: int = BUFFER_KB
    ) -> None:
        formats = read_formats(tracefs)
        self.folder = TraceFolder(formats, sink)
        self._page_bytes = page_size(tracefs)
        self._held: list[RawEvent] = []
        #: Pages before which records were overwritten, and pages that made no sense.
        self.lost_pages = 0
        self.bad_pages = 0
        self._instance = TraceInstance(tracefs, "transitions", procfs, buffer_kb)
        try:
            self._instance.enable(STATE, STATE_FILTER)
            self._instance.enable(DESTROY)
            if formats.error is not None:
                self._instance.enable(ERROR, ERROR_FILTER)
            for event in (FORK, EXEC, EXIT):
                self._instance.enable(event)
            self._instance.start()
        except CaptureError:
            self._instance.close()
            raise

    def fold(self, until_ns: int) -> bool:
        """Read what is there, fold what is older than `until_ns`; true if records were lost.

        Raises CaptureError if the instance is gone.
        """
        pages, _ = self._instance.read_pages(self._page_bytes, _PAGES)
        if not pages and not self._instance.exists():
            raise CaptureError("the tracing instance was removed")
        is_lossy = False
        events = self._held
        for page in pages:
            try:
                if parse_page(page, events).is_lossy:
                    self.lost_pages += 1
                    is_lossy = True
            except Malformed as error:
                self.bad_pages += 1
                is_lossy = True
                log.debug("Trace page not read. error=%s", error)
        events.sort(key=_time_of)
        cut = len(events)
        while cut and events[cut - 1][0] > until_ns:
            cut -= 1
        self._held = events[cut:]
        del events[cut:]
        self.folder.fold(events)
        return is_lossy

    def close(self) -> None:
        self._instance.close()


def _time_of(event: RawEvent) -> int:
    return event[0]
