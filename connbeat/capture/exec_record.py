"""What the exec reader's process tells: a message for each process that it read at its exec.

Both sides use this module, and that process loads no library: plain types and `struct` only.
"""

import struct

#: Files of `/proc/<pid>`, in the order in which they are read: first what nobody else can say.
NAMES = ("cmdline", "exe", "cgroup", "ns/net", "status", "stat", "environ")

#: What it could not read, by cause, since it started: overwritten in the kernel's buffer before it
#: came to it, beyond its budget, read but not taken from it in time.
CAUSES = ("overrun", "budget", "untaken")

# Pid and time of the exec; the losses; the bytes of each file that follow, or minus an errno.
_header = struct.Struct(f"<iQ{len(CAUSES)}Q{len(NAMES)}i")

#: A file's bytes, or the errno of the attempt.
Files = dict[str, bytes | int]


def pack_record(pid: int, time_ns: int, losses: list[int], files: Files) -> bytes:
    """`pid` is 0 if there is nothing to tell but losses. A file that is missing was not asked."""
    sizes: list[int] = []
    parts = [b""]
    for name in NAMES:
        found = files.get(name, b"")
        if isinstance(found, int):
            sizes.append(-found)
        else:
            sizes.append(len(found))
            parts.append(found)
    parts[0] = _header.pack(pid, time_ns, *losses, *sizes)
    return b"".join(parts)


def unpack_record(message: bytes) -> tuple[int, int, list[int], Files]:
    """The arguments of `pack_record`. Raises ValueError if it is no such message."""
    try:
        pid, time_ns, *numbers = _header.unpack_from(message)
    except struct.error as error:
        raise ValueError(f"a message of {len(message)} bytes") from error
    files: Files = {}
    at = _header.size
    for name, size in zip(NAMES, numbers[len(CAUSES) :], strict=True):
        if size < 0:
            files[name] = -size
        else:
            files[name] = message[at : at + size]
            at += size
    if at != len(message):
        raise ValueError(f"a message of {len(message)} bytes that says it has {at}")
    return pid, time_ns, numbers[: len(CAUSES)], files
