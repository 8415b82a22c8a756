"""Record: where, when and how something was measured, and its figures, for a file."""

import argparse
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.figures import Measurement, Table, render
from connbeat.clock import SystemClock
from connbeat.events.timestamps import TimestampFormatter

#: Where a tool writes unless told otherwise, and where the load generator is compiled to.
CACHE = Path(".cache/bench")


class Record(msgspec.Struct, frozen=True):
    """What is written: every figure of every run, and the tables made of them."""

    command: str
    started_at: str
    kernel: str
    python: str
    cpus: int
    load_average: tuple[float, float, float]
    noise_percent: float
    tables: dict[str, Table]
    measurements: dict[str, list[Measurement]]

    def heading(self) -> str:
        return (
            f"`{self.command}`, {self.started_at}, Linux {self.kernel}, {self.cpus} CPUs, "
            f"Python {self.python}; before it the load average was {self.load_average[0]:.1f}, and "
            f"the same work took {self.noise_percent:.0f} % longer by median than at best"
        )

    def write(self, options: argparse.Namespace) -> None:
        """To the two files of `add_options`."""
        for file in (options.json, options.markdown):
            file.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        options.markdown.write_text(self.as_markdown())

    def as_markdown(self) -> str:
        """Ready to paste: the heading, and every table under its name."""
        parts = [self.heading()]
        for name, table in self.tables.items():
            parts += [f"### {name}", render(table)]
        return "\n\n".join(parts) + "\n"


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Where the figures go."""
    parser.add_argument("--json", type=Path, default=CACHE / f"{name}.json", metavar="FILE")
    parser.add_argument(
        "--markdown",
        type=Path,
        default=CACHE / f"{name}.md",
        metavar="FILE",
        help="tables to paste; default: %(default)s",
    )


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def new_record(module: str, arguments: Sequence[str]) -> Record:
    return Record(
        command=shlex.join(["python", "-m", module, *arguments]),
        started_at=TimestampFormatter().format(SystemClock().now_ns()),
        kernel=platform.release(),
        python=platform.python_version(),
        cpus=os.cpu_count() or 0,
        load_average=os.getloadavg(),
        noise_percent=_noise_percent(),
        tables={},
        measurements={},
    )


def _noise_percent() -> float:
    """How much longer than at best the same work took: what else goes on here disturbs."""
    times = []
    for _ in range(50):
        start = time.perf_counter()
        sum(range(400_000))
        times.append(time.perf_counter() - start)
    return 100 * (sorted(times)[len(times) // 2] / min(times) - 1)
