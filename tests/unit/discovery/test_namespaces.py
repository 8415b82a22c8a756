"""Which network namespaces exist, on a fake `/proc` (real: tests/system/test_capture.py)."""

import os
from pathlib import Path

import pytest

from connbeat.discovery.namespaces import NamespaceReader
from connbeat.errors import NotPermitted
from connbeat.linux.procfs import ProcFs
from connbeat.model.targets import Namespaces, Target
from tests.proc_tree import ProcTree


class GuardedProcFs(ProcFs):
    """Refuses to name the namespace of some processes, as the kernel does without ptrace."""

    def __init__(self, root: Path, *denied: int) -> None:
        super().__init__(root)
        self._denied = denied

    def netns(self, pid: int) -> int:
        if pid in self._denied:
            raise NotPermitted(f"/proc/{pid}/ns/net may not be read")
        return super().netns(pid)


@pytest.fixture
def tree(tmp_path: Path) -> ProcTree:
    processes = {1: "host", 2: "host", 900: "web", 30: "web", 812: "host", 1000: "pod"}
    return ProcTree(
        tmp_path, "".join(f"\n== {pid}/ns/net = {name}" for pid, name in processes.items())
    )


def read(procfs: ProcFs, *folders: Path) -> Namespaces:
    return NamespaceReader(procfs, folders).read()


def test_each_namespace_has_its_processes_in_order_and_the_hosts_comes_first(
    tree: ProcTree,
) -> None:
    seen = read(ProcFs(tree.root))
    host, web, pod = (tree.netns(name) for name in ("host", "web", "pod"))
    assert dict(seen.targets) == {
        host: Target(host, (1, 2, 812), "", is_host=True),
        web: Target(web, (30, 900), "", is_host=False),
        pod: Target(pod, (1000,), "", is_host=False),
    }
    assert next(iter(seen.targets)) == host
    assert seen.unreadable_pids == ()


def test_a_process_without_a_namespace_has_ended(tree: ProcTree) -> None:
    (tree.root / "4711").mkdir()
    seen = read(ProcFs(tree.root))
    assert all(4711 not in target.pids for target in seen.targets.values())
    assert seen.unreadable_pids == ()


def test_a_process_that_may_not_be_looked_into_is_told(tree: ProcTree) -> None:
    assert read(GuardedProcFs(tree.root, 30, 1000)).unreadable_pids == (30, 1000)


def test_it_stands_in_the_namespace_whose_table_it_shares(tree: ProcTree, tmp_path: Path) -> None:
    """The inode of `net/snmp` is told to everybody, and is another in each namespace."""
    for name in ("host", "web", "pod"):
        (tmp_path / f"snmp-{name}").touch()
    for pid, name in {1: "host", 900: "web", 30: "web", 1000: "pod"}.items():
        (tree.root / str(pid) / "net").mkdir()
        (tree.root / str(pid) / "net" / "snmp").symlink_to(tmp_path / f"snmp-{name}")
    seen = read(GuardedProcFs(tree.root, 30, 1000))
    assert seen.targets[tree.netns("web")].pids == (30, 900)
    alone = (tmp_path / "snmp-pod").stat().st_ino
    assert seen.targets[alone] == Target(alone, (1000,), "", is_host=False)


def test_where_the_first_process_is_closed_to_us_our_own_namespace_is_the_hosts(
    tree: ProcTree,
) -> None:
    tree.add(f"\n== {os.getpid()}/ns/net = pod")
    seen = read(GuardedProcFs(tree.root, 1))
    assert [netns for netns, target in seen.targets.items() if target.is_host] == [
        tree.netns("pod")
    ]
    assert next(iter(seen.targets)) == tree.netns("pod")


def test_a_folder_that_is_not_there_has_no_namespaces(tree: ProcTree, tmp_path: Path) -> None:
    assert read(ProcFs(tree.root), tmp_path / "nowhere") == read(ProcFs(tree.root))


def test_a_name_that_leads_nowhere_is_no_namespace(tree: ProcTree, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    (folder / "dangling").symlink_to("nowhere")
    assert read(ProcFs(tree.root), folder) == read(ProcFs(tree.root))
