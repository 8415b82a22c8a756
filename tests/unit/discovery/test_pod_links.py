import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.discovery.pod_links import PodLinks, container_of, pod_links
from connbeat.discovery.registry import GRACE_NS, ContainerRegistry
from connbeat.model.addresses import parse_ip
from connbeat.model.containers import Container, PortBinding
from tests.unit.discovery.fakes import FakeClock

A, B = "a" * 64, "b" * 64
UID = "2c48913c-b29f-11e7-9350-020968147796"
WEB = f"web-7f9c_shop_nginx-{A}.log"


class Node:
    """A node's directory of links, who looks into it, and its engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.engine = ContainerRegistry()
        self.links = PodLinks(self.engine, self.clock, folder)
        self._changes = 0

    def add(self, name: str, target: str = "") -> None:
        (self.folder / name).symlink_to(target or "/var/log/pods/x")
        self.changed()

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()
        self.changed()

    def changed(self) -> None:
        """The directory's time, whatever the file system's own clock can tell apart."""
        self._changes += 1
        os.utime(self.folder, ns=(self._changes, self._changes))
        self.links.look()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_link_names_pod_namespace_container_and_id() -> None:
    target = f"/var/log/pods/shop_web-7f9c_{UID}/nginx/0.log"
    assert container_of(WEB, target) == Container(
        A,
        name="nginx",
        labels={
            "io.kubernetes.pod.name": "web-7f9c",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.container.name": "nginx",
            "io.kubernetes.pod.uid": UID,
        },
    )


def test_a_name_with_dashes_and_dots_is_taken_apart_at_the_right_place() -> None:
    made = container_of(f"etcd-node.example.org_kube-system_etcd-main-{A}.log", "")
    assert made is not None
    assert made.name == "etcd-main"
    assert made.labels["io.kubernetes.pod.name"] == "etcd-node.example.org"
    assert "io.kubernetes.pod.uid" not in made.labels


@pytest.mark.parametrize(
    "name", ["", "x.log", f"{A}.log", f"web_nginx-{A}.log", f"a_b_c-{A[1:]}.log", f"a_b_c-{A}.txt"]
)
def test_another_file_is_no_container(name: str) -> None:
    assert container_of(name, "") is None


@given(st.text(), st.text())
def test_nothing_makes_it_raise(name: str, target: str) -> None:
    container_of(name, target)


def test_a_container_is_known_once_its_link_is_there(node: Node) -> None:
    assert node.links.by_id(A) is None
    node.add(WEB)
    found = node.links.by_id(A)
    assert found is not None
    assert found.name == "nginx"
    assert node.links.count == 1


def test_while_nothing_changes_nothing_is_listed(node: Node) -> None:
    node.add(WEB)
    (node.folder / f"new_shop_nginx-{B}.log").symlink_to("/x")
    os.utime(node.folder, ns=(1, 1))
    node.links.look()
    assert node.links.by_id(B) is None


def test_a_container_whose_link_went_is_known_for_a_while(node: Node) -> None:
    node.add(WEB)
    node.remove(WEB)
    assert node.links.by_id(A) is not None
    node.clock.monotonic += GRACE_NS - 1
    node.links.look()
    assert node.links.by_id(A) is not None
    node.clock.monotonic += 1
    node.links.look()
    assert node.links.by_id(A) is None


def test_one_that_stays_is_not_forgotten_when_another_goes(node: Node) -> None:
    node.add(WEB)
    node.add(f"db-0_shop_postgres-{B}.log")
    node.remove(f"db-0_shop_postgres-{B}.log")
    node.clock.monotonic += GRACE_NS
    node.links.look()
    assert (node.links.by_id(A) is None, node.links.by_id(B) is None) == (False, True)


def test_what_the_engine_says_wins(node: Node) -> None:
    node.add(WEB)
    node.engine.put(Container(A, name="k8s_nginx_web", image="nginx", runtime="docker"), 0)
    found = node.links.by_id(A)
    assert found is not None
    assert found.image == "nginx"
    assert node.links.running() == node.engine.running()


def test_published_ports_are_the_engines(node: Node) -> None:
    ports = {"80": (PortBinding("0.0.0.0", "8080"),)}
    node.engine.put(Container(A, local_ips=("172.17.0.2",), ports=ports), 0)
    ip = parse_ip("192.0.2.1")
    assert node.links.published(ip, 8080) is not None
    assert node.links.published(ip, 8080) == node.engine.published(ip, 8080)


def test_a_directory_that_went_leaves_what_was_known(node: Node) -> None:
    node.add(WEB)
    (node.folder / WEB).unlink()
    node.folder.rmdir()
    node.links.look()
    assert node.links.by_id(A) is not None


def test_without_a_kubelet_there_is_nobody_to_run(tmp_path: Path) -> None:
    assert pod_links(ContainerRegistry(), FakeClock(), tmp_path / "none") is None
    assert pod_links(ContainerRegistry(), FakeClock(), tmp_path) is not None


def test_it_looks_until_it_is_stopped(node: Node) -> None:
    node.add(WEB)
    node.links.stop()
    node.links.run()
