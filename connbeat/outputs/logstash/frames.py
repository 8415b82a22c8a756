"""Lumberjack version 2 in bytes: windows out, acknowledgements in. Pure.

Every frame begins with "2" and its kind; numbers are 32 bits, big endian::

    2W count                       a window follows: this many events
    2J number length json          an event; the first of a window has number 1
    2C length zlib(frames)         the same frames, compressed
    2A number                      from the server: the events up to this number are safe;
                                   0 says that it is still at work
"""

import struct
import zlib
from collections.abc import Iterable, Sequence

from connbeat.errors import Transient

_SIZED = struct.Struct(">2sI")
_EVENT = struct.Struct(">2sII")
_ACK = b"2A"


def document_prefix(metadata: bytes) -> bytes:
    """What stands before a document's own keys: `metadata` is JSON, and Logstash wants it first."""
    return b'{"@metadata":' + metadata


def encode_window(
    bodies: Sequence[bytes], *, prefix: bytes = b"{", compression_level: int = 0
) -> bytes:
    """One window. `prefix` (see `document_prefix`) takes the place of each document's `{`."""
    frames = b"".join(_event_frames(bodies, prefix))
    if compression_level:
        packed = zlib.compress(frames, compression_level)
        frames = _SIZED.pack(b"2C", len(packed)) + packed
    return _SIZED.pack(b"2W", len(bodies)) + frames


def _event_frames(bodies: Iterable[bytes], prefix: bytes) -> Iterable[bytes]:
    comma = b"" if prefix == b"{" else b","
    for number, body in enumerate(bodies, 1):
        begin = prefix if body[1:].lstrip().startswith(b"}") else prefix + comma
        yield _EVENT.pack(b"2J", number, len(begin) + len(body) - 1)
        yield begin
        yield body[1:]


class AckReader:
    """How much of one window is safe, from the server's bytes in whatever pieces they come."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._rest = b""
        self.acknowledged = 0

    @property
    def is_complete(self) -> bool:
        return self.acknowledged == self._count

    def feed(self, data: bytes) -> None:
        """Raises Transient, for this connection only, if this is no lumberjack server's answer."""
        data = self._rest + data
        whole = len(data) - len(data) % _SIZED.size
        for kind, number in _SIZED.iter_unpack(data[:whole]):
            self._take(kind, number)
        self._rest = data[whole:]
        if self._rest and not _ACK.startswith(self._rest[:2]):
            raise Transient(f"not an answer of a lumberjack server: {self._rest!r}")

    def _take(self, kind: bytes, number: int) -> None:
        if kind != _ACK:
            raise Transient(f"not an answer of a lumberjack server: {_SIZED.pack(kind, number)!r}")
        if number > self._count:
            raise Transient(f"event {number} of a window of {self._count} was acknowledged")
        # A number lower than one before takes nothing back; 0 is only a sign of life.
        self.acknowledged = max(self.acknowledged, number)
