"""The oracle: it knows which events were taken, and asks the server for exactly those.

An agent puts numbered events into its queue on disk and delivers them to a real server. Both are
killed (kill -9) and started again at random. At the end every event that was durable in the queue
is at the server, and nothing is there that was never put. After the tests of Vector, where a
producer makes every acknowledged id an obligation.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

ROOT = Path(__file__).parents[2]
#: How often something is killed: the short form; `make soak` asks for the long one.
KILLS = int(os.environ.get("CONNBEAT_ORACLE_KILLS", "5"))
#: How long the server of an outage is away.
OUTAGE_SECONDS = float(os.environ.get("CONNBEAT_ORACLE_OUTAGE", "5"))
ON_DISK = ("queue.disk.max_size=1GB",)
_RATE = 400
_OUTAGE_RATE = 2000
_DRAIN_SECONDS = 60


class ServerUnderTest(Protocol):
    """A real server, and the output that goes with it."""

    #: What an output may do to an event if nobody knows whether it arrived.
    allows_duplicates: bool

    def options(self) -> Sequence[str]:
        """`key=value` of the output that sends to it."""
        ...

    def start(self) -> None:
        """Also after a kill. Returns when it answers."""
        ...

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        ...

    def bodies(self) -> Iterable[bytes]:
        """Every document that is there, as JSON."""
        ...


class Verdict(msgspec.Struct, frozen=True):
    """Of the numbers of events: what should be there, and what is."""

    taken: set[int]
    issued: int
    found: Counter[int]
    dropped: int
    left: int

    def check_counted(self) -> None:
        """What is not there was counted as dropped, to the event."""
        assert self.left == 0
        assert len(self.found) + self.dropped == self.issued
        assert self.dropped > 0, "the queue was too small for the outage"

    def check(self, *, allows_duplicates: bool) -> None:
        missing = sorted(self.taken - self.found.keys())
        invented = sorted(number for number in self.found if number >= self.issued)
        doubled = sorted(number for number, count in self.found.items() if count > 1)
        assert not missing, f"{len(missing)} events were taken and are lost: {missing[:20]}"
        assert not invented, f"{len(invented)} events were never put: {invented[:20]}"
        assert allows_duplicates or not doubled, f"there more than once: {doubled[:20]}"
        assert (self.dropped, self.left) == (0, 0), "everything left in the end, undropped"
        assert self.taken, "the test puts events"


class DrivenAgent:
    """The agent of the oracle, with what its runs have said so far."""

    def __init__(self, folder: Path, run: str, options: Sequence[str]) -> None:
        self._folder = folder
        self._run = run
        self._options = [word for option in options for word in ("-E", option)]
        self._process: subprocess.Popen[bytes] | None = None
        self._first = 0
        self._runs = 0
        self.taken: set[int] = set()

    @property
    def issued(self) -> int:
        return self._first

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self, rate: int = _RATE) -> None:
        self._runs += 1
        command = [sys.executable, "-m", "tests.system.oracle_driver"]
        command += [self._run, str(self._first), str(rate), *self._options]
        with self._path("out").open("wb") as out, self._path("log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=self._folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )

    def kill(self) -> None:
        self._end(signal.SIGKILL, 10)

    def stop(self) -> dict[str, int]:
        """SIGTERM: it drains. What it said last of everything."""
        process = self._process
        assert process is not None
        assert process.poll() is None, f"the agent ended: {self.log()}"
        said = self._end(signal.SIGTERM, _DRAIN_SECONDS + 10)
        assert process.returncode == 0, self.log()
        return said

    def log(self) -> str:
        return self._path("log").read_text()[-5000:]

    def _end(self, number: signal.Signals, seconds: float) -> dict[str, int]:
        process, self._process = self._process, None
        if process is None:
            return {}
        process.send_signal(number)
        try:
            process.wait(seconds)
        finally:
            process.kill()
            process.wait()
        said = {"issued": self._first, "taken": self._first}
        for line in self._path("out").read_text().splitlines():
            word, _, rest = line.partition(" ")
            assert word != "gone", line
            said[word] = int(rest)
        assert "Traceback" not in self._path("log").read_text(), self.log()
        self.taken |= set(range(self._first, said["taken"]))
        self._first = said["issued"]
        return said

    def _path(self, kind: str) -> Path:
        return self._folder / f"agent-{self._runs}.{kind}"


class Oracle:
    """One trial. The seed is printed: the same one kills the same after the same times."""

    def __init__(
        self, server: ServerUnderTest, folder: Path, seed: int, queue: Sequence[str] = ON_DISK
    ) -> None:
        print(f"oracle: seed {seed}")  # noqa: T201  pytest shows it when the test fails
        self._server = server
        self._rng = random.Random(seed)
        self._is_up = False
        self._toggle_server()  # which may choose its port only now
        options = [
            f"path.home={folder}",
            *queue,
            f"shutdown_timeout={_DRAIN_SECONDS}s",
            *server.options(),
        ]
        self.agent = DrivenAgent(folder, f"oracle-{seed}", options)

    def trial(self, kills: int) -> Verdict:
        """So many kills, and what became of it."""
        self.agent.start()
        try:
            for _ in range(kills):
                self._one_kill()
            return self._finish()
        finally:
            self.agent.kill()

    def outage(self, seconds: float) -> Verdict:
        """The server is away for a while, and nothing else happens."""
        self.agent.start(_OUTAGE_RATE)
        try:
            self._wait(1.0, 2.0)
            self._toggle_server()
            time.sleep(seconds)
            return self._finish()
        finally:
            self.agent.kill()

    def _verdict(self, said: dict[str, int]) -> Verdict:
        numbers = (_number(body) for body in self._server.bodies())
        return Verdict(
            self.agent.taken,
            self.agent.issued,
            Counter(numbers),
            said["dropped"],
            said["left"],
        )

    def _one_kill(self) -> None:
        """Let it run a while, kill one or both, and start the one or the other again."""
        self._wait(0.3, 2.0)
        victims = self._rng.choice(("agent", "server", "server", "both", "agent"))
        if victims != "server":
            self.agent.kill()
        if victims != "agent" and self._is_up:
            self._toggle_server()
        self._wait(0.0, 1.0)
        if not self._is_up and self._rng.random() < 0.7:
            self._toggle_server()
        if not self.agent.is_running:
            self.agent.start()

    def _finish(self) -> Verdict:
        if not self._is_up:
            self._toggle_server()
        self._wait(1.0, 2.0)
        return self._verdict(self.agent.stop())

    def _toggle_server(self) -> None:
        if self._is_up:
            self._server.kill()
        else:
            self._server.start()
        self._is_up = not self._is_up

    def _wait(self, low: float, high: float) -> None:
        time.sleep(self._rng.uniform(low, high))


def _number(body: bytes) -> int:
    return int(msgspec.json.decode(body)["connection"]["id"])
