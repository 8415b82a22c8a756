"""Ground truth: processes whose sockets the tests make, and know everything about.

`Peer` drives `peer_program` on the host, in a namespace or in a container. Its sockets have the
kernel's cookie, so that the agent's word about each can be found by identity.
"""

import contextlib
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.system.event_rules import check_events
from tests.system.harness import BUSYBOX, PREFIX, Agent, Document, Netns, call

PROGRAM = Path(__file__).with_name("peer_program.py")
#: What `local_process.binary` has to be.
BINARY = Path(sys.executable).resolve().name

Request = tuple[str, dict[str, Any]]


class Sock(NamedTuple):
    """One end, as its process knows it."""

    number: int
    local_ip: str
    local_port: int
    remote_ip: str
    remote_port: int
    inode: int
    cookie: int

    def is_in(self, event: Document) -> bool:
        """Whether the event is about this very socket: by the cookie in its id (rung 1)."""
        about = event.get("connection") or event["listener"]
        return str(about["id"]).endswith(f"-{self.cookie:x}")


class Peer:
    """A process that obeys. `pid` is as the host counts, `netns` the inode of its namespace."""

    def __init__(self, *command: str, container: str = "") -> None:
        self.container = container
        self._process = subprocess.Popen(
            [*command, str(Path(sys.executable)), str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._answer()
        self.pid = self._process.pid
        self.container_id = ""
        if container:
            form = "{{.State.Pid}} {{.Id}}"
            pid, self.container_id = call("docker", "inspect", "-f", form, container).split()
            self.pid = int(pid)
        self.netns = Path(f"/proc/{self.pid}/ns/net").stat().st_ino

    def listen(self, ip: str = "127.0.0.1", port: int = 0, **options: int) -> Sock:
        return Sock(**self.do("listen", ip=ip, port=port, **options))

    def connect(self, ip: str, port: int, **options: Any) -> Sock:
        return Sock(**self.do("connect", ip=ip, port=port, **options))

    def connect_all(self, *wanted: dict[str, Any]) -> list[Sock]:
        return [Sock(**one) for one in self.do_all(*(("connect", one) for one in wanted))]

    def accept(self, listener: Sock) -> Sock:
        return Sock(**self.do("accept", number=listener.number))

    def accept_all(self, listener: Sock, count: int) -> list[Sock]:
        requests = [("accept", {"number": listener.number})] * count
        return [Sock(**one) for one in self.do_all(*requests)]

    def send(self, sock: Sock, size: int) -> None:
        self.do("send", number=sock.number, size=size)

    def receive(self, sock: Sock, size: int) -> None:
        self.do("receive", number=sock.number, size=size)

    def finish(self, sock: Sock) -> None:
        self.do("finish", number=sock.number)

    def close_sock(self, *socks: Sock) -> None:
        self.do_all(*(("close", {"number": sock.number}) for sock in socks))

    def reset(self, sock: Sock) -> None:
        self.do("reset", number=sock.number)

    def fork(self) -> int:
        return int(self.do("fork"))

    def do(self, action: str, **arguments: Any) -> Any:
        return self.do_all((action, arguments))[0]

    def do_all(self, *requests: Request) -> list[Any]:
        """All in one go, so that what they make is there within a millisecond or two."""
        self.ask(*requests)
        return self.answers()

    def ask(self, *requests: Request) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(requests).encode() + b"\n")
        self._process.stdin.flush()

    def answers(self) -> list[Any]:
        answers: list[Any] = self._answer()
        errors = [one["error"] for one in answers if isinstance(one, dict) and "error" in one]
        assert not errors, errors
        return answers

    def kill(self) -> None:
        """End the process, and wait for its end."""
        if self.container:
            subprocess.run(
                ["docker", "rm", "--force", self.container], capture_output=True, check=False
            )
        else:
            self._process.kill()
        self._process.wait(20)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # what it did not read any more
                stream.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the peer ended"
        return json.loads(line)


class Peers:
    """Starts peers and namespaces, ends them all; use it with `with`."""

    def __init__(self) -> None:
        self._cleanup = contextlib.ExitStack()
        self._numbers = itertools.count()

    def netns(self, name: str) -> Netns:
        """One of its own for each call: a test that runs at two rungs asks twice."""
        netns = Netns(f"{PREFIX}-{name}-{next(self._numbers)}")
        self._cleanup.callback(netns.close)
        return netns

    def started(self, *command: str) -> Peer:
        """By these words, which have to exec what follows them."""
        return self._kept(Peer(*command))

    def on_host(self) -> Peer:
        return self.started()

    def inside(self, netns: Netns) -> Peer:
        return self.started("ip", "netns", "exec", netns.name)

    def inside_of(self, pid: int) -> Peer:
        """A process of the host in the namespace of another one."""
        return self.started("nsenter", f"--net=/proc/{pid}/ns/net")

    def in_container(self, name: str, *options: str) -> Peer:
        """A container named `PREFIX-name` with the host's files, whose first process obeys."""
        name = f"{PREFIX}-{name}"
        # Removed first: one that a killed run of the tests left would take the name.
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
        command = ["docker", "run", "--rm", "--interactive", "--name", name, "--volume=/:/host:ro"]
        return self._kept(Peer(*command, *options, BUSYBOX, "chroot", "/host", container=name))

    def close(self) -> None:
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _kept(self, peer: Peer) -> Peer:
        self._cleanup.callback(peer.kill)
        return peer


def linked(server: Peer, client: Peer, ip: str = "127.0.0.1", **options: int) -> tuple[Sock, Sock]:
    """A connection: the server's end, the client's end. The listener is closed again."""
    listener = server.listen(ip, **options)
    client_end = client.connect(ip, listener.local_port)
    server_end = server.accept(listener)
    server.close_sock(listener)
    return server_end, client_end


def events_of(agent: Agent, sock: Sock) -> list[Document]:
    return agent.found(sock.is_in)


def kinds_of(agent: Agent, sock: Sock) -> list[str]:
    """The steps of its life, in the order of the events."""
    return [
        (event.get("connection") or event["listener"])["event"] for event in events_of(agent, sock)
    ]


def closed(agent: Agent, sock: Sock) -> Document:
    """The last event of its life."""
    return agent.wait_for(
        lambda event: (
            sock.is_in(event)
            and (event.get("connection") or event["listener"])["event"] == "closed"
        ),
        f"the end of {sock}",
    )[0]


def shown(*options: str) -> list[Document]:
    """What `connbeat show --json` says: an agent that comes later than everything."""
    arguments = [word for option in options for word in ("-E", option)]
    text = call(sys.executable, "-m", "connbeat", "show", "--json", *arguments)
    events = [json.loads(line) for line in text.splitlines()]
    check_events(events)
    return events
