"""The stacks of compose/ that can run where no image can be pulled, called as they say.

The agent's image is the one built here; what would be pulled is the busybox image made here.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
import yaml

from tests.servers.processes import free_port
from tests.system.harness import BUSYBOX, PREFIX, Containers, Document, wait_until

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]

Edges = set[tuple[str, str]]


class Stack:
    """`docker-compose` with one file of compose/; use it with `with`, it ends what it started."""

    def __init__(self, name: str, image: str, **environ: str) -> None:
        self.file = ROOT / "compose" / f"{name}.yml"
        images = {"CONNBEAT_IMAGE": image, "SHOP_IMAGE": BUSYBOX, "WEB_IMAGE": BUSYBOX}
        quick = {"CONNBEAT_POLL_INTERVAL": "500ms", "CONNBEAT_AGGREGATION": "2s"}
        self._environ = {**os.environ, **images, **quick, **environ}
        self._project = f"{PREFIX}-{name}"

    def __call__(self, *arguments: str) -> str:
        result = subprocess.run(
            ["docker-compose", "-p", self._project, "-f", self.file, *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def __enter__(self) -> Self:
        self("up", "--detach")
        return self

    def __exit__(self, *_: object) -> None:
        self("down", "--volumes", "--timeout", "5")

    def logs(self, service: str) -> str:
        return self("logs", "--no-color", "--no-log-prefix", service)

    def events(self) -> list[Document]:
        lines = self.logs("connbeat").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"@timestamp"')]

    def wait_for(self, is_wanted: Callable[[Document], bool], what: str) -> Document:
        found: list[Document] = []

        def is_there() -> bool:
            found[:] = [event for event in self.events() if is_wanted(event)]
            return bool(found)

        wait_until(is_there, 30, what)
        return found[0]


@pytest.fixture
def listener(containers: Containers) -> str:
    """A container that listens on 8123; its id."""
    return containers.busybox("server", "httpd", "-f", "-p", "8123")


def is_listener(event: Document) -> bool:
    return event["local_port"] == 8123 and "remote_port" not in event


def test_console_reports_names(image: str, listener: str) -> None:
    with Stack("console", image) as stack:
        event = stack.wait_for(is_listener, "the listener on 8123")
        assert event["container"]["id"] == listener
        assert event["container"]["name"] == f"{PREFIX}-server"
        # Nothing that it may is missing: every rung is reached without one capability more.
        assert "rung=nat" in stack.logs("connbeat")


def test_http_reaches_the_collector(image: str, listener: str) -> None:
    assert listener
    port = str(free_port())
    ports = {"COLLECTOR_PORT": port, "CONNBEAT_URL": f"http://127.0.0.1:{port}/"}
    with Stack("http", image, **ports) as stack:
        line = f"{PREFIX}-server/busybox listens on 8123"
        wait_until(lambda: line in stack.logs("collector").splitlines(), 30, line)
        assert stack.events() == []


def test_the_sidecar_sees_its_container_and_nothing_else(image: str, listener: str) -> None:
    assert listener
    port = str(free_port())
    with Stack("sidecar", image, WEB_PORT=port) as stack:
        stack.wait_for(lambda event: event["local_port"] == 8080, "the listener")
        # A call that stays: the sidecar may not trace, so what is gone by the next poll has no
        # process that it can name.
        with socket.create_connection(("127.0.0.1", int(port))):
            event = stack.wait_for(
                lambda event: event.get("connection", {}).get("direction") == "inbound", "the call"
            )
        assert event["local_process"]["binary"] == "busybox"
        # Docker's own name server listens in every network that is not the default one.
        events = [e for e in stack.events() if e.get("listener", {}).get("ip") != "127.0.0.11"]
        assert {event["local_port"] for event in events} == {8080}


def declared_edges(stack: Stack) -> Edges:
    """Whom each service of the demo calls, by its command."""
    services = yaml.safe_load(stack.file.read_text())["services"]
    return {
        (caller, called)
        for caller, service in services.items()
        for called in service.get("command", [""])[1:]
    }


def told_edges(stack: Stack) -> Edges:
    """By the program that the stack's comments tell to call."""
    program = ROOT / "compose" / "demo" / "edges.py"
    result = subprocess.run(
        [sys.executable, program],
        input=stack.logs("connbeat"),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in result.stdout.splitlines()[1:]]
    return {(caller, called) for caller, called, *_ in lines}


def test_the_demo_tells_the_edges_it_declares(image: str, busybox_image: str) -> None:
    assert busybox_image
    with Stack("demo", image) as stack:
        declared = declared_edges(stack)
        assert len(declared) == 8
        wait_until(lambda: told_edges(stack) >= declared, 60, "every edge that is declared")
        assert told_edges(stack) == declared
        # Both ends of every connection between services name each other.
        ends = {
            (event["container"]["name"], event["remote_container"]["name"])
            for event in stack.events()
            if "container" in event and "remote_container" in event
        }
        assert {(there, here) for here, there in ends} == ends
        table = stack("exec", "-T", "connbeat", "connbeat", "show")
        assert "database" in table
