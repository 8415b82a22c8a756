"""What the configuration says is shown, and nothing else is."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import (
    BUSYBOX,
    PREFIX,
    QUICK,
    Agent,
    Containers,
    Document,
    call,
    wait_until,
)
from tests.system.peers import BINARY, PROGRAM, Peer, Peers, Sock, linked

SECRETS = ("--password", "hunter2", "--api-key=abc123", "--user-name", "anna", "TOKEN=t0k3n")
ENVIRON = {"DB_PASSWORD": "s3cret", "COLOUR": "green", "URL": "amqp://me:pw@broker/"}


@pytest.fixture(scope="module")
def server(peers: Peers) -> Peer:
    return peers.inside(peers.netns("options"))


@pytest.fixture(scope="module")
def talker(peers: Peers, server: Peer) -> Peer:
    """A real process with secrets in its arguments and its environment."""
    words = [f"{name}={value}" for name, value in ENVIRON.items()]
    return peers.started("nsenter", f"--net=/proc/{server.pid}/ns/net", "env", *words)


class Talk:
    """A connection between a server and a process that has secrets; both ends stay."""

    def __init__(self, server: Peer, talker: Peer) -> None:
        self.server, self.talker = server, talker
        self.server_end, self.client_end = linked(server, talker)


@pytest.fixture(scope="module")
def talk(server: Peer, talker: Peer) -> Talk:
    return Talk(server, talker)


Look = Callable[..., Document]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """The first event of a socket, as an agent with these options tells it."""

    def first(sock: Sock, *options: str) -> Document:
        with Agent(tmp_path, *QUICK, *options) as agent:
            found = agent.wait_for(sock.is_in, f"{sock}")[0]
            assert agent.stop() == 0
        return found

    return first


def test_by_default_the_command_line_is_shown_and_the_environment_not(
    look: Look, talk: Talk
) -> None:
    event = look(talk.client_end)
    assert event["local_process"]["cmdline"] == f"{sys.executable} {PROGRAM}"
    assert event["local_process"]["environ"] == [""]
    assert event["local_process"]["executable"] == str(Path(sys.executable).resolve())
    assert event["local_process"]["binary"] == BINARY
    assert event["local_process"]["user"] == "root"
    assert "tags" not in event
    assert "fields" not in event


def test_without_process_info_only_the_inode_is_told(look: Look, talk: Talk) -> None:
    event = look(talk.client_end, "connbeat.expose_process_info=false")
    assert event["local_process"] == {
        "binary": f"Process with inode {talk.client_end.inode}",
        "cmdline": "",
        "environ": [""],
    }
    assert "remote_process" not in event


def test_without_the_command_line_it_is_empty(look: Look, talk: Talk) -> None:
    event = look(talk.client_end, "connbeat.expose_cmdline=false")
    assert event["local_process"]["cmdline"] == ""
    assert event["local_process"]["pid"] == talk.talker.pid


def test_the_environment_is_shown_on_request_with_secrets_masked(look: Look, talk: Talk) -> None:
    event = look(talk.client_end, "connbeat.expose_environ=true")
    environ = event["local_process"]["environ"]
    assert "COLOUR=green" in environ
    assert "DB_PASSWORD=xxxxx" in environ
    assert not any("s3cret" in one or ":pw@" in one for one in environ)


def test_nothing_is_masked_where_the_user_says_so(look: Look, talk: Talk) -> None:
    event = look(talk.client_end, "connbeat.expose_environ=true", "connbeat.redact=false")
    assert {f"{name}={value}" for name, value in ENVIRON.items()} <= set(
        event["local_process"]["environ"]
    )


@pytest.fixture
def teller(server: Peer) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with secrets in its arguments, and the port it listens on."""
    program = (
        "import socket,sys;one=socket.create_server(('127.0.0.1',0));"
        "print(one.getsockname()[1],flush=True);sys.stdin.read()"
    )
    inside = ("nsenter", f"--net=/proc/{server.pid}/ns/net")
    process = subprocess.Popen(
        [*inside, sys.executable, "-c", program, *SECRETS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process, int(process.stdout.readline())
    process.communicate("")


@pytest.mark.parametrize("is_redacted", [True, False])
def test_secrets_in_a_command_line_are_masked(
    tmp_path: Path, teller: tuple[subprocess.Popen[str], int], is_redacted: bool
) -> None:
    process, port = teller
    option = f"connbeat.redact={str(is_redacted).lower()}"
    with Agent(tmp_path, *QUICK, option) as agent:
        event = agent.wait_for(
            lambda it: it["local_process"].get("pid") == process.pid and it["local_port"] == port,
            "its listener",
        )[0]
        cmdline = event["local_process"]["cmdline"]
        if is_redacted:
            assert cmdline.endswith("--password xxxxx --api-key=xxxxx --user-name anna TOKEN=xxxxx")
            assert agent.stop() == 0
            written = (tmp_path / "events.ndjson").read_text() + agent.log()
            assert not any(secret in written for secret in ("hunter2", "abc123", "t0k3n"))
        else:
            assert cmdline.endswith(" ".join(SECRETS))


def test_names_tags_and_fields_of_the_user_are_in_every_event(look: Look, talk: Talk) -> None:
    event = look(talk.server_end, "name=edge-1", "tags=[a, b]", "fields.dc=ams")
    assert event["beat"]["name"] == "edge-1"
    assert event["beat"]["hostname"] == call("hostname")
    assert event["tags"] == ["a", "b"]
    assert event["fields"] == {"dc": "ams"}


@pytest.mark.docker
def test_without_local_connections_only_those_of_containers_are_reported(
    tmp_path: Path, peers: Peers, busybox_image: str, talk: Talk
) -> None:
    assert busybox_image
    web, host = peers.in_container("only"), peers.on_host()
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    server_end, client_end = linked(web, host, call("docker", "inspect", "-f", form, web.container))
    with Agent(tmp_path, *QUICK, "connbeat.enable_local_connections=false") as agent:
        event = agent.wait_for(server_end.is_in, "the container's end")[0]
        assert event["container"]["name"] == web.container
        assert event["remote_process"]["pid"] == host.pid
        late = web.listen()
        agent.wait_for(late.is_in, "a later event")
        assert not agent.found(client_end.is_in)
        assert not agent.found(talk.server_end.is_in)
        assert all("container" in it for it in agent.events())
        assert agent.events()[-1]["beat"]["local_ips"] == []


@pytest.mark.docker
def test_of_a_containers_environment_only_the_variables_named_are_shown(
    tmp_path: Path, containers: Containers
) -> None:
    options = (*("--env", "TIER=web"), *("--env", "API_TOKEN=abc"), *("--env", "OTHER=1"))
    labels = ("--label", "com.example.team=blue")
    container_id = containers.busybox(
        "environ", "httpd", "-f", "-p", "80", options=(*options, *labels)
    )
    option = "connbeat.docker_environment=[TIER, API_TOKEN, ABSENT]"
    with Agent(tmp_path, *QUICK, option, "connbeat.enable_docker=true") as agent:
        event = agent.wait_for(
            lambda it: it.get("container", {}).get("id") == container_id, "its listener"
        )[0]
    container = event["container"]
    assert sorted(container["env"]) == ["API_TOKEN=xxxxx", "TIER=web"]
    assert container["labels"] == {"com.example.team": "blue"}
    assert (container["name"], container["image"]) == (f"{PREFIX}-environ", BUSYBOX)


@pytest.mark.docker
def test_the_host_of_the_engine_is_what_the_environment_says(
    tmp_path: Path, containers: Containers
) -> None:
    container_id = containers.busybox("hosted", "httpd", "-f", "-p", "80")
    environ = {"DOCKERHOST_HOSTNAME": "far-away", "DOCKERHOST_IP": "192.0.2.9"}
    with Agent(tmp_path, *QUICK, "connbeat.enable_docker=true", environ=environ) as agent:
        event = agent.wait_for(
            lambda it: it.get("container", {}).get("id") == container_id, "its listener"
        )[0]
    assert event["container"]["docker_host"] == {"hostname": "far-away", "ips": ["192.0.2.9"]}


@pytest.mark.usefixtures("talk")
def test_a_dry_run_counts_events_and_sends_none(tmp_path: Path) -> None:
    words = [word for pair in QUICK for word in ("-E", pair)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "connbeat", "run", "-N", *words],
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            wait_for_text(tmp_path / "log", "Capture stands.")
        finally:
            process.terminate()
        assert process.communicate(timeout=15)[0] == b""
    text = (tmp_path / "log").read_text()
    assert int(text.partition(" reports=")[2].split()[0]) >= 2


def wait_for_text(path: Path, text: str) -> None:
    wait_until(lambda: text in path.read_text(), 15, text)


def test_the_file_output_has_the_same_events_as_the_console(tmp_path: Path, talk: Talk) -> None:
    folder = tmp_path / "out"
    options = (f"output.file.path={folder}", "output.console.enabled=true")
    with Agent(tmp_path, *QUICK, *options) as agent:
        agent.wait_for(talk.client_end.is_in, "an end")
        assert agent.stop() == 0
        written = [json.loads(line) for line in (folder / "connbeat").read_text().splitlines()]
        assert written == agent.events()
        assert (folder / "connbeat").stat().st_mode & 0o777 == 0o600


def test_pretty_output_is_the_same_documents_for_people(tmp_path: Path, talk: Talk) -> None:
    words = [word for pair in (*QUICK, "output.console.pretty=true") for word in ("-E", pair)]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "connbeat", "run", *words], stdout=out, stderr=subprocess.DEVNULL
        )
        try:
            wait_for_text(tmp_path / "out", f"-{talk.client_end.cookie:x}")
        finally:
            process.terminate()
            process.wait(15)
    documents = list(all_documents((tmp_path / "out").read_text()))
    assert any(talk.client_end.is_in(it) for it in documents)
    assert '\n  "type": "connbeat"' in (tmp_path / "out").read_text()


def all_documents(text: str) -> Iterator[Any]:
    decoder, position = json.JSONDecoder(), 0
    while position < len(text.rstrip()):
        document, position = decoder.raw_decode(text, position)
        yield document
        position += 1  # the line feed


def test_the_agents_own_connections_are_told_only_on_request(tmp_path: Path, peers: Peers) -> None:
    """It has some only where the engine is asked over TCP; here, one that never answers."""
    host = peers.on_host()
    silent = host.listen()
    environ = {"DOCKER_HOST": f"tcp://127.0.0.1:{silent.local_port}"}
    for is_told in (False, True):
        folder = tmp_path / str(is_told)
        folder.mkdir()
        option = f"connbeat.report_self={str(is_told).lower()}"
        with Agent(folder, *QUICK, option, "connbeat.enable_docker=true", environ=environ) as agent:
            agent.wait_ready()
            own = host.accept(silent)
            agent.wait_for(own.is_in, "the other end")
            canary = host.listen()
            agent.wait_for(canary.is_in, "a later event")
            pids = {it["local_process"].get("pid") for it in agent.events()}
            assert (agent.process.pid in pids) == is_told
