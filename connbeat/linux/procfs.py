"""`/proc/<pid>`: what a process is, and which sockets it holds (proc(5)).

A file is read whole in one go, without a stat before: it changes between reads. Of what a process
may make as long as it likes the beginning is read (`limits`). A process that ends under the reader
is normal and becomes ProcessGone. The root is a value, so that a test hands in a tree of its own
and a container `/host/proc`.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from connbeat.errors import CaptureError, Malformed, NotPermitted, ProcessGone
from connbeat.linux.limits import STRINGS_BYTES

_SOCKET = "socket:["
_GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.EINVAL, errno.ENOTDIR})
_DENIED = frozenset({errno.EACCES, errno.EPERM})
#: The kernel's own texts end by themselves.
_LIMITS = {"cmdline": STRINGS_BYTES, "environ": STRINGS_BYTES}
_CHUNK_BYTES = 65536
#: PROC_PID_INIT_INO: the pid namespace that the kernel itself made, on every machine.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"


class ProcStat(msgspec.Struct, frozen=True, gc=False):
    """Of `stat`: name, parent, start in clock ticks since boot, and where its arguments begin.

    The kernel moves `arg_start` on every exec, which the start time survives: together they tell
    whether what we know of a process still holds. It is 0 of a process that we may not trace.
    """

    comm: str
    parent: int
    started_ticks: int
    arg_start: int


def parse_stat(text: bytes) -> ProcStat:
    """Parse `/proc/<pid>/stat`. The name may hold anything, so fields count from the last `)`."""
    opening, closing = text.find(b"("), text.rfind(b")")
    fields = text[closing + 1 :].split()
    try:
        arg_start = int(fields[45]) if len(fields) > 45 else 0
        return ProcStat(
            comm=text[opening + 1 : closing].decode("utf-8", "replace"),
            parent=int(fields[1]),
            started_ticks=int(fields[19]),
            arg_start=arg_start,
        )
    except (ValueError, IndexError) as error:
        raise Malformed(f"/proc/<pid>/stat: {text[:80]!r}") from error


def parse_strings(text: bytes) -> tuple[str, ...]:
    """NUL-separated strings (`cmdline`, `environ`); bytes that are no UTF-8 become U+FFFD."""
    text = text.rstrip(b"\0")
    if not text:
        return ()
    return tuple(text.decode("utf-8", "replace").split("\0"))


def parse_executable(link: bytes) -> str:
    """The path that `exe` leads to, without ` (deleted)`.

    Bytes that are no UTF-8 become U+FFFD: anybody may name a file so, and JSON cannot.
    """
    return link.decode("utf-8", "replace").removesuffix(" (deleted)")


def parse_uid(status: bytes) -> int:
    """The effective uid of `status`, the one that decides what the process may do."""
    _, _, rest = status.partition(b"\nUid:")
    try:
        return int(rest.split(None, 2)[1])
    except (ValueError, IndexError) as error:
        raise Malformed("/proc/<pid>/status has no Uid") from error


def parse_thread_group(status: bytes) -> int:
    """The pid of the process that a thread belongs to, of the thread's `status`."""
    _, _, rest = status.partition(b"\nTgid:")
    try:
        return int(rest.split(None, 1)[0])
    except (ValueError, IndexError) as error:
        raise Malformed("/proc/<pid>/status has no Tgid") from error


def parse_capabilities(status: bytes) -> int:
    """The effective capabilities of `status` as a bit mask; 0 if the line is missing."""
    _, _, rest = status.partition(b"\nCapEff:")
    with contextlib.suppress(ValueError, IndexError):
        return int(rest.split(None, 1)[0], 16)
    return 0


