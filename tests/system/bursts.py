"""Ground truth of rungs 2 and 3: programs that make many short connections and know each of them.

`Load` drives `burst_program` on the host, in a namespace or in a container; `KernelAgent` is the
real agent, whose numbers about itself a test can read as well.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.system.event_rules import check_events
from tests.system.harness import BUSYBOX, PREFIX, Agent, Document, call

PROGRAM = Path(__file__).with_name("burst_program.py")
POLL_SECONDS = 0.5
#: Options of an agent that looks often, writes at once, and tells its numbers every second.
OPTIONS = (
    f"connbeat.poll_interval={POLL_SECONDS:g}s",
    "queue.mem.flush.timeout=50ms",
    "logging.metrics.period=1s",
)

#: Lives of a port that are held against the schema.
_SAMPLE = 20

Truth = dict[str, Any]


class Load:
    """A program that stands ready, and acts when told to; ends with the block."""

    def __init__(
        self, action: str, *, before: Sequence[str] = (), container: str = "", **arguments: Any
    ) -> None:
        """`before` are words before the command (`ip netns exec x`); `container` is its name."""
        self._process = subprocess.Popen(
            [*before, str(Path(sys.executable)), str(PROGRAM), action, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.container = container
        self.ready = self._answer()
        self.container_id = ""
        self.pid = self._process.pid
        if container:
            form = "{{.State.Pid}} {{.Id}}"
            pid, self.container_id = call("docker", "inspect", "-f", form, container).split()
            self.pid = int(pid)
        self.netns = Path(f"/proc/{self.pid}/ns/net").stat().st_ino

    def children(self) -> list[int]:
        """The processes it started, as the host counts."""
        return children_of(self.pid)

    def go(self) -> Any:
        """Act; what it did, once it is done."""
        self.start()
        return self._answer()

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        return self._answer()

    def close(self) -> None:
        if self.container:
            remove(self.container)
        else:
            self._process.kill()
        self._process.wait(20)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the load ended"
        return json.loads(line)


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def remove(container: str) -> None:
    subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)


def in_container(name: str, action: str, **arguments: Any) -> Load:
    """The program as the first process of a container that has the host's files."""
    name = f"{PREFIX}-kernel-{name}"
    remove(name)  # one that a killed run of the tests left would take the name
    command = ("docker", "run", "--rm", "--interactive", "--name", name, "--volume=/:/host:ro")
    return Load(action, before=(*command, BUSYBOX, "chroot", "/host"), container=name, **arguments)


class KernelAgent(Agent):
    """The agent, its events by what they are about, and its numbers."""

    def __init__(self, folder: Path, *options: str, **more: Any) -> None:
        self._asked: set[int] = set()
        super().__init__(folder, *OPTIONS, *options, **more)

    def about(self, port: int, netns: int | None = None) -> list[Document]:
        """The events of connections to or from this port."""
        self._asked.add(port)
        return self.found(lambda it: is_about(it, port, netns))

    def await_about(
        self, port: int, count: int, netns: int | None = None, seconds: float = 15
    ) -> list[Document]:
        """They and whatever came with the next poll, as soon as there are `count` of them."""
        self.wait_for(
            lambda it: is_about(it, port, netns), f"port {port}", count=count, seconds=seconds
        )
        self.await_polls(2)
        return self.about(port, netns)

    def await_polls(self, count: int) -> None:
        """Until the agent's clock moved on by so many polls: nothing more is under way."""
        time.sleep(POLL_SECONDS * count + 0.1)

    def number(self, name: str) -> float:
        """A gauge as last told, or all that a counter grew; without labels over all of them."""
        pattern = re.escape(name) + ("" if name.endswith("}") else r"(?:{[^}]*})?")
        lines = self._told().splitlines()
        if "_total" not in name:
            lines = lines[-1:]
        found = re.findall(rf" {pattern}=([\d.]+)", "\n".join(lines))
        return sum(float(value) for value in found)

    def _told(self) -> str:
        return "\n".join(line for line in self.log().splitlines() if "metrics in the last" in line)

    def stop(self, seconds: float = 15) -> int:
        """As `Agent.stop`, but other programs of this host are not held against it."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert "Traceback" not in self.log(), self.log().partition("Traceback")[2][:2000]
        self.check()
        return code

    def check(self) -> None:
        """No end is told twice; what was asked for follows the published schema, by sample."""
        check_events([it for it in self.events() if "summary" in it][:_SAMPLE])
        events = [it for it in self.events() if "summary" not in it]
        ends = Counter(about(it)["id"] for it in events if kind_of(it) in ("closed", "failed"))
        twice = [
            brief(it) for it in events if ends[about(it)["id"]] > 1 and "closed_at" in about(it)
        ]
        assert not twice, "\n".join(twice[:20])
        for event in events:
            if kind_of(event) == "failed":
                check_failed(event)
        check_events(sample_of([it for it in events if ports_of(it) & self._asked]))


def sample_of(events: Sequence[Document]) -> list[Document]:
    """The events of at most so many lives a port: validation takes 3 ms an event."""
    by_port: dict[int, set[str]] = {}
    sample = []
    for event in events:
        lives = by_port.setdefault(min(ports_of(event)), set())
        if len(lives) < _SAMPLE:
            lives.add(about(event)["id"])
        if about(event)["id"] in lives:
            sample.append(event)
    return sample


def check_failed(event: Document) -> None:
    told = event["connection"]
    assert told["failure"], event
    assert told["opened_at"] <= told["closed_at"] == event["@timestamp"], event
    assert told["direction"] == "outbound", event
    assert "bytes_sent" not in told, event


def brief(event: Document) -> str:
    """One line about an event, for a failure's message."""
    names = ("id", "event", "direction_source", "state", "opened_at", "closed_at", "bytes_sent")
    told = {name: about(event)[name] for name in names if name in about(event)}
    ends = [str(event.get(name)) for name in ("local_ip", "local_port", "remote_ip", "remote_port")]
    return f"{event['local_process'].get('pid')} {':'.join(ends)} {told}"


def about(event: Document) -> dict[str, Any]:
    told: dict[str, Any] = event.get("connection") or event["listener"]
    return told


def kind_of(event: Document) -> str:
    return str(about(event)["event"])


def ports_of(event: Document) -> set[int]:
    return {event["local_port"], event.get("remote_port", event["local_port"])}


def is_about(event: Document, port: int, netns: int | None = None) -> bool:
    if "connection" not in event or port not in ports_of(event):
        return False
    return netns is None or event["connection"]["netns"] == netns


def closes_of(events: Sequence[Document], seconds: float) -> list[Document]:
    """The ends; of what else there is at most one connection a poll, that it came upon."""
    others = [it for it in events if kind_of(it) != "closed"]
    assert len(others) <= 2 * (seconds / POLL_SECONDS + 2), [brief(it) for it in others]
    return [it for it in events if kind_of(it) == "closed"]


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def by_client_port(events: Sequence[Document], server_port: int) -> dict[str, dict[int, Document]]:
    """The events of each side by the client's port; that there is one of each is checked here."""
    clients = [it for it in events if it["remote_port"] == server_port]
    servers = [it for it in events if it["local_port"] == server_port]
    sides = {
        "client": {it["local_port"]: it for it in clients},
        "server": {it["remote_port"]: it for it in servers},
    }
    assert len(sides["client"]) == len(clients), "a client's end was told twice"
    assert len(sides["server"]) == len(servers), "a server's end was told twice"
    return sides
