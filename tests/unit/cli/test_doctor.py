"""What `doctor` prints of a diagnosis; that it finds the right one the system tests show."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from connbeat.agent.build import Observation
from connbeat.cli.doctor import Diagnosis, engine_line, pods_line, render
from connbeat.discovery.pod_links import PodLinks

WELL = Diagnosis(
    kernel="6.18.1",
    python="3.11.7",
    docker="2 containers run",
    processes=90,
    unreadable_processes=0,
    capabilities={"CAP_SYS_ADMIN": True},
    namespaces={"4026531840": "dump"},
    missing=[],
)
POOR = Diagnosis(
    kernel="6.18.1",
    python="3.11.7",
    docker="off (enable_docker: false)",
    processes=12,
    unreadable_processes=80,
    capabilities={"CAP_SYS_ADMIN": False, "CAP_SYS_PTRACE": False},
    namespaces={"4026531840": "dump", "4026532178": "procfs (setns needs CAP_SYS_ADMIN)"},
    missing=["counters in 1 other namespaces: CAP_SYS_ADMIN"],
)


def test_where_nothing_is_missing_it_says_so() -> None:
    lines = render(WELL).splitlines()
    assert lines[-1] == "nothing is missing"
    assert "  4026531840  dump" in lines


def test_every_namespace_has_its_rung_and_every_lack_its_remedy() -> None:
    lines = render(POOR).splitlines()
    assert "capabilities  CAP_SYS_ADMIN no, CAP_SYS_PTRACE no" in lines
    assert "processes     12 seen, 80 unreadable" in lines
    assert "  4026532178  procfs (setns needs CAP_SYS_ADMIN)" in lines
    assert lines[-2:] == [
        "not seen, and what to give:",
        "  counters in 1 other namespaces: CAP_SYS_ADMIN",
    ]


def test_it_tells_of_a_kubelet_s_containers_where_there_is_a_kubelet() -> None:
    assert pods_line(None) == ""
    known = pods_line(cast(PodLinks, SimpleNamespace(count=12)))
    assert known == "the pods of 12 containers are known"
    node = msgspec.structs.replace(POOR, kubernetes=known)
    assert f"kubernetes    {known}" in render(node).splitlines()
    assert "kubernetes" not in render(POOR)


@pytest.mark.parametrize(
    ("watcher", "line"),
    [
        (None, "off (enable_docker: false)"),
        (SimpleNamespace(is_connected=True), "2 containers run"),
        (
            SimpleNamespace(is_connected=False, address="/run/docker.sock"),
            "no engine answers at /run/docker.sock; containers are known by their id alone",
        ),
    ],
)
def test_it_tells_whether_the_engine_answers_and_where_it_was_looked_for(
    watcher: object, line: str
) -> None:
    place = SimpleNamespace(watcher=watcher, registry=SimpleNamespace(running=lambda: "ab"))
    assert engine_line(cast(Observation, cast(Any, place))) == line
