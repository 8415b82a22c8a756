"""Rung 0: both tables of a namespace through any process that is left in it."""

import socket
from pathlib import Path

import pytest

from connbeat.capture.tables import read_table_files, read_tables
from connbeat.errors import CaptureError, NetnsGone
from connbeat.linux.procfs import ProcFs
from connbeat.model.sockets import SocketSource
from tests.proc_tree import ProcTree

TABLES = """
== {pid}/stat
{pid} (sh) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0 0
== {pid}/net/tcp
  sl  local_address rem_address
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 {inode} 1 0 0
   a row that is none
== {pid}/net/tcp6
   0: {zeros}:1F91 {zeros}:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1 0 0
"""


def tables(pid: int, inode: int = 42) -> str:
    return TABLES.format(pid=pid, inode=inode, zeros="0" * 32)


@pytest.fixture
def tree(tmp_path: Path) -> ProcTree:
    return ProcTree(tmp_path, tables(900) + tables(901, inode=43))


def test_both_tables_are_one_snapshot_and_bad_rows_are_counted(tree: ProcTree) -> None:
    snapshot = read_tables(ProcFs(tree.root), 7, [900, 901], 5)
    assert [(row.family, row.local_port, row.inode) for row in snapshot.sockets] == [
        (socket.AF_INET, 8080, 42),
        (socket.AF_INET6, 8081, 77),
    ]
    assert (snapshot.netns, snapshot.taken_ns, snapshot.malformed) == (7, 5, 1)
    assert snapshot.source is SocketSource.PROC_NET_TCP


def test_the_next_process_is_asked_when_the_first_has_ended(tree: ProcTree) -> None:
    tree.end(900)
    assert read_tables(ProcFs(tree.root), 7, [900, 901], 0).sockets[0].inode == 43


def test_a_namespace_without_a_process_left_is_gone(tree: ProcTree) -> None:
    tree.end(900)
    tree.end(901)
    with pytest.raises(NetnsGone):
        read_tables(ProcFs(tree.root), 7, [900, 901], 0)


def test_a_kernel_without_ipv6_has_one_table(tree: ProcTree) -> None:
    tree.remove("900/net/tcp6")
    snapshot = read_tables(ProcFs(tree.root), 7, [900], 0)
    assert [row.family for row in snapshot.sockets] == [socket.AF_INET]


def test_a_process_that_ends_between_its_tables_gives_no_half_of_a_snapshot(
    tree: ProcTree,
) -> None:
    class EndsAfterTcp(ProcFs):
        def read(self, pid: int, name: str) -> bytes:
            content = super().read(pid, name)
            if (pid, name) == (900, "net/tcp"):
                tree.end(900)
            return content

    snapshot = read_tables(EndsAfterTcp(tree.root), 7, [900, 901], 0)
    assert [row.inode for row in snapshot.sockets] == [43, 77]


def test_files_stand_in_for_the_tables(tree: ProcTree) -> None:
    tcp, tcp6 = tree.root / "900/net/tcp", tree.root / "900/net/tcp6"
    assert len(read_table_files(7, (tcp, tcp6), 0).sockets) == 2
    assert [row.family for row in read_table_files(7, (None, tcp6), 0).sockets] == [socket.AF_INET6]
    assert [row.inode for row in read_table_files(7, (tcp, None), 0).sockets] == [42]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no-such-file"):
        read_table_files(7, (tmp_path / "no-such-file", None), 0)
