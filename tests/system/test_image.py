"""The image, and the three ways of running it that docs/operations.md tells of."""

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import PLANTED_SECRET, PREFIX, Containers, Document, call, wait_until

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]

#: As in docs/operations.md.
CAPABILITIES = ("SYS_PTRACE", "SYS_ADMIN", "DAC_READ_SEARCH", "NET_ADMIN", "NET_BROADCAST")
MOUNTS = (
    "/var/run/docker.sock:/var/run/docker.sock",
    "/sys/kernel/tracing:/sys/kernel/tracing",
    "/etc/passwd:/etc/passwd:ro",
)
RECOMMENDED = (
    "--pid=host",
    "--net=host",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    *(f"--cap-add={capability}" for capability in CAPABILITIES),
    *(f"--volume={mount}" for mount in MOUNTS),
)

#: Somebody else's process on a port of its own, so that nothing else can be meant.
SERVER_PORT = 8123
LISTEN = ("httpd", "-f", "-p", str(SERVER_PORT))


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


def test_it_is_small(image: str) -> None:
    """What lies over the base: librdkafka and cryptography are 27 MB of it."""
    history = call("docker", "history", "--human=false", "--format", "{{.Size}}", image).split()
    *ours, _ = map(int, history)
    assert sum(ours) < 85_000_000


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


#: Tries to make a file in every directory, as root; prints those where it could.
FIND_WRITABLE = """
import os
for folder, names, _ in os.walk("/"):
    names[:] = [name for name in names if os.path.join(folder, name) not in ("/proc", "/sys")]
    path = os.path.join(folder, "connbeat-test")
    try:
        open(path, "x").close()
    except OSError:
        continue
    os.unlink(path)
    print(folder)
"""


def test_with_a_read_only_root_it_can_write_to_its_queue_and_nowhere_else(
    image: str, containers: Containers, server: str
) -> None:
    agent = containers.run(*RECOMMENDED, image, "-E", "queue.disk.enabled=true")
    assert listener_seen(containers, agent)["container"]["id"] == server
    found = call("docker", "exec", agent, "python3", "-c", FIND_WRITABLE).splitlines()
    # Docker's own file systems in memory, which every container has, are no part of the image.
    docker_own = {"/dev", "/dev/shm", "/dev/mqueue"}
    assert {path for path in found if not path.startswith("/var/lib/connbeat")} <= docker_own
    assert "/var/lib/connbeat" in found
    assert "No space" not in containers.logs(agent)[1]
    assert "Read-only" not in containers.logs(agent)[1]


@pytest.mark.parametrize("user", ["0", "1000"], ids=["root", "another user"])
def test_it_says_that_it_is_healthy(image: str, containers: Containers, user: str) -> None:
    options = ("--read-only", "--health-interval=500ms", "--user", user)
    agent = containers.run(*options, "--pid=host", "--net=host", image)
    status = ("docker", "inspect", "--format", "{{.State.Health.Status}}", agent)
    wait_until(lambda: call(*status) == "healthy", 20, "healthy")


def test_an_agent_that_stands_still_is_not_healthy(image: str, containers: Containers) -> None:
    options = ("--read-only", "--health-interval=500ms", "--health-timeout=1s")
    agent = containers.run(*options, "--pid=host", "--net=host", image)
    status = ("docker", "inspect", "--format", "{{.State.Health.Status}}", agent)
    wait_until(lambda: call(*status) == "healthy", 20, "healthy")
    pid = call("docker", "inspect", "--format", "{{.State.Pid}}", agent)
    call("kill", "-STOP", pid)
    try:
        wait_until(lambda: call(*status) == "unhealthy", 30, "unhealthy")
    finally:
        call("kill", "-CONT", pid)


def test_its_labels_say_what_it_is(image: str) -> None:
    labels = json.loads(call("docker", "inspect", "--format", "{{json .Config.Labels}}", image))
    revision = call("git", "-C", str(ROOT), "rev-parse", "HEAD")
    assert labels["org.opencontainers.image.revision"] == revision
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert (
        labels["org.opencontainers.image.version"]
        == call("docker", "run", "--rm", image, "version").split()[1]
    )
    assert labels["org.opencontainers.image.base.name"] != ""


def test_it_lists_its_parts(image: str) -> None:
    text = call(
        "docker", "run", "--rm", "--entrypoint", "cat", image, "/opt/connbeat/sbom.cdx.json"
    )
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    parts = {item["purl"].partition("@")[0] for item in document["components"]}
    script = (
        "import sys; sys.path.insert(0, '/opt/connbeat'); from importlib.metadata import *; "
        "print('\\n'.join(d.name.lower().replace('_', '-') "
        "for d in distributions(path=['/opt/connbeat'])))"
    )
    names = call("docker", "run", "--rm", "--entrypoint", "python3", image, "-c", script).split()
    assert {f"pkg:pypi/{name}" for name in names} - {"pkg:pypi/connbeat"} <= parts
    assert "pkg:generic/python" in parts


def test_nothing_of_the_machine_that_built_it_is_in_a_layer(image: str, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    call("docker", "save", "--output", str(archive), image)
    # Not the root itself: it may be as short as /src, which stands in many a file.
    folders = {f"{ROOT}/{name}" for name in ("connbeat", "docker", "dist", "scripts", ".")}
    needles = {needle.encode() for needle in {*folders, PLANTED_SECRET, *_of_this_machine()}}
    found = [
        (name, needle)
        for name, content in _files(archive)
        for needle in needles
        if needle in content or needle.decode() in name
    ]
    assert found == []
    names = {Path(name).name for name, _ in _files(archive)}
    assert "sbom.cdx.json" in names, "the layers were not looked through"
    assert names & {"pip.conf", "direct_url.json", ".netrc"} == set()


def _of_this_machine() -> set[str]:
    """Hosts and passwords that pip and its environment know, and do not tell to others."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listed = subprocess.run(pip, capture_output=True, text=True, check=True).stdout
    told = "\n".join([listed, *os.environ.values()])
    urls = re.findall(r"https?://(?:([^/\s@'\"]+)@)?([^/\s:'\"]+)", told)
    return {part for url in urls for part in url if part and part not in ("pypi.org", "localhost")}


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of every layer, and what Docker says about them."""
    with tarfile.open(archive) as image:
        for member in image:
            content = image.extractfile(member)
            if content is None:
                continue
            if not member.name.endswith("layer.tar"):
                yield member.name, content.read()
                continue
            with tarfile.open(fileobj=content) as layer:
                for entry in layer:
                    data = layer.extractfile(entry) if entry.isfile() else None
                    yield entry.name, data.read() if data else b""
