"""tracefs: private instances of the kernel's event tracing (Documentation/trace/ftrace.rst).

An instance has its own buffers, events and filters, and nobody else's tracing notices it. Where
tracefs is not mounted and we may, it is mounted for this process alone: a detached mount
(fsmount(2)) that no other process sees and that ends with us. An instance outlives its maker, so
its name carries the maker's pid and start time, and stale ones are removed at the next start.
"""

import contextlib
import ctypes
import os
import re
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from connbeat.errors import CaptureError, Malformed, NotPermitted, ProcessGone
from connbeat.linux.procfs import ProcFs
from connbeat.linux.ring_buffer import HEADER_BYTES

#: Where distributions mount it; the second came with debugfs before Linux 4.1.
MOUNT_POINTS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))

_INSTANCE = re.compile(r"connbeat-[a-z]+-(\d+)-(\d+)")
_FIELD = re.compile(r"\tfield:([^;]*);\toffset:(\d+);\tsize:(\d+);\tsigned:([01]);")
# Linux 5.17 to 6.2 say `comm[TASK_COMM_LEN]`, the others `comm[16]`.
_NAME = re.compile(r"(\w+)(?:\[\w*\])?$")
_INTEGERS = {1: "Bb", 2: "Hh", 4: "Ii", 8: "Qq"}

_SYS_FSOPEN, _SYS_FSCONFIG, _SYS_FSMOUNT = 430, 431, 432  # the same on every architecture
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_FSCONFIG_CMD_CREATE = 6


class Field(msgspec.Struct, frozen=True, gc=False):
    """One field of an event's record."""

    offset: int
    size: int
    is_signed: bool


class EventFormat(msgspec.Struct, frozen=True):
    """An event's id and its fields, as `events/<system>/<event>/format` tells them."""

    id: int
    fields: Mapping[str, Field]


def parse_format(text: str) -> EventFormat:
    """Parse a `format` file. Raises Malformed if it has no id or no field."""
    number = re.search(r"^ID: (\d+)$", text, re.MULTILINE)
    fields: dict[str, Field] = {}
    for declaration, offset, size, signed in _FIELD.findall(text):
        name = _NAME.search(declaration)
        if name:
            fields[name[1]] = Field(int(offset), int(size), signed == "1")
    if number is None or not fields:
        raise Malformed(f"event format: {text[:80]!r}")
    return EventFormat(int(number[1]), fields)


def compile_fields(event: EventFormat, names: Sequence[str]) -> struct.Struct:
    """A struct that unpacks these fields of a record, in the order of their offsets.

    Raises Malformed if the kernel has no such field, or if `names` are not in the kernel's order:
    what is unpacked could not be told apart.
    """
    pattern, at = "<", 0
    for name in names:
        field = event.fields.get(name)
        if field is None or field.offset < at:
            raise Malformed(f"this kernel's event {event.id} has no field {name} there")
        code = _INTEGERS.get(field.size, "")
        is_text = not code or (name.startswith(("saddr", "daddr")) and field.size in (4, 16))
        pattern += f"{field.offset - at}x" + (
            f"{field.size}s" if is_text else code[field.is_signed]
        )
        at = field.offset + field.size
    return struct.Struct(pattern)


class Tracefs:
    """The mounted file system. Opened by one thread; the files below may be used by any."""

    def __init__(self, root: Path, mount_fd: int | None = None) -> None:
        self.root = root
        self._mount_fd = mount_fd

    def format(self, event: str) -> EventFormat:
        """The format of `system/event`. Raises CaptureError if the kernel has no such event."""
        try:
            return parse_format((self.root / "events" / event / "format").read_text())
        except OSError as error:
            raise _failure(error, f"event {event}") from error

    def remove_stale(self, procfs: ProcFs) -> int:
        """Remove the instances of agents that ended without doing so; how many they were."""
        removed = 0
        with contextlib.suppress(OSError):
            for folder in (self.root / "instances").iterdir():
                match = _INSTANCE.fullmatch(folder.name)
                if match and not _is_alive(procfs, int(match[1]), int(match[2])):
                    with contextlib.suppress(OSError):
                        folder.rmdir()
                        removed += 1
        return removed

    def close(self) -> None:
        if self._mount_fd is not None:
            os.close(self._mount_fd)
            self._mount_fd = None


