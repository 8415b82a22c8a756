"""compose/http/collector.py: a line an event."""

import runpy
from pathlib import Path
from typing import Any

import pytest

told = runpy.run_path(str(Path(__file__).parents[3] / "compose" / "http" / "collector.py"))["told"]

CONNECTION: dict[str, Any] = {
    "local_ip": "172.18.0.2",
    "local_port": 41234,
    "remote_ip": "172.18.0.3",
    "remote_port": 5432,
    "local_process": {"binary": "nginx"},
    "container": {"name": "web"},
    "connection": {"event": "opened", "direction": "outbound"},
}


def test_who_called_stands_before_the_arrow() -> None:
    assert told(CONNECTION) == "web/nginx 172.18.0.2:41234 -> 172.18.0.3:5432 opened"


@pytest.mark.parametrize(("direction", "arrow"), [("inbound", "<-"), ("unknown", "->")])
def test_who_was_called_too(direction: str, arrow: str) -> None:
    event = CONNECTION | {"connection": {"event": "closed", "direction": direction}}
    assert told(event) == f"web/nginx 172.18.0.2:41234 {arrow} 172.18.0.3:5432 closed"


def test_a_process_of_the_host_has_no_container_before_it() -> None:
    event = {"local_port": 22, "local_process": {"binary": "sshd"}, "listener": {}}
    assert told(event) == "sshd listens on 22"
