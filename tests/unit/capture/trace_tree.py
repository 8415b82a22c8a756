"""A tracefs of plain files: events with formats, and the instance that an agent would make."""

import os
import shutil
from pathlib import Path

from connbeat.linux.tracefs import Tracefs
from tests.proc_tree import ProcTree
from tests.traces import RECORDINGS, Recording

_STAT = "== {pid}/stat\n{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0 0\n"


class TraceTree:
    """What is written to a `trace_pipe_raw` here is read from there, once, page by page."""

    def __init__(self, folder: Path, kind: str, processors: int = 2) -> None:
        self.proc = ProcTree(folder)
        self.proc.add(_STAT.format(pid=os.getpid()))
        self.proc.add("== self/ns/pid -> pid:[4026531836]")
        self.recording = Recording(RECORDINGS[0])
        self.tracefs = Tracefs(folder / "tracefs")
        events = self.tracefs.root / "events"
        shutil.copytree(self.recording.folder / "events", events)
        name = f"connbeat-{kind}-{os.getpid()}-77"
        self.instance = self.tracefs.root / "instances" / name
        for path in events.glob("*/*"):
            (self.instance / "events" / path.relative_to(events)).mkdir(parents=True)
        for number in range(processors):
            self._pipe(number).parent.mkdir(parents=True)
            self._pipe(number).touch()

    def write(self, processor: int, *pages: bytes) -> None:
        with self._pipe(processor).open("ab") as pipe:
            pipe.write(b"".join(pages))

    def setting(self, name: str) -> str:
        """What the agent wrote to this file, "" if nothing."""
        path = self.instance / name
        return path.read_text() if path.exists() else ""

    def contain(self) -> None:
        """The agent is in a pid namespace of its own."""
        self.proc.add("== self/ns/pid -> pid:[4026532448]")

    def switch_off(self) -> None:
        (self.instance / "tracing_on").write_text("0\n")

    def _pipe(self, number: int) -> Path:
        return self.instance / f"per_cpu/cpu{number}/trace_pipe_raw"
