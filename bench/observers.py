"""Observers: who watches the load. The agent at one rung, or a peer on the same load."""

import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from bench import sightings
from bench.commands import BenchError, Program
from bench.truth import Sighting
from connbeat.capture.ladder import Rung

#: As the agent's poll interval is by default.
SS_EVERY_SECONDS = 2


class Scene(msgspec.Struct, frozen=True):
    """Where an observer looks: a process inside the load's namespace, and a folder for output."""

    folder: Path
    pid: int
    netns: int
    environ: Mapping[str, str] = {}

    @property
    def output(self) -> Path:
        return self.folder / "output.txt"

    @property
    def events(self) -> Path:
        return self.folder / "events"


class Observer(msgspec.Struct, frozen=True):
    """How one is started, and how what it printed is read.

    `settle_seconds` is how long it takes until it watches; `lag_seconds` until it has told of what
    has just closed. `sees_closed_only`: nothing is told of a connection that stays open.
    `has_own_memory`: it is one process, whose memory says something. `needs`: its commands.
    """

    name: str
    command: Callable[[Scene], Sequence[str]]
    read: Callable[[Scene], Iterable[Sighting]]
    settle_seconds: float = 3.0
    lag_seconds: float = 2.5
    stop_signal: signal.Signals = signal.SIGTERM
    sees_closed_only: bool = False
    has_own_memory: bool = True
    needs: tuple[str, ...] = ()

    def start(self, scene: Scene) -> Program:
        """Raises BenchError if it is not installed here."""
        missing = [command for command in self.needs if shutil.which(command) is None]
        if missing:
            raise BenchError(f"there is no {' and no '.join(missing)} here")
        return Program(
            self.command(scene),
            output=scene.output,
            environ=scene.environ,
            stop_signal=self.stop_signal,
        )

    def sightings(self, scene: Scene) -> Iterable[Sighting]:
        """What it told. After it has ended."""
        return self.read(scene)


def agent(rung: Rung, *options: str) -> Observer:
    """The agent, by default except for `options`, with file output, no higher than `rung`."""

    def command(scene: Scene) -> Sequence[str]:
        settings = (
            f"connbeat.capture={rung.label}",
            f"output.file.path={scene.folder}",
            f"output.file.filename={scene.events.name}",
            "output.file.rotate_every_kb=4000000",
            *options,
        )
        return agent_command(*settings)

    return Observer(f"connbeat {rung.value} {rung.label}", command, _read_agent)


def agent_command(*settings: str) -> list[str]:
    options = [word for setting in settings for word in ("-E", setting)]
    return [sys.executable, "-m", "connbeat", "run", "-e", *options]


def _read_agent(scene: Scene) -> Iterable[Sighting]:
    with scene.events.open() as lines:
        yield from sightings.of_agent(lines, scene.netns)


def _ss_command(scene: Scene) -> Sequence[str]:
    ss = f"nsenter --net=/proc/{scene.pid}/ns/net ss -tanpHO"
    return ["sh", "-c", f"while {ss}; do sleep {SS_EVERY_SECONDS}; done"]


def _read_ss(scene: Scene) -> Iterable[Sighting]:
    with scene.output.open() as lines:
        yield from sightings.of_ss(lines)


def _read_tcplife(scene: Scene) -> Iterable[Sighting]:
    with scene.output.open() as lines:
        yield from sightings.of_tcplife(lines)


SS = Observer(
    f"ss -tanp every {SS_EVERY_SECONDS} s",
    _ss_command,
    _read_ss,
    settle_seconds=1.0,
    lag_seconds=3.5,  # the last turn has to end, too
    has_own_memory=False,
    needs=("ss", "nsenter"),
)

# It needs tracefs, which it does not mount: done here in a mount namespace that ends with it.
_TCPLIFE = """
[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
exec tcplife
"""

TCPLIFE = Observer(
    "tcplife (eBPF)",
    lambda _: ["unshare", "--mount", "sh", "-c", _TCPLIFE],
    _read_tcplife,
    lag_seconds=1.0,
    stop_signal=signal.SIGINT,
    sees_closed_only=True,
    needs=("tcplife", "unshare"),
)


PEERS = (SS, TCPLIFE)
