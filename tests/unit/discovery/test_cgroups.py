from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.discovery.cgroups import parse_cgroup
from connbeat.model.processes import ContainerRef

A = "0ca2e7481f6e230b1913ea8c08a2fb5481e5afc1101bbb4e52b1201ad7edb818"
B = "d5b2d1b1a8bd6ff0a7e9b3a1b1a4dd2d6d3d8a5c1c0f1e2d3c4b5a69788796a5"
POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podb9a1_11.slice"
USER = "/user.slice/user-1000.slice/user@1000.service/user.slice"

SHAPES = [
    # docker
    (f"0::/docker/{A}", "docker"),
    (f"0::/system.slice/docker-{A}.scope", "docker"),
    (f"0::/system.slice/docker-{A}.scope/init.scope", "docker"),
    (f"0::{USER}/docker-{A}.scope", "docker"),
    (f"0::/system.slice:docker:{A}", "docker"),
    (f"0::/../../docker/{A}", "docker"),
    (f"0::/../docker-{A}.scope", "docker"),
    (f"0::/docker/{A} (deleted)", "docker"),
    (f"4:memory:/system.slice/docker-{A}.scope (deleted)", "docker"),
    # containerd
    (f"0::{POD}/cri-containerd-{A}.scope", "containerd"),
    (f"0::/system.slice/containerd.service{POD}:cri-containerd:{A}", "containerd"),
    (f"0::/kubelet.slice/kubepods-besteffort-pod1.slice:cri-containerd:{A}", "containerd"),
    (f"0::/default/{A}", "containerd"),
    (f"0::/k8s.io/{A}", "containerd"),
    (f"0::/system.slice/nerdctl-{A}.scope", "containerd"),
    # cri-o
    (f"0::{POD}/crio-{A}.scope", "cri-o"),
    (f"11:cpu,cpuacct:/kubepods/burstable/podb9a1/crio-{A}", "cri-o"),
    # podman
    (f"0::/machine.slice/libpod-{A}.scope", "podman"),
    (f"0::/machine.slice/libpod-{A}.scope/container", "podman"),
    (f"0::/libpod_parent/libpod-{A}", "podman"),
    (f"0::{USER}/libpod-{A}.scope/container", "podman"),
    (f"0::/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", "podman"),
    (f"0::/system.slice/web.service/libpod-payload-{A}", "podman"),
    # the id is certain, the runtime is not
    (f"0::/kubepods/besteffort/podb9a1-11/{A}", ""),
    (f"0::/actions_job/{A}", ""),
    (f"0::/../{A}", ""),
    (f"0::/ecs/3c1f8a/{A}", ""),
    # an engine inside a container: the inner one
    (f"0::/docker/{B}/docker/{A}", "docker"),
    (f"0::/docker/{B}/kubelet{POD}/cri-containerd-{A}.scope", "containerd"),
]

NO_CONTAINER = [
    "",
    "\n",
    "0::/\n",
    "0::/init.scope\n",
    "0::/system.slice/ssh.service\n",
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice\n",
    "9:name=systemd:/\n8:pids:/\n4:memory:/process_api/a88e3be5381b0ca4df458c87ea37da16\n0::/\n",
    f"0::{POD}/crio-conmon-{A}.scope\n",
    f"0::/machine.slice/libpod-conmon-{A}.scope\n",
    f"0::/machine.slice/machine-libpod_pod_{A}.slice\n",
    f"0::/system.slice/var-lib-docker-overlay2-{A}-merged.mount\n",
    f"0::/docker/{A[:12]}\n" + "x" * 64,
    f"0::/docker/{A}0\n",
    f"0::/docker/{A.upper()}\n",
]


#: The container of every case in the file of runtimes.
RECORDED = "7f5ad1c5d0b9c2dd4b8e1c6a0b3a46a7fd7f1c9f3a5d8c0b2e4f60718293a4b5"
RUNTIMES = Path(__file__).parents[2] / "data" / "cgroup" / "runtimes.txt"


def recorded_cases() -> list[tuple[str, str, str]]:
    """Name, the runtime to be told ("?" unknown, "-" no container), the text of the file."""
    cases = []
    for section in RUNTIMES.read_text().split("\n== ")[1:]:
        title, _, text = section.partition("\n")
        name, _, runtime = title.partition(" | ")
        cases.append((name, runtime, text))
    return cases


@pytest.mark.parametrize(
    ("runtime", "text"),
    [pytest.param(runtime, text, id=name) for name, runtime, text in recorded_cases()],
)
def test_every_runtime_driver_and_version_of_cgroups_is_known(runtime: str, text: str) -> None:
    known = None if runtime == "-" else ContainerRef(RECORDED, runtime.replace("?", ""))
    assert parse_cgroup(text) == known


@pytest.mark.parametrize(("line", "runtime"), SHAPES)
def test_the_id_and_the_runtime_are_read_from_every_shape(line: str, runtime: str) -> None:
    assert parse_cgroup(f"{line}\n") == ContainerRef(A, runtime)
    assert parse_cgroup(line.encode()) == ContainerRef(A, runtime)


@pytest.mark.parametrize("text", NO_CONTAINER)
def test_a_process_of_the_host_is_in_no_container(text: str) -> None:
    assert parse_cgroup(text) is None


def test_one_controller_is_enough_on_a_host_with_both_versions() -> None:
    text = f"9:name=systemd:/\n4:memory:/docker/{A}\n1:cpu:/docker/{A}\n0::/\n"
    assert parse_cgroup(text) == ContainerRef(A, "docker")


@pytest.mark.parametrize("inner_first", [True, False])
def test_the_deepest_line_counts_wherever_it_stands(inner_first: bool) -> None:
    lines = [f"4:memory:/docker/{B}/docker/{A}", f"3:cpuset:/docker/{B}"]
    text = "\n".join(lines if inner_first else lines[::-1])
    assert parse_cgroup(text) == ContainerRef(A, "docker")


@given(st.text() | st.binary())
def test_nothing_makes_it_raise(text: str | bytes) -> None:
    parse_cgroup(text)


@given(
    st.lists(st.sampled_from(["/", ":", "\n", A, B, "docker", "crio-", ".scope", "..", "\ud800"]))
)
def test_pieces_of_paths_in_any_order_give_a_whole_id_or_nothing(pieces: list[str]) -> None:
    ref = parse_cgroup("".join(pieces))
    assert ref is None or ref.id in {A, B}
