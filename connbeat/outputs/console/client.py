"""Documents on stdout.

A reader that goes away (`connbeat | head`) is how a pipe says "enough": the output is gone for
good and the agent stops. A full disk under `connbeat > file` passes, so there we wait and go on
in the middle of the line where the disk stopped us: nobody may cut a file that is the shell's.
"""

import errno
import os
import select
import sys
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

import msgspec

from connbeat.errors import Permanent, Transient
from connbeat.model.batches import Batch, Event, Outcome
from connbeat.outputs.console.config import ConsoleConfig
from connbeat.outputs.protocol import Check, OutputContext, Step

STDOUT = 1

# Everything else (a reader gone, a terminal hung up, a bad descriptor) does not come back.
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.ENOBUFS}


def build(config: ConsoleConfig, _: OutputContext) -> "ConsoleOutput":
    return ConsoleOutput(pretty=config.pretty)


class ConsoleOutput:
    """An `Output`. Writes a whole batch at once, past Python's buffers, so nothing is held back."""

    name = "console"

    def __init__(self, *, pretty: bool = False, fd: int = STDOUT) -> None:
        self._pretty = pretty
        self._fd = fd
        # The event whose line stands there half, and how many of its bytes do.
        self._half: tuple[str, int] | None = None

    def open(self) -> None:
        # Started without stdout, the number 1 belongs to the first file that was opened since.
        if self._fd == STDOUT and sys.stdout is None:
            raise Permanent("stdout is closed; start connbeat with one or choose another output")
        try:
            os.fstat(self._fd)
        except OSError as error:
            raise Permanent(f"stdout cannot be used: {error.strerror}") from error

    def send(self, batch: Batch) -> Outcome:
        lines = [self._line(event) for event in batch.events]
        begun = self._resume(batch.events, lines)
        ends = list(accumulate(map(len, lines)))
        written, error = self._write(b"".join(lines))
        if error is None:
            self._half = None
            return Outcome(delivered=batch.events)
        if error.errno not in _PASSING:
            raise Permanent(f"stdout is gone: {error.strerror}") from error
        whole = bisect_right(ends, written)
        partial = written - (ends[whole - 1] if whole else -begun)
        # Below 0: not even the line feed that ends somebody else's half line. It is still there.
        if partial >= 0:
            self._half = (batch.events[whole].id, partial) if partial else None
        if not whole:
            raise Transient(f"stdout takes nothing now: {error.strerror}") from error
        return Outcome(delivered=batch.events[:whole], retry=batch.events[whole:])

    def reopen(self) -> None:
        """Nothing to do: stdout belongs to who started us."""

    def close(self) -> None:
        """Nothing to do, as for `reopen`."""

    def checks(self) -> Iterator[Check]:
        try:
            self.open()
        except Permanent as error:
            yield Check(step=Step.WRITE, target="stdout", error=str(error))
        else:
            yield Check(step=Step.WRITE, target="stdout")

    def _line(self, event: Event) -> bytes:
        if not self._pretty:
            return event.body + b"\n"
        try:
            return msgspec.json.format(event.body, indent=2) + b"\n"
        except (msgspec.DecodeError, RecursionError):
            return event.body + b"\n"  # not ours to judge: nothing is lost for its looks

    def _resume(self, events: tuple[Event, ...], lines: list[bytes]) -> int:
        """How much of the first line stands on stdout already; the lines are cut accordingly."""
        if self._half is None or not events:
            return 0
        event_id, begun = self._half
        if events[0].id == event_id:
            lines[0] = lines[0][begun:]
            return begun
        lines[0] = b"\n" + lines[0]  # its event was dropped meanwhile: the next gets its own line
        return -1

    def _write(self, data: bytes) -> tuple[int, OSError | None]:
        """How many bytes are out, and what stopped the rest."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # whoever shares stdout with us made it non-blocking
                select.select((), (self._fd,), ())
            except OSError as error:
                return len(data) - len(rest), error
        return len(data), None