class ProcFs:
    """Readers below one `/proc`. Any thread may call them.

    Raises ProcessGone when the process (or descriptor) is not there any more, NotPermitted when it
    may not be read, Malformed when its text is none we know.
    """

    def __init__(self, root: Path = Path("/proc")) -> None:
        self.root = root
        self._prefix = str(root) + "/"

    def has_host_pids(self) -> bool:
        """Whether our pids are the machine's, those of the kernel's trace; false if none tells."""
        try:
            return os.readlink(f"{self._prefix}self/ns/pid") == _FIRST_PID_NAMESPACE
        except OSError:
            return False

    def pids(self) -> list[int]:
        """Every process, ascending."""
        try:
            names = os.listdir(self.root)
        except OSError as error:
            raise CaptureError(f"{self.root}: {error.strerror}") from error
        return sorted(int(name) for name in names if name.isdecimal())

    def read(self, pid: int, name: str) -> bytes:
        """A file whole, but of `cmdline` and `environ` at most `STRINGS_BYTES`."""
        try:
            fd = os.open(f"{self._prefix}{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                return _read_all(fd, _LIMITS.get(name, sys.maxsize))
            finally:
                os.close(fd)
        except OSError as error:
            raise _failure(error, pid, name) from error

    def stat(self, pid: int) -> ProcStat:
        return parse_stat(self.read(pid, "stat"))

    def executable(self, pid: int) -> str:
        """The path of the program, as the process sees it."""
        try:
            path = os.readlink(f"{self._prefix}{pid}/exe")
        except OSError as error:
            raise _failure(error, pid, "exe") from error
        return parse_executable(os.fsencode(path))

    def netns(self, pid: int) -> int:
        """The inode number of the network namespace of the process."""
        try:
            return os.stat(f"{self._prefix}{pid}/ns/net").st_ino
        except OSError as error:
            raise _failure(error, pid, "ns/net") from error

    def net_table(self, pid: int) -> int:
        """The inode number of `net/snmp`: one for each namespace, and anybody may ask for it."""
        try:
            return os.stat(f"{self._prefix}{pid}/net/snmp").st_ino
        except OSError as error:
            raise _failure(error, pid, "net/snmp") from error

    def fd_count(self, pid: int) -> int:
        """How many descriptors the process has; 0 before Linux 6.2, where nothing tells."""
        try:
            return os.stat(f"{self._prefix}{pid}/fd").st_size
        except OSError as error:
            raise _failure(error, pid, "fd") from error

    def socket_fds(self, pid: int) -> list[tuple[int, int]]:
        """(descriptor, inode) of each socket the process holds; 4 us of the kernel's time each."""
        folder = f"{self._prefix}{pid}/fd"
        try:
            names = os.listdir(folder)
        except OSError as error:
            raise _failure(error, pid, "fd") from error
        found: list[tuple[int, int]] = []
        for name in names:
            try:
                link = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue  # closed meanwhile
            except OSError as error:
                raise _failure(error, pid, "fd") from error
            if link.startswith(_SOCKET):
                found.append((int(name), int(link[8:-1])))
        return found

    def holds_socket(self, pid: int, fd: int, inode: int) -> bool:
        """Whether that descriptor is (still) that socket."""
        try:
            return os.readlink(f"{self._prefix}{pid}/fd/{fd}") == f"socket:[{inode}]"
        except OSError:
            return False


class KeptFiles:
    """What was read of processes at one moment: asked like ProcFs, it answers the same.

    `files` are of one process, by name: the bytes, or the errno of the attempt. Links are as they
    were read, `ns/net` is its inode number.
    """

    def __init__(self, files: Mapping[str, bytes | int]) -> None:
        self._files = files

    def read(self, pid: int, name: str) -> bytes:
        found = self._files[name]
        if isinstance(found, int):
            raise _failure(OSError(found, os.strerror(found)), pid, name)
        return found

    def stat(self, pid: int) -> ProcStat:
        return parse_stat(self.read(pid, "stat"))

    def executable(self, pid: int) -> str:
        return parse_executable(self.read(pid, "exe"))

    def netns(self, pid: int) -> int:
        return int(self.read(pid, "ns/net"))


def _read_all(fd: int, limit: int) -> bytes:
    parts: list[bytes] = []
    while limit and (part := os.read(fd, min(limit, _CHUNK_BYTES))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _failure(error: OSError, pid: int, name: str) -> CaptureError:
    if error.errno in _GONE:
        return ProcessGone(f"{pid} has ended")
    if error.errno in _DENIED:
        return NotPermitted(f"/proc/{pid}/{name} may not be read")
    return CaptureError(f"/proc/{pid}/{name}: {error.strerror}")
