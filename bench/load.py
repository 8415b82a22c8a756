"""Load: the load generator, compiled when it is needed, and talked to."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.commands import BenchError, Program, call
from bench.truth import Made, parse_truth

_SOURCE = Path(__file__).with_name("load.c")
_END_SECONDS = 10.0


def compile_load(folder: Path) -> Path:
    """The program, static so that it is a container's whole image too. Raises BenchError."""
    program = folder / "load"
    if not program.exists() or program.stat().st_mtime < _SOURCE.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        call("cc", "-O2", "-Wall", "-static", "-o", str(program), str(_SOURCE))
    return program


class Load:
    """A running load; it has opened its idle connections and waits for `run`.

    `pid` is a process inside its network namespace, `netns` that namespace. Use it with `with`:
    what it holds open is closed at the end.
    """

    def __init__(self, program: Sequence[str | Path], options: str) -> None:
        self._program = Program([*map(str, program), *shlex.split(options)])
        told = self._expect("ready")
        self.pid = told["pid"]
        self.netns = told["netns"]

    def run(self) -> dict[str, int]:
        """Make the connections. Blocks until that is done; what it says then."""
        self.begin()
        return self.finish()

    def begin(self) -> None:
        """As `run`, but does not wait."""
        self._program.write_line()

    def finish(self) -> dict[str, int]:
        """Blocks until what `begin` began is done; what it says then."""
        return self._expect("done")

    def close(self) -> None:
        self._program.close_input(_END_SECONDS)
        self._program.__exit__(None, None, None)

    def _expect(self, word: str) -> dict[str, int]:
        line = self._program.read_line()
        first, *pairs = line.split() or [""]
        if first != word:
            raise BenchError(f"the load generator said {line!r} where {word!r} was expected")
        return {name: int(value) for name, _, value in (pair.partition("=") for pair in pairs)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_truth(truth: Path) -> list[Made]:
    """What the clients wrote to `truth`.0, .1, ..."""
    return [
        made
        for part in sorted(truth.parent.glob(f"{truth.name}.*"))
        for made in parse_truth(part.read_text())
    ]
