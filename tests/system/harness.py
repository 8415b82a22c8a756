"""What system tests are made of: namespaces, containers, and the real agent.

Everything here ends what it started, by pid or by name, also when the test fails.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.system.event_rules import check_events

#: A document, as the agent wrote it.
Document = dict[str, Any]

#: The prefix of every namespace, container and image made here.
PREFIX = "connbeat-test"

BUSYBOX = f"{PREFIX}-busybox"
AGENT_IMAGE = f"{PREFIX}-agent"
#: In the environment of who builds the agent's image, and to be nowhere in it.
PLANTED_SECRET = "planted-2b7e151628aed2a6"

#: Options of an agent that tells what it sees soon enough for a test.
QUICK = ("connbeat.poll_interval=200ms", "queue.mem.flush.timeout=50ms")
#: The same, but only what polls can know.
POLLS = (*QUICK, "connbeat.capture=dump")


def call(*command: str) -> str:
    """Standard output of a command that has to succeed."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr or result.stdout}"
    return result.stdout.strip()


def wait_until(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    """Fail with `what` if it is not so within the seconds."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class Netns:
    """A network namespace with a loopback that is up, known to `ip netns`."""

    def __init__(self, name: str) -> None:
        self.name = name
        call("ip", "netns", "add", name)
        call("ip", "-n", name, "link", "set", "lo", "up")
        self.inode = Path("/run/netns", name).stat().st_ino

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A process inside; the test (or the fixture's end) waits for it."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        for pid in call("ip", "netns", "pids", self.name).split():
            subprocess.run(["kill", "-KILL", pid], capture_output=True, check=False)
        call("ip", "netns", "del", self.name)


class Containers:
    """Containers of the busybox image, or of any other; removed at the end."""

    def __init__(self) -> None:
        self._ids: list[str] = []

    def run(self, *arguments: str) -> str:
        """`docker run -d` with these arguments; the container's full id."""
        container_id = call("docker", "run", "--detach", *arguments)
        self._ids.append(container_id)
        return container_id

    def busybox(self, name: str, *command: str, options: tuple[str, ...] = ()) -> str:
        """A container named `PREFIX-name` that runs a busybox command; its full id."""
        return self.run("--name", f"{PREFIX}-{name}", *options, BUSYBOX, *command)

    def logs(self, container_id: str) -> tuple[str, str]:
        """What it wrote so far: standard output, standard error."""
        result = subprocess.run(
            ["docker", "logs", container_id], capture_output=True, text=True, check=True
        )
        return result.stdout, result.stderr

    def address(self, container_id: str) -> str:
        return call(
            "docker",
            "inspect",
            "--format",
            "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
            container_id,
        )

    def close(self) -> None:
        if self._ids:
            call("docker", "rm", "--force", "--volumes", *self._ids)
            self._ids.clear()


class Agent:
    """The real agent, a process of its own with the console output; use it with `with`."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        environ: dict[str, str] | None = None,
        before: Sequence[str] = (),
        arguments: Sequence[str] = (),
        program: Sequence[str] = (sys.executable, "-m", "connbeat"),
    ) -> None:
        """`before` are words before the agent's command (`setpriv ...`), which have to exec it.

        `options` are those of `-E`, `arguments` come before them.
        """
        self._out, self._err = folder / "events.ndjson", folder / "agent.log"
        self._events: list[Document] = []
        self._read_bytes = 0
        self._lock = threading.Lock()  # guards the two above: a test may look from two threads
        arguments = [*arguments, *(option for pair in options for option in ("-E", pair))]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*before, *program, "run", "-e", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env={**os.environ, **(environ or {})},
            )

    def events(self) -> list[Document]:
        """Every whole line written so far: a list that only grows."""
        with self._lock, self._out.open("rb") as out:
            out.seek(self._read_bytes)
            lines, feed, _ = out.read().rpartition(b"\n")
            self._read_bytes += len(lines + feed)
            # Not `json`, which makes every key anew: a busy host has 100,000 events in no time.
            self._events += [msgspec.json.decode(line) for line in lines.splitlines()]
        return self._events

    def log(self) -> str:
        return self._err.read_text()

    def wait_ready(self, seconds: float = 15) -> Self:
        """Until it has looked once: what comes later is news to it."""

        def is_so() -> bool:
            assert self.process.poll() is None, f"the agent ended: {self.log()}"
            return "Capture stands." in self.log()

        wait_until(is_so, seconds, "the first poll")
        return self

    def wait_for(
        self,
        is_wanted: Callable[[Document], bool],
        what: str,
        *,
        count: int = 1,
        seconds: float = 15,
        since: int = 0,
    ) -> list[Document]:
        """The events that are wanted, as soon as there are `count` of them.

        `since` leaves out as many of the first events: a namespace's number may have been another
        one's before.
        """
        found: list[Document] = []
        looked_at = since

        def is_so() -> bool:
            nonlocal looked_at
            assert self.process.poll() is None, f"the agent ended: {self.log()}"
            news = self.events()[looked_at:]
            looked_at += len(news)
            found.extend(event for event in news if is_wanted(event))
            return len(found) >= count

        wait_until(is_so, seconds, f"{count} events of {what}")
        return found

    def found(self, is_wanted: Callable[[Document], bool]) -> list[Document]:
        return [event for event in list(self.events()) if is_wanted(event)]

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM; the exit code. Whatever the test was about, what it wrote has to be right."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert "Traceback" not in self.log(), self.log()
        check_events(self.events())
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
