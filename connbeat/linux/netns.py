"""Network namespaces: which one a process is in, and going into one.

`setns` moves the calling thread only (setns(2)), so one thread owns all of it. A socket made
inside stays there, which is why nobody has to go in twice. `os.setns` came with Python 3.12.
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from connbeat.errors import CaptureError, NetnsGone, NotPermitted

CLONE_NEWNET = 0x40000000

#: Where tools keep namespaces alive by a bind mount: iproute2 and its heirs, and Docker.
NAMED_NETNS_FOLDERS = (Path("/run/netns"), Path("/run/docker/netns"))


class NetnsLost(BaseException):
    """The thread could not return to its own namespace and must end: whatever it read next
    would be another namespace's. Not an Exception, so that no worker's catch-all keeps it alive.
    """  # noqa: D205  one thought


def _libc_setns(fd: int, nstype: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, nstype) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_setns: Callable[[int, int], None] = getattr(os, "setns", _libc_setns)


def own_netns() -> int:
    """The namespace of the calling thread."""
    return Path("/proc/thread-self/ns/net").stat().st_ino


@contextlib.contextmanager
def entered(path: Path, expected: int) -> Iterator[None]:
    """Run the block inside the namespace at `path` (`/proc/<pid>/ns/net` or a bind mount).

    Raises NetnsGone if there is no such namespace or `path` leads to another than `expected` by
    now (the pid was reused), NotPermitted without CAP_SYS_ADMIN, NetnsLost if there is no way back.
    """
    home = _open(Path("/proc/thread-self/ns/net"))
    try:
        there = _open(path)
        try:
            if os.fstat(there).st_ino != expected:
                raise NetnsGone(f"{path} leads to another namespace by now")
            _enter(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            try:
                _setns(home, CLONE_NEWNET)
            except OSError as error:
                raise NetnsLost(f"no way back to the own namespace: {error.strerror}") from error
    finally:
        os.close(home)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as error:
        raise NotPermitted(f"{path} needs CAP_SYS_PTRACE") from error
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError) as error:
        raise NetnsGone(f"{path}: {error.strerror}") from error
    except OSError as error:  # too many open files, say: the namespace is still there
        raise CaptureError(f"{path}: {error.strerror}") from error


def _enter(fd: int) -> None:
    try:
        _setns(fd, CLONE_NEWNET)
    except PermissionError as error:
        raise NotPermitted("setns needs CAP_SYS_ADMIN") from error
    except OSError as error:
        raise CaptureError(f"setns failed: {error.strerror}") from error
