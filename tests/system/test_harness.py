"""The pieces the other system tests rely on, each seen to work."""

import pytest

from tests.system.harness import PREFIX, Containers, Netns, call, wait_until


def test_a_namespace_has_a_loopback_and_its_own_sockets(netns: Netns) -> None:
    listener = netns.start("busybox", "nc", "-l", "-p", "7777")

    def table() -> list[str]:
        return call("ip", "netns", "exec", netns.name, "ss", "-Htnl").splitlines()

    wait_until(lambda: len(table()) == 1, 5, "the one listener of this namespace")
    assert ":7777 " in table()[0]
    listener.kill()
    listener.communicate()


@pytest.mark.docker
def test_a_container_runs_and_has_an_address(containers: Containers) -> None:
    container_id = containers.busybox("alone", "sleep", "60")
    assert len(container_id) == 64
    assert call("docker", "inspect", "--format", "{{.Name}}", container_id) == f"/{PREFIX}-alone"
    assert containers.address(container_id).count(".") == 3


@pytest.mark.docker
def test_what_was_started_is_gone_afterwards(busybox_image: str) -> None:
    assert busybox_image
    containers = Containers()
    containers.busybox("gone", "sleep", "60")
    containers.close()
    names = call("docker", "ps", "--all", "--format", "{{.Names}}").split()
    assert f"{PREFIX}-gone" not in names
