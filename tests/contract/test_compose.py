"""Every stack of compose/ is one that docker-compose takes, and has what its comments say."""

import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STACKS = sorted((ROOT / "compose").glob("*.yml"))
#: What a user has to set: without them a stack has to say so.
REQUIRED = {"elasticsearch": {"ELASTIC_PASSWORD": "secret1", "KIBANA_PASSWORD": "secret2"}}
#: In the words of the comments: one may choose another.
_PINNED = re.compile(r"\$\{[A-Z]+_IMAGE:-[\w./-]+:[\d.]+\}")

by_name = pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def _needs_compose() -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("needs docker-compose: see scripts/test-setup")


def config(stack: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker-compose", "-f", stack, "config"],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@functools.cache
def services(stack: Path) -> dict[str, Any]:
    result = config(stack, REQUIRED.get(stack.stem, {}))
    assert (result.returncode, result.stderr) == (0, "")
    found = yaml.safe_load(result.stdout)["services"]
    assert isinstance(found, dict)
    return found


def test_the_stacks_are_those_that_the_documents_tell_of() -> None:
    names = ["console", "demo", "elasticsearch", "http", "kafka", "sidecar"]
    assert [stack.stem for stack in STACKS] == names
    page = (ROOT / "docs" / "containers.md").read_text()
    assert [name for name in names if f"compose/{name}.yml" not in page] == []


@by_name
def test_compose_takes_it(stack: Path) -> None:
    assert "connbeat" in services(stack)


@by_name
def test_a_password_that_is_not_set_is_asked_for(stack: Path) -> None:
    result = config(stack, {})
    for name in REQUIRED.get(stack.stem, ()):
        assert result.returncode != 0
        assert re.search(f"{'|'.join(REQUIRED[stack.stem])}.*a password", result.stderr), name


@by_name
def test_every_image_is_pinned_and_may_be_another(stack: Path) -> None:
    text = yaml.safe_load(stack.read_text())
    images = [service["image"] for service in text["services"].values() if "image" in service]
    for image in images:
        assert image == "${CONNBEAT_IMAGE:-connbeat:latest}" or _PINNED.fullmatch(image), image


@by_name
def test_the_agent_can_write_to_its_queue_only_and_has_no_more_than_it_uses(stack: Path) -> None:
    agent = services(stack)["connbeat"]
    assert agent["read_only"] is True
    assert agent["cap_drop"] == ["ALL"]
    assert agent["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in agent
    spools = [volume for volume in agent["volumes"] if volume.startswith("spool:")]
    assert spools == ["spool:/var/lib/connbeat:rw"]


@by_name
def test_nothing_is_published_beyond_this_machine(stack: Path) -> None:
    for service in services(stack).values():
        for port in service.get("ports", ()):
            assert str(port).startswith("127.0.0.1:"), json.dumps(port)


@by_name
def test_every_mounted_file_is_there(stack: Path) -> None:
    text = yaml.safe_load(stack.read_text())
    for service in text["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (stack.parent / source).exists(), volume


@by_name
def test_only_the_agent_is_asked_for_the_health_of_an_agent(stack: Path) -> None:
    for name, service in services(stack).items():
        if service["image"] == "connbeat:latest" and name != "connbeat":
            # Compose 1 tells the same in its own words.
            assert service["healthcheck"] in ({"disable": True}, {"test": ["NONE"]})
