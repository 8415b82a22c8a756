"""Fixtures of the system tests; what they hand out is in `harness`."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness import (
    AGENT_IMAGE,
    BUSYBOX,
    PLANTED_SECRET,
    POLLS,
    PREFIX,
    QUICK,
    Agent,
    Containers,
    Netns,
    call,
)
from tests.system.packages import Packages, build_packages
from tests.system.peers import Peers


@pytest.fixture
def netns() -> Iterator[Netns]:
    """A network namespace of the test's own."""
    namespace = Netns(f"{PREFIX}-0")
    yield namespace
    namespace.close()


@pytest.fixture(scope="module", params=[POLLS, QUICK], ids=["dump", "highest"])
def rung(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """A quick agent's options: as much as polls can know, and as much as the kernel tells."""
    options: tuple[str, ...] = request.param
    return options


@pytest.fixture(scope="module")
def peers() -> Iterator[Peers]:
    """Starts processes whose sockets a test commands, and their namespaces and containers."""
    with Peers() as started:
        yield started


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """deb, rpm, tar.gz and wheel, as `make package` builds them."""
    return Packages(build_packages(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="session")
def busybox_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of one static program, made here once: no registry is asked. It stays."""
    found = ["docker", "image", "inspect", BUSYBOX]
    if subprocess.run(found, capture_output=True, check=False).returncode == 0:
        return BUSYBOX
    program = shutil.which("busybox")
    assert program is not None
    folder = tmp_path_factory.mktemp("busybox") / "bin"
    folder.mkdir()
    shutil.copy(program, folder / "busybox")
    for applet in call(program, "--list").split():
        if applet != "busybox":
            (folder / applet).symlink_to("busybox")
    with subprocess.Popen(["tar", "-C", folder.parent, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            ["docker", "import", "-", BUSYBOX], stdin=tar.stdout, check=True, capture_output=True
        )
    return BUSYBOX


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    """The image, built by the script a user would call."""
    result = subprocess.run(
        ["scripts/image"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "IMAGE": AGENT_IMAGE, "PLANTED_SECRET": PLANTED_SECRET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    yield AGENT_IMAGE
    tags = call("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", AGENT_IMAGE).split()
    call("docker", "rmi", *tags)


@pytest.fixture
def containers(busybox_image: str) -> Iterator[Containers]:
    """Starts containers of the busybox image or others; removes them at the end."""
    assert busybox_image
    started = Containers()
    yield started
    started.close()


@pytest.fixture
def start_agent(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Starts the agent with `-E` options: `start_agent("connbeat.poll_interval=200ms")`."""
    agents: list[Agent] = []

    def start(*options: str, environ: dict[str, str] | None = None) -> Agent:
        folder = tmp_path / f"agent-{len(agents)}"
        folder.mkdir()
        agents.append(Agent(folder, *options, environ=environ))
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()
