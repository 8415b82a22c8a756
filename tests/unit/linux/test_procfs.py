"""`/proc/<pid>`: hostile texts, and the readers against a fake tree."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import CaptureError, Malformed, NotPermitted, ProcessGone
from connbeat.linux.limits import STRINGS_BYTES
from connbeat.linux.procfs import (
    ProcFs,
    ProcStat,
    parse_capabilities,
    parse_stat,
    parse_strings,
    parse_thread_group,
    parse_uid,
)
from tests.proc_tree import ProcTree, read_tree
from tests.strategies import hostile

STAT = (
    b"812 (nginx) S 1 812 812 0 -1 4194368 412 0 0 0 1 0 0 0 20 0 1 0 4100 57024512 421 "
    b"18446744073709551615 1 1 0 0 0 0 0 1073745920 402745863 0 0 0 17 1 0 0 0 0 0 0 0 0 "
    b"140729000001024 140729000001100 140729000001100 140729000001184 0\n"
)
STATUS = b"Name:\tnginx\nTgid:\t812\nUid:\t0\t33\t34\t35\nGid:\t1\t2\t3\t4\nCapEff:\t00000400\n"


@pytest.fixture
def tree(tmp_path: Path) -> ProcTree:
    return read_tree(tmp_path, "machine")


@pytest.fixture
def procfs(tree: ProcTree) -> ProcFs:
    return ProcFs(tree.root)


# Texts


def test_a_stat_has_name_parent_start_and_arguments() -> None:
    """Fields 2, 4, 22 and 48 of proc_pid_stat(5)."""
    assert parse_stat(STAT) == ProcStat("nginx", 1, 4100, 140729000001024)


@pytest.mark.parametrize(
    "name", [b"", b")", b"(", b"a) S 9 (", b") Z 7 7 7 (x) ", b"tab\tnew\nline", b"((((", b"1 2 3"]
)
def test_a_name_may_hold_anything(name: bytes) -> None:
    stat = parse_stat(STAT.replace(b"nginx", name))
    assert stat == ProcStat(name.decode(), 1, 4100, 140729000001024)


@given(st.binary(max_size=15).filter(lambda name: b"\0" not in name))
def test_any_name_leaves_the_numbers_as_they_are(name: bytes) -> None:
    stat = parse_stat(STAT.replace(b"nginx", name))
    assert (stat.parent, stat.started_ticks) == (1, 4100)
    assert stat.comm == name.decode("utf-8", "replace")


def test_a_kernel_that_says_nothing_of_arguments_has_them_at_0() -> None:
    """Before Linux 3.5 the line ends earlier."""
    assert parse_stat(b" ".join(STAT.split()[:44])).arg_start == 0


@pytest.mark.parametrize("size", [0, 3, 5, 12, 14, 40, 55])
def test_a_cut_stat_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        parse_stat(STAT[:size])


@given(hostile(STAT))
def test_no_stat_raises_anything_but_malformed(text: bytes) -> None:
    try:
        parse_stat(text)
    except Malformed:
        return


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        (b"", ()),
        (b"\0", ()),
        (b"\0\0\0", ()),
        (b"sh\0", ("sh",)),
        (b"sh\0-c\0\0x\0", ("sh", "-c", "", "x")),
        (b"nginx: master\0\0\0\0", ("nginx: master",)),
        (b"no end", ("no end",)),
        (b"caf\xe9\0", ("caf\ufffd",)),
        (b"a b\0c\n", ("a b", "c\n")),
    ],
)
def test_strings_end_with_nul_and_are_text_whatever_they_hold(
    text: bytes, strings: tuple[str, ...]
) -> None:
    assert parse_strings(text) == strings


@given(st.binary(max_size=200))
def test_any_strings_can_be_sent_as_json(text: bytes) -> None:
    for string in parse_strings(text):
        string.encode("utf-8")


def test_the_effective_uid_counts() -> None:
    assert parse_uid(STATUS) == 33


@pytest.mark.parametrize(
    "status", [b"", b"\nUid:", b"\nUid:\t0\n", b"\nUid:\tx\ty\tz\n", b"Uid:\t0\t0\t0\t0\n"]
)
def test_a_status_without_uids_is_malformed(status: bytes) -> None:
    with pytest.raises(Malformed):
        parse_uid(status)


def test_a_process_that_calls_itself_a_uid_has_its_own() -> None:
    """The kernel escapes the line break in a name."""
    assert parse_uid(STATUS.replace(b"nginx", rb"\nUid:\t0\t0")) == 33


def test_a_thread_says_which_process_it_belongs_to() -> None:
    assert parse_thread_group(STATUS) == 812


@pytest.mark.parametrize("status", [b"", b"\nTgid:", b"\nTgid:\tx\n"])
def test_a_status_without_a_thread_group_is_malformed(status: bytes) -> None:
    with pytest.raises(Malformed):
        parse_thread_group(status)


def test_capabilities_are_a_mask() -> None:
    assert parse_capabilities(STATUS) == 0x400
    assert parse_capabilities(b"\nCapEff:\t000001ffffffffff\n") == (1 << 41) - 1


@given(hostile(STATUS))
def test_no_status_raises_anything_but_malformed(status: bytes) -> None:
    assert parse_capabilities(status) == parse_capabilities(status)
    try:
        parse_uid(status)
    except Malformed:
        return


# The tree


def test_pids_are_numbers_in_order(procfs: ProcFs) -> None:
    assert procfs.pids() == [1, 2, 812, 900, 950, 960]


def test_a_proc_that_is_not_there_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="nowhere"):
        ProcFs(tmp_path / "nowhere").pids()


def test_a_file_is_read_whole(procfs: ProcFs, tree: ProcTree) -> None:
    big = bytes(range(256)) * 1024
    (tree.root / "812" / "cgroup").write_bytes(big)
    assert procfs.read(812, "cgroup") == big
    assert procfs.stat(960).comm == "a) R (b c) \0\ufffd) 7"


def test_the_program_is_named_without_the_kernels_remark(procfs: ProcFs) -> None:
    assert procfs.executable(812) == "/usr/sbin/nginx"
    assert procfs.executable(1) == "/usr/lib/systemd/systemd"


def test_a_program_whose_name_is_no_utf8_can_be_sent_as_json(
    procfs: ProcFs, tree: ProcTree
) -> None:
    """Anybody can make such a file, run it and connect: it must not cost the poll its events."""
    (tree.root / "812" / "exe").unlink()
    (tree.root / "812" / "exe").symlink_to(os.fsdecode(b"/tmp/caf\xe9"))
    assert procfs.executable(812) == "/tmp/caf\ufffd"


def test_processes_of_one_namespace_have_one_number(procfs: ProcFs, tree: ProcTree) -> None:
    assert procfs.netns(1) == procfs.netns(812) == tree.netns("host")
    assert procfs.netns(900) == tree.netns("container")


def test_sockets_are_told_from_other_descriptors(procfs: ProcFs) -> None:
    assert sorted(procfs.socket_fds(812)) == [(6, 5001), (7, 5002)]


def test_a_socket_is_held_by_descriptor_and_inode(procfs: ProcFs, tree: ProcTree) -> None:
    assert procfs.holds_socket(812, 6, 5001)
    assert not procfs.holds_socket(812, 6, 5002)
    assert not procfs.holds_socket(812, 9, 5001)
    tree.end(812)
    assert not procfs.holds_socket(812, 6, 5001)


@pytest.mark.parametrize("name", ["cmdline", "environ"])
def test_what_a_process_may_make_as_long_as_it_likes_is_cut(
    procfs: ProcFs, tree: ProcTree, name: str
) -> None:
    (tree.root / "812" / name).write_bytes(b"x" * (3 * STRINGS_BYTES))
    assert procfs.read(812, name) == b"x" * STRINGS_BYTES


def test_the_number_of_descriptors_is_the_size_of_their_folder(
    procfs: ProcFs, tree: ProcTree
) -> None:
    assert procfs.fd_count(812) == (tree.root / "812" / "fd").stat().st_size


@pytest.mark.parametrize(
    ("link", "is_first"), [("pid:[4026531836]", True), ("pid:[4026532448]", False), ("", False)]
)
def test_the_machines_first_pid_namespace_has_a_number_of_its_own(
    procfs: ProcFs, tree: ProcTree, link: str, *, is_first: bool
) -> None:
    """PROC_PID_INIT_INO, include/linux/proc_ns.h."""
    if link:
        tree.add(f"== self/ns/pid -> {link}")
    assert procfs.has_host_pids() is is_first


@pytest.mark.parametrize("method", ["stat", "executable", "netns", "fd_count", "socket_fds"])
def test_a_process_that_ended_is_gone_for_every_reader(procfs: ProcFs, method: str) -> None:
    with pytest.raises(ProcessGone):
        getattr(procfs, method)(4711)


def test_a_zombie_has_no_namespace_any_more(procfs: ProcFs) -> None:
    with pytest.raises(ProcessGone):
        procfs.netns(950)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, NotPermitted),
        (errno.EPERM, NotPermitted),
        (errno.ESRCH, ProcessGone),
        (errno.EIO, CaptureError),
        (errno.EMFILE, CaptureError),
    ],
)
@pytest.mark.parametrize(
    ("call", "method"),
    [
        ("open", "stat"),
        ("readlink", "executable"),
        ("stat", "netns"),
        ("stat", "fd_count"),
        ("listdir", "socket_fds"),
        ("readlink", "socket_fds"),
    ],
)
def test_what_the_kernel_refuses_becomes_our_error(
    procfs: ProcFs,
    monkeypatch: pytest.MonkeyPatch,
    *,
    call: str,
    method: str,
    number: int,
    expected: type[CaptureError],
) -> None:
    """No file system refuses root, and a process cannot be made to end between two calls."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(CaptureError) as raised:
        getattr(procfs, method)(812)
    monkeypatch.undo()
    assert type(raised.value) is expected


def test_a_descriptor_closed_during_the_walk_is_passed_over(
    procfs: ProcFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: [*listed(path), "77"])
    assert sorted(procfs.socket_fds(812)) == [(6, 5001), (7, 5002)]
