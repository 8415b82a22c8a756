"""Commands: other programs, started, waited for and ended by their pid; the only place for it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

from connbeat.clock import SystemClock

_STOP_SECONDS = 20.0


class BenchError(Exception):
    """A case cannot be measured here; the text says what it lacks."""


def exit_on_signals() -> None:
    """End with an exception, so that what was started here is ended on the way out, undisturbed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)


def _exit(number: int, _: FrameType | None) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    sys.exit(128 + number)


def pause(seconds: float) -> None:
    SystemClock().wait(threading.Event(), seconds)


def call(*command: str, data: bytes = b"", to: IO[bytes] | int = subprocess.PIPE) -> str:
    """Run to the end; its standard output, unless that goes to `to`. Raises BenchError."""
    try:
        ended = subprocess.run(  # noqa: S603  the bench's own words
            command, input=data, stdout=to, stderr=subprocess.PIPE, check=False
        )
    except FileNotFoundError as error:
        raise BenchError(f"there is no {command[0]} here") from error
    if ended.returncode:
        raise BenchError(f"{' '.join(command)}: {ended.stderr.decode(errors='replace').strip()}")
    return ended.stdout.decode() if to == subprocess.PIPE else ""


class Program:
    """A program that runs beside the bench, with pipes to it or its output in a file.

    Use it with `with`: at the end it gets SIGINT if it wants that (`stop_signal`), SIGTERM
    otherwise, and SIGKILL if it does not listen.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: Path | None = None,
        environ: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._stop_signal = stop_signal
        target = subprocess.PIPE if output is None else output.open("wb")
        errors = subprocess.DEVNULL if output is None else output.with_suffix(".log").open("wb")
        try:
            self._process = subprocess.Popen(  # noqa: S603  the bench's own words
                command,
                stdin=subprocess.PIPE if output is None else subprocess.DEVNULL,
                stdout=target,
                stderr=errors,
                env={**os.environ, **(environ or {})},
            )
        except FileNotFoundError as error:
            raise BenchError(f"there is no {command[0]} here") from error
        finally:
            for file in (target, errors):
                if not isinstance(file, int):
                    file.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def read_line(self) -> str:
        """The next line it prints. Blocks; "" at the end. Only without `output`."""
        stream = self._process.stdout
        return stream.readline().decode() if stream is not None else ""

    def write_line(self) -> None:
        stream = self._process.stdin
        if stream is not None:
            stream.write(b"\n")
            stream.flush()

    def close_input(self, seconds: float) -> None:
        """Tell it that nothing more will come, and give it the time to end by itself."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()

    def stop(self) -> None:
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
