"""Processes, and the reasons why one is not known."""

import enum

import msgspec


class UnknownReason(enum.StrEnum):
    """Why a socket has no process; published as `local_process.unknown_reason`.

    `summarised`: a summary that is of several processes.
    """

    EXITED = "exited"
    NOT_PERMITTED = "not_permitted"
    NOT_FOUND = "not_found"
    NO_INODE = "no_inode"
    SUMMARISED = "summarised"


class ContainerRef(msgspec.Struct, frozen=True, gc=False):
    """What a cgroup path says of a container: its id and which runtime named the path.

    `runtime` is one of docker, containerd, cri-o, podman, or "" where the shape does not tell.
    """

    id: str
    runtime: str


class Process(msgspec.Struct, frozen=True, gc=False):
    """A process as it was when last read; (`pid`, `started_ticks`) is its identity.

    `binary` is the program's file name, `executable` its whole path as the process sees it (""
    if unreadable). `arguments` and `environ` are as in `/proc`, decoded, nothing masked.
    `started_at_ns` is wall clock. `is_permitted` is false where a part could not be read.
    """

    pid: int
    started_ticks: int
    binary: str
    executable: str
    arguments: tuple[str, ...]
    environ: tuple[str, ...]
    uid: int
    user: str
    started_at_ns: int
    container: ContainerRef | None
    netns: int
    is_permitted: bool = True


Owner = Process | UnknownReason


class Attribution(msgspec.Struct, frozen=True, gc=False):
    """Whose a socket is. The container may be known where the process is not, by its namespace."""

    owner: Owner
    container: ContainerRef | None


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """A socket whose owner is asked for; `likely_pid` is looked at first, 0 if nobody is likely."""

    netns: int
    inode: int
    likely_pid: int
