"""Lanes: containers of the load generator that come and go, one after the other in every lane."""

import contextlib
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from bench import engine
from bench.commands import BenchError, call, pause
from bench.load import Load

#: How long the containers of each lane are busy: they come and go at different times.
_LIVES_SECONDS = (11, 14, 17, 20)
_LIFE_MS = 5
_END_SECONDS = 30.0


def lives(whole: int, life: int) -> list[int]:
    """The seconds that one container after the other is busy, `whole` in all."""
    full, rest = divmod(whole, life)
    return [life] * full + [rest] * (rest > 0)


class Lanes:
    """Makes `rate` connections a second, each lane its part. Use it with `with`.

    Each container connects to itself on its own loopback, and the next one stands ready before it
    is done. At the end all of them are removed.
    """

    def __init__(self, rate: int, seconds: int) -> None:
        self._rate = rate // len(_LIVES_SECONDS)
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._stopping = threading.Event()
        self.containers = self.made = self.failed = 0
        self.error = ""
        self._threads = [
            threading.Thread(target=self._keep, args=(lane, lives(seconds, life)), daemon=True)
            for lane, life in enumerate(_LIVES_SECONDS)
        ]

    @property
    def is_running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _keep(self, lane: int, seconds: Sequence[int]) -> None:
        busy: tuple[str, Load] | None = None
        try:
            for serial, life in enumerate(seconds):
                if self._stopping.is_set():
                    break
                ready = self._start(f"{engine.PREFIX}-soak-{lane}-{serial}", life)
                self._relay(busy, ready)
                busy = ready
            self._relay(busy, None)
        except BenchError as error:
            if not self._stopping.is_set():
                self.error = str(error)

    def _start(self, name: str, seconds: int) -> tuple[str, Load]:
        """A container that is ready, and waits."""
        self._names.add(name)
        traffic = f"traffic --rate {self._rate} --life-ms {_LIFE_MS} --seconds {seconds}"
        return name, Load(engine.container_command("--name", name), traffic)

    def _relay(self, busy: tuple[str, Load] | None, ready: tuple[str, Load] | None) -> None:
        """Once the one is done the other begins, and the one goes."""
        told = busy[1].finish() if busy is not None else {}
        if ready is not None:
            ready[1].begin()
        if busy is not None:
            name, load = busy
            load.close()
            self._names.discard(name)
            with self._lock:
                self.containers += 1
                self.made += told["made"]
                self.failed += told["failed"]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
            pause(1.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._remove()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_END_SECONDS)
        self._remove()  # what was just being started

    def _remove(self) -> None:
        for name in sorted(self._names):
            with contextlib.suppress(BenchError):
                call("docker", "rm", "--force", "--volumes", name)
