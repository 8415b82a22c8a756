"""The image, and the three ways of running it that docs/operations.md tells of."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness import PREFIX, Containers, Document, call, wait_until

ROOT = Path(__file__).parents[2]
IMAGE = f"{PREFIX}-agent"

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]

#: As in docs/operations.md; tracefs and the capabilities of later rungs change nothing yet.
CAPABILITIES = ("SYS_PTRACE", "SYS_ADMIN", "DAC_READ_SEARCH", "NET_ADMIN", "NET_BROADCAST")
MOUNTS = (
    "/var/run/docker.sock:/var/run/docker.sock",
    "/sys/kernel/tracing:/sys/kernel/tracing",
    "/etc/passwd:/etc/passwd:ro",
)
RECOMMENDED = (
    "--pid=host",
    "--net=host",
    *(f"--cap-add={capability}" for capability in CAPABILITIES),
    *(f"--volume={mount}" for mount in MOUNTS),
)

#: Somebody else's process on a port of its own, so that nothing else can be meant.
SERVER_PORT = 8123
LISTEN = ("httpd", "-f", "-p", str(SERVER_PORT))


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    """The image, built by the script a user would call."""
    result = subprocess.run(
        ["scripts/image"],
        cwd=ROOT,
        env={**os.environ, "IMAGE": IMAGE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    yield IMAGE
    tags = call("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", IMAGE).split()
    call("docker", "rmi", *tags)


@pytest.fixture
def server(containers: Containers) -> str:
    """A container of root's that listens; its id."""
    return containers.busybox("server", *LISTEN)


def listener_seen(containers: Containers, agent: str) -> Document:
    """The event of the server's listener, from the agent's standard output."""
    found: list[Document] = []

    def is_there() -> bool:
        out, err = containers.logs(agent)
        events = [json.loads(line) for line in out.splitlines()]
        found[:] = [
            event
            for event in events
            if event["local_port"] == SERVER_PORT and "remote_port" not in event
        ]
        assert "Traceback" not in err, err
        return bool(found)

    wait_until(is_there, 20, f"the listener on {SERVER_PORT}")
    return found[0]


def test_every_client_library_works_in_the_image(image: str) -> None:
    libraries = "confluent_kafka, docker, elasticsearch, prometheus_client, redis, rich"
    script = f"import sys; sys.path.insert(0, '/opt/connbeat'); import {libraries}"
    call("docker", "run", "--rm", "--entrypoint", "python3", image, "-c", script)


def test_no_compiler_and_no_pip_is_left_in_it(image: str) -> None:
    script = "import shutil; print([c for c in ('cc', 'gcc', 'pip', 'pip3') if shutil.which(c)])"
    found = call("docker", "run", "--rm", "--entrypoint", "python3", image, "-c", script)
    assert found == "[]"


def test_with_no_privilege_it_names_the_container_by_id_and_says_what_is_missing(
    image: str, containers: Containers, server: str
) -> None:
    agent = containers.run("--pid=host", "--net=host", image)
    event = listener_seen(containers, agent)
    assert event["container"]["id"] == server
    assert event["local_process"]["binary"] == "busybox"
    assert "SYS_ADMIN" in containers.logs(agent)[1]


def test_with_no_privilege_a_container_of_another_user_is_seen_if_not_its_process(
    image: str, containers: Containers
) -> None:
    """Its namespace may not be named (`/proc/<pid>/ns/net`), its tables may be read."""
    options = ("--user", "1000")
    server = containers.busybox("user", *LISTEN, options=options)
    agent = containers.run("--pid=host", "--net=host", image)
    event = listener_seen(containers, agent)
    assert event["local_process"]["unknown_reason"] == "not_permitted"
    assert event.get("container", {}).get("id", server) == server


def test_with_the_recommended_privileges_the_container_has_its_name(
    image: str, containers: Containers, server: str
) -> None:
    agent = containers.run(*RECOMMENDED, image)
    event = listener_seen(containers, agent)
    assert event["container"]["id"] == server
    assert event["container"]["name"] == f"{PREFIX}-server"
    assert event["local_process"]["binary"] == "busybox"


def test_with_the_recommended_privileges_other_users_processes_are_known(
    image: str, containers: Containers
) -> None:
    options = ("--user", "1000")
    containers.busybox("user", *LISTEN, options=options)
    agent = containers.run(*RECOMMENDED, image)
    event = listener_seen(containers, agent)
    assert (event["local_process"]["binary"], event["local_process"]["uid"]) == ("busybox", 1000)


def test_a_sidecar_sees_its_container(image: str, containers: Containers, server: str) -> None:
    agent = containers.run(f"--net=container:{server}", f"--pid=container:{server}", image)
    event = listener_seen(containers, agent)
    assert event["local_process"]["binary"] == "busybox"
    ports = {json.loads(line)["local_port"] for line in containers.logs(agent)[0].splitlines()}
    assert ports == {SERVER_PORT}


@pytest.mark.usefixtures("server")
def test_it_stops_in_order_when_docker_stops_it(image: str, containers: Containers) -> None:
    agent = containers.run("--pid=host", "--net=host", image)
    listener_seen(containers, agent)
    call("docker", "stop", "--time", "20", agent)
    assert call("docker", "inspect", "--format", "{{.State.ExitCode}}", agent) == "0"


@pytest.fixture
def compose() -> Callable[..., str]:
    def run(*arguments: str) -> str:
        result = subprocess.run(
            ["docker-compose", "-p", PREFIX, "-f", ROOT / "compose/console.yml", *arguments],
            env={**os.environ, "CONNBEAT_IMAGE": IMAGE},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_the_stack_reports(
    image: str, containers: Containers, server: str, compose: Callable[..., str]
) -> None:
    assert image
    compose("up", "--detach")
    try:
        event = listener_seen(containers, compose("ps", "-q").strip())
        assert event["container"]["name"] == f"{PREFIX}-server"
        assert event["container"]["id"] == server
    finally:
        compose("down", "--volumes", "--timeout", "15")