def open_tracefs() -> Tracefs:
    """Where it is mounted, or a mount of our own. It is held: nobody can unmount it under us.

    Raises NotPermitted without the right to use it, CaptureError if the kernel has none.
    """
    if sys.byteorder != "little":
        raise CaptureError("trace pages of big-endian machines are not read")
    for point in MOUNT_POINTS:
        try:
            if (point / "instances").is_dir():
                return _held(os.open(point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        except PermissionError as error:
            raise NotPermitted(f"{point} needs root") from error
        except OSError as error:
            raise _failure(error, str(point)) from error
    return _held(_mount_detached())


def _held(folder_fd: int) -> Tracefs:
    return Tracefs(Path(f"/proc/self/fd/{folder_fd}"), folder_fd)


class TraceInstance:
    """One instance: its buffers, and the descriptors they are read from.

    One thread reads. Raises CaptureError when the kernel refuses, NotPermitted without the right.
    """

    def __init__(self, tracefs: Tracefs, kind: str, procfs: ProcFs, buffer_kb: int) -> None:
        ticks = procfs.stat(os.getpid()).started_ticks
        self._folder = tracefs.root / "instances" / f"connbeat-{kind}-{os.getpid()}-{ticks}"
        self._events: list[str] = []
        self.pipes: list[int] = []
        with contextlib.ExitStack() as undo:  # also where a signal ends it
            undo.callback(self.close)
            try:
                self._folder.mkdir(exist_ok=True)
                self._write("trace_clock", "mono")
                self._write("buffer_size_kb", str(buffer_kb))
            except OSError as error:
                raise _failure(error, f"the tracing instance {self._folder.name}") from error
            undo.pop_all()

    def enable(self, event: str, condition: str = "") -> None:
        """Record `system/event`, only where `condition` holds if there is one."""
        try:
            if condition:
                self._write(f"events/{event}/filter", condition)
            self._write(f"events/{event}/enable", "1")
        except OSError as error:
            raise _failure(error, f"event {event}") from error
        self._events.append(event)

    def set_option(self, name: str, value: str) -> None:
        try:
            self._write(name, value)
        except OSError as error:
            raise _failure(error, name) from error

    def start(self) -> None:
        """Record from now on, and open every processor's pipe."""
        try:
            self._write("tracing_on", "1")
            for folder in sorted((self._folder / "per_cpu").iterdir()):
                flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
                self.pipes.append(os.open(folder / "trace_pipe_raw", flags))
        except OSError as error:
            self.close()
            raise _failure(error, f"the tracing instance {self._folder.name}") from error

    def read_pages(self, page_bytes: int, limit: int) -> list[bytes]:
        """The pages that are there, at most `limit` of each processor."""
        pages: list[bytes] = []
        try:
            for pipe in self.pipes:
                for _ in range(limit):
                    page = _read_page(pipe, page_bytes)
                    if not page:
                        break
                    pages.append(page)
        except OSError as error:
            raise CaptureError(f"trace pages not read: {error.strerror}") from error
        return pages

    def is_recording(self) -> bool:
        """False once somebody switched it off, or removed it or unmounted tracefs under us."""
        try:
            # Asked while nothing happens: with Path this took 200 us, two thirds of an idle turn.
            switch = os.open(f"{self._folder}/tracing_on", os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(switch, 1) == b"1"
            finally:
                os.close(switch)
        except OSError:
            return False

    def close(self) -> None:
        """Stop, let go, and remove the instance. Never raises; closing twice is harmless."""
        for name in ("tracing_on", *(f"events/{event}/enable" for event in self._events)):
            with contextlib.suppress(OSError):
                self._write(name, "0")
        for pipe in self.pipes:
            with contextlib.suppress(OSError):
                os.close(pipe)
        self.pipes = []
        self._events = []
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _write(self, name: str, value: str) -> None:
        (self._folder / name).write_text(value)


def page_size(tracefs: Tracefs) -> int:
    """Bytes of one page of the buffers, its header included.

    Raises CaptureError where the header is not the one `ring_buffer` reads: of a 32-bit kernel.
    """
    try:
        text = (tracefs.root / "events/header_page").read_text()
    except OSError as error:
        raise _failure(error, "events/header_page") from error
    for declaration, offset, size, _ in _FIELD.findall(text):
        if declaration.endswith(" data"):
            if int(offset) != HEADER_BYTES:
                raise CaptureError("trace pages of 32-bit kernels are not read")
            return int(offset) + int(size)
    raise Malformed(f"events/header_page: {text[:80]!r}")


def _read_page(pipe: int, page_bytes: int) -> bytes:
    try:
        return os.read(pipe, page_bytes)
    except BlockingIOError:
        return b""


def _is_alive(procfs: ProcFs, pid: int, started_ticks: int) -> bool:
    try:
        return procfs.stat(pid).started_ticks == started_ticks
    except ProcessGone:
        return False
    except CaptureError:
        return True


def _mount_detached() -> int:
    """A mount of tracefs that only this descriptor leads to (Linux 5.2)."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        result = int(libc.syscall(ctypes.c_long(number), *arguments))
        if result < 0:
            code = ctypes.get_errno()
            raise _failure(OSError(code, os.strerror(code)), "a mount of tracefs")
        return result

    context = call(_SYS_FSOPEN, b"tracefs", _FSOPEN_CLOEXEC)
    try:
        call(_SYS_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return call(_SYS_FSMOUNT, context, _FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)


def _failure(error: OSError, what: str) -> CaptureError:
    if isinstance(error, PermissionError):
        return NotPermitted(f"{what} needs root and CAP_SYS_ADMIN")
    return CaptureError(f"{what}: {error.strerror}")
