"""The exec reader's process, from the agent's side: its tracing instance, its start and its end.

A small instance that records execs only and wakes its reader at each one (`buffer_percent` 0). The
process is a new interpreter, not a fork: it has 3 MB of its own, keeps no page of the agent's, and
can be started again when the agent has threads (docs/adr/0008).
"""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import connbeat
from connbeat.capture.exec_record import NAMES
from connbeat.capture.formats import EXEC
from connbeat.capture.ladder import OTHER_PIDS
from connbeat.errors import CaptureError
from connbeat.linux.procfs import ProcFs
from connbeat.linux.tracefs import Tracefs, TraceInstance, compile_fields, page_size

_BUFFER_KB = 256
#: Messages that wait for the agent: 3 s of a full budget. Kernel memory, while they wait.
_CHANNEL_BYTES = 4 << 20
#: Of one: command line and environment of 64 KB each (`limits.STRINGS_BYTES`), and the rest.
_MESSAGE_BYTES = 256 << 10
_END_SECONDS = 1.0

_SO_SNDBUFFORCE = 32  # socket(7); Python has no name for it
#: It ends with its channel. What a terminal or an init system sends to every process of ours would
#: only make it end before the agent.
_NOT_ITS_BUSINESS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

# -I and -S: no environment, no site-packages but for connbeat itself, no `site`.
_START = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from connbeat.capture.exec_program import main; main(sys.argv[2:])"
)


class ExecChild:
    """One process and its instance. One thread uses it. Making it raises CaptureError.

    It owns `tracefs`.
    """

    def __init__(self, tracefs: Tracefs, procfs: ProcFs, *, with_environ: bool) -> None:
        self._tracefs = tracefs
        self._names = NAMES if with_environ else NAMES[:-1]
        self._buffer = memoryview(bytearray(_MESSAGE_BYTES))
        with contextlib.ExitStack() as undo:
            undo.callback(tracefs.close)
            if not procfs.has_host_pids():
                raise CaptureError(OTHER_PIDS)
            self._instance = TraceInstance(tracefs, "execs", procfs, _BUFFER_KB)
            undo.callback(self._instance.close)
            with contextlib.suppress(CaptureError):  # before 6.1 it wakes at half a buffer: late
                self._instance.set_option("buffer_percent", "0")
            self._instance.enable(EXEC)
            self._instance.start()
            self._channel, theirs = _socket_pair()
            undo.callback(self._channel.close)
            with theirs:
                self._start(theirs, procfs)
            undo.pop_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    def receive(self) -> Iterator[bytes]:
        """The messages that are there. Raises CaptureError once there will be no more."""
        while True:
            try:
                size = self._channel.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as error:
                raise CaptureError(f"the exec reader is not heard: {error.strerror}") from error
            if not size:
                raise CaptureError("the exec reader's process has ended")
            yield bytes(self._buffer[:size])

    def is_recording(self) -> bool:
        """False once somebody switched its instance off."""
        return self._instance.is_recording()

    def close(self) -> None:
        """End the process, remove the instance. Waits for it a second at most, never raises."""
        self._channel.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._instance.close()
        self._tracefs.close()

    def _start(self, channel: socket.socket, procfs: ProcFs) -> None:
        event = self._tracefs.format(EXEC)
        channel.setblocking(False)
        self._channel.setblocking(False)
        with contextlib.suppress(OSError):  # CAP_NET_ADMIN, or what everybody may have
            channel.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _CHANNEL_BYTES)
        arguments = (
            channel.fileno(), page_size(self._tracefs), event.id,
            compile_fields(event, ("pid",)).format, procfs.root, ",".join(self._names),
            *self._instance.pipes,
        )  # fmt: skip
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_ITS_BUSINESS)  # which it inherits
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and program
                [sys.executable, "-I", "-S", "-c", _START, _root(), *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(channel.fileno(), *self._instance.pipes),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise CaptureError(f"the exec reader does not start: {error.strerror}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    try:
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        raise CaptureError(f"the exec reader's channel: {error.strerror}") from error


def _root() -> str:
    """Where connbeat is imported from."""
    return str(Path(connbeat.__file__).resolve().parents[1])
