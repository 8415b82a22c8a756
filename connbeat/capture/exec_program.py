"""The exec reader's program: read every process of the machine at its exec, while it is there.

A process of its own, because what has to be read is gone within 2 ms, and a thread beside a busy
one waits longer than that for the interpreter: of processes that lived 3 ms beside 4,000
connections a second a thread knew as few as 29 % of the command lines. It loads nothing but what
it needs (no library, no `contextlib`), which makes it 3 MB; `exec_child` starts it and says what
its arguments are. It ends when the other end of its channel is closed, so with the agent.
"""

import os
import select
import struct
import sys

from connbeat.capture.exec_record import NAMES, Files, pack_record
from connbeat.errors import Malformed
from connbeat.linux.limits import STRINGS_BYTES
from connbeat.linux.ring_buffer import RawEvent, parse_page

#: Execs read a second: at 0.15 ms each 15 % of a core at the very worst. And what they may weigh:
#: the agent keeps it for some seconds.
BUDGET_PER_SECOND = 1000
BYTES_PER_SECOND = 4 << 20
#: Of `status` the first lines are enough.
STATUS_BYTES = 512
_PAGES = 16
_PAUSE_MS = 50
_TELL_SECONDS = 0.5

_FILE = os.O_RDONLY | os.O_CLOEXEC
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def main(arguments: list[str]) -> None:
    """Until the other end of the channel is closed."""
    channel, page_bytes, kind, layout, root, names, *pipes = arguments
    _come_forward()
    reader = ExecProgram(
        int(channel), page_bytes=int(page_bytes), kind=int(kind), layout=layout,
        root=root, names=tuple(names.split(",")),
    )  # fmt: skip
    try:
        reader.follow([int(pipe) for pipe in pipes])
    except (BrokenPipeError, ConnectionResetError):
        return  # nobody listens any more


class ExecProgram:
    """Reads pages of the trace and processes; writes messages to the channel, one a process.

    `kind` and `layout` are the number of the exec event and the `struct` of its pid; `names` are
    the files of a process that are wanted.
    """

    def __init__(
        self, channel: int, *, page_bytes: int, kind: int, layout: str, root: str,
        names: tuple[str, ...] = NAMES,
    ) -> None:  # fmt: skip
        self._channel = channel
        self._page_bytes = page_bytes
        self._kind = kind
        self._layout = struct.Struct(layout)
        self._root = root
        self._names = names
        self._own_pid = os.getpid()
        self._second = -1
        self._left = self._left_bytes = 0
        self._overrun = self._over_budget = self._untaken = 0
        self._told = self._losses()

    def follow(self, pipes: list[int]) -> None:
        """Until the channel is closed. Raises BrokenPipeError if that happens meanwhile."""
        with select.epoll() as poll:
            poll.register(self._channel, 0)  # a hang-up is told unasked
            for pipe in pipes:
                poll.register(pipe, select.EPOLLIN)
            while True:
                ready = [pipe for pipe, _ in poll.poll(self._patience())]
                if self._channel in ready:
                    return
                if not ready:
                    self._tell_losses()
                elif not sum(self.read(pipe) for pipe in ready) and self._is_over():
                    return

    def read(self, pipe: int) -> bool:
        """Read the processes of the pages that are there; whether there were any."""
        for count in range(_PAGES):
            try:
                page = os.read(pipe, self._page_bytes)
            except BlockingIOError:
                page = b""
            if not page:
                return count > 0
            self._take(page)
        return True

    def _take(self, page: bytes) -> None:
        events: list[RawEvent] = []
        try:
            lost = parse_page(page, events)
        except Malformed:
            lost = 0
        if lost is not None:
            self._overrun += lost or 1  # the kernel does not always know how many
        for time_ns, kind, _, offset in events:
            if kind == self._kind and len(page) >= offset + self._layout.size:
                self._exec(self._layout.unpack_from(page, offset)[0], time_ns)

    def _exec(self, pid: int, time_ns: int) -> None:
        if pid == self._own_pid:
            return
        if not self._may_read(time_ns):
            self._over_budget += 1
            return
        files = read_files(f"{self._root}/{pid}", self._names)
        if files is not None:
            self._left_bytes -= self._send(pid, time_ns, files)

    def _may_read(self, time_ns: int) -> bool:
        second = time_ns // 1_000_000_000
        if second > self._second:
            self._second = second
            self._left = BUDGET_PER_SECOND
            self._left_bytes = BYTES_PER_SECOND
        self._left -= 1
        return self._left >= 0 and self._left_bytes > 0

    def _send(self, pid: int, time_ns: int, files: Files) -> int:
        losses = self._losses()
        try:
            size = os.write(self._channel, pack_record(pid, time_ns, losses, files))
        except (BrokenPipeError, ConnectionResetError):
            raise
        except OSError:  # no room for it now, or for so much at all
            self._untaken += pid > 0
            return 0
        self._told = losses
        return size

    def _losses(self) -> list[int]:
        return [self._overrun, self._over_budget, self._untaken]

    def _patience(self) -> float | None:
        """For ever, unless a loss waits for a message that would tell it."""
        return None if self._told == self._losses() else _TELL_SECONDS

    def _tell_losses(self) -> None:
        self._send(0, 0, {})

    def _is_over(self) -> bool:
        """Something to read was announced and was not there: not again and again at once."""
        poll = select.poll()  # select.select takes no descriptor above 1023
        poll.register(self._channel, select.POLLIN)
        return bool(poll.poll(_PAUSE_MS))


def read_files(folder: str, names: tuple[str, ...]) -> Files | None:
    """The files of one process, or None if it has ended.

    All of it is that process: a folder that was opened does not become another's with its pid.
    """
    try:
        folder_fd = os.open(folder, _FOLDER)
    except OSError:
        return None
    files: Files = {}
    try:
        for name in names:
            try:
                files[name] = _read_file(folder_fd, name)
            except OSError as error:
                files[name] = error.errno or 0
    finally:
        os.close(folder_fd)
    return files if isinstance(files["cmdline"], bytes) else None


def _read_file(folder_fd: int, name: str) -> bytes:
    if name == "exe":
        return os.fsencode(os.readlink(name, dir_fd=folder_fd))
    if name == "ns/net":
        return b"%d" % os.stat(name, dir_fd=folder_fd).st_ino
    file = os.open(name, _FILE, dir_fd=folder_fd)
    try:
        return os.read(file, STATUS_BYTES if name == "status" else STRINGS_BYTES)
    finally:
        os.close(file)


def _come_forward() -> None:
    """Have a name in `ps`, and a processor before everything else that wants one.

    Of 900 processes that lived 1 ms beside a busy host 22 were read too late without the latter, 5
    with it. It needs CAP_SYS_NICE.
    """
    try:
        with open("/proc/self/comm", "w") as comm:  # noqa: PTH123  no pathlib here
            comm.write("connbeat-execs")
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return


if __name__ == "__main__":
    main(sys.argv[1:])
