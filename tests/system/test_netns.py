"""Going into another namespace and coming back, and what keeps a namespace alive."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from connbeat.capture.dump import open_diag
from connbeat.errors import CaptureError, NetnsGone, NotPermitted
from connbeat.linux import netns as linux_netns
from connbeat.linux.diag_socket import DiagSocket
from connbeat.linux.netns import entered, own_netns
from connbeat.linux.procfs import ProcFs
from connbeat.linux.rtnetlink import read_addresses, read_nsid
from connbeat.model.targets import Target
from tests.system.harness import PREFIX, Netns, call, wait_until

PROC = ProcFs().root


@pytest.fixture(params=["os.setns", "ctypes"])
def setns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in: Python 3.11 has no `os.setns`."""
    if request.param == "ctypes":
        monkeypatch.setattr(linux_netns, "_setns", linux_netns._libc_setns)
    elif hasattr(os, "setns"):
        assert linux_netns._setns is os.setns


def in_thread(run: Callable[[], None]) -> None:
    """In a thread of its own, whose failure is the test's."""
    failures: list[BaseException] = []

    def body() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  raised again in the test's thread
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def door(netns: Netns) -> Path:
    return Path("/run/netns", netns.name)


def descriptors() -> dict[str, str]:
    """This process' own; the one that lists them is closed again and left out."""
    folder = Path("/proc/self/fd")
    return {entry.name: str(entry.readlink()) for entry in folder.iterdir() if entry.exists()}


# In and out


@pytest.mark.usefixtures("setns")
def test_a_thread_goes_in_and_comes_back_and_no_other_thread_goes_along(netns: Netns) -> None:
    home = own_netns()
    before = descriptors()
    is_inside, may_leave = threading.Event(), threading.Event()
    where: list[int] = []

    def visit() -> None:
        with entered(door(netns), netns.inode):
            where.append(own_netns())
            is_inside.set()
            may_leave.wait(10)
        where.append(own_netns())

    thread = threading.Thread(target=visit)
    thread.start()
    assert is_inside.wait(10)
    assert own_netns() == home
    may_leave.set()
    thread.join()
    assert where == [netns.inode, home]
    assert netns.inode != home
    assert descriptors() == before


@pytest.mark.usefixtures("setns")
def test_an_error_inside_brings_the_thread_back_all_the_same(netns: Netns) -> None:
    def visit() -> None:
        home = own_netns()
        with pytest.raises(ZeroDivisionError), entered(door(netns), netns.inode):
            raise ZeroDivisionError
        assert own_netns() == home

    in_thread(visit)


@pytest.mark.usefixtures("setns")
def test_a_process_is_a_door_as_well(netns: Netns) -> None:
    process = netns.start("sleep", "60")
    wait_until(lambda: ProcFs().netns(process.pid) == netns.inode, 5, "the process inside")

    def visit() -> None:
        with entered(PROC / str(process.pid) / "ns/net", netns.inode):
            assert own_netns() == netns.inode

    in_thread(visit)
    process.kill()
    process.communicate()


def test_what_we_see_inside_is_what_nsenter_sees(netns: Netns) -> None:
    """util-linux's nsenter is the independent witness."""
    call("ip", "-n", netns.name, "address", "add", "192.0.2.77/32", "dev", "lo")
    witness = call("nsenter", f"--net={door(netns)}", "ip", "-4", "-brief", "address", "show")
    assert "192.0.2.77/32" in witness
    found: set[bytes] = set()

    def visit() -> None:
        with entered(door(netns), netns.inode):
            found.update(read_addresses())

    in_thread(visit)
    assert found == {bytes([192, 0, 2, 77]), bytes([127, 0, 0, 1]), bytes(15) + b"\x01"}


# Doors that lead nowhere


def test_a_door_that_leads_elsewhere_by_now_is_not_taken(netns: Netns) -> None:
    """As when a pid was reused: the path is there, the namespace another."""
    home, before = own_netns(), descriptors()
    with pytest.raises(NetnsGone, match="another namespace"), entered(door(netns), 4711):
        pytest.fail("inside")
    assert own_netns() == home
    assert descriptors() == before


@pytest.mark.parametrize("path", ["/proc/4194305/ns/net", "/run/netns/no-such-name"])
def test_a_door_that_is_not_there_is_a_namespace_that_is_gone(path: str) -> None:
    before = descriptors()
    with pytest.raises(NetnsGone), entered(Path(path), 1):
        pytest.fail("inside")
    assert descriptors() == before


def test_a_file_that_is_no_namespace_cannot_be_entered(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(CaptureError, match="setns failed"), entered(plain, plain.stat().st_ino):
        pytest.fail("inside")


def test_without_the_capability_we_say_which_one_is_missing(netns: Netns) -> None:
    program = f"""
from pathlib import Path
from connbeat.errors import NotPermitted
from connbeat.linux.netns import entered
try:
    with entered(Path({str(door(netns))!r}), {netns.inode}):
        print("inside")
except NotPermitted as error:
    print(error)
"""
    drop = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    assert "CAP_SYS_ADMIN" in call(*drop, sys.executable, "-c", program)


def test_a_way_back_that_is_barred_ends_the_thread(
    netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it read next would be another namespace's."""
    way_in = linux_netns._setns

    def visit() -> None:
        with (
            pytest.raises(linux_netns.NetnsLost, match="no way back"),
            entered(door(netns), netns.inode),
        ):
            monkeypatch.setattr(linux_netns, "_setns", barred)
        monkeypatch.setattr(linux_netns, "_setns", way_in)

    def barred(fd: int, _: int) -> None:
        raise PermissionError(1, f"descriptor {fd} leads nowhere")

    in_thread(visit)


# Sockets made inside


def diag_of(netns: Netns) -> DiagSocket:
    """A sock_diag socket made inside, by a thread that came back and is gone."""
    made: list[DiagSocket] = []

    def make() -> None:
        made.append(open_diag(Target(netns.inode, (), str(door(netns)), is_host=False), PROC))

    in_thread(make)
    return made[0]


def test_a_socket_made_inside_stays_there(netns: Netns) -> None:
    diag = diag_of(netns)
    listener = netns.start("busybox", "nc", "-l", "-p", "7777")

    def ports() -> list[int]:
        return [row.local_port for row in diag.dump()[0]]

    with socket.create_server(("127.0.0.1", 0)) as ours:
        wait_until(lambda: ports() == [7777], 5, "the one listener of the namespace")
        assert ours.getsockname()[1] not in ports()
    listener.kill()
    listener.communicate()
    diag.close()


def test_one_socket_can_be_asked_for_by_its_addresses(netns: Netns) -> None:
    diag = diag_of(netns)
    process = netns.start("busybox", "nc", "-l", "-p", "7777")
    wait_until(lambda: bool(diag.dump()[0]), 5, "the listener")
    (listener,) = diag.dump()[0]
    assert diag.get(listener) == listener
    process.kill()
    process.communicate()
    assert diag.get(listener) is None
    diag.close()


def test_a_namespace_has_an_id_once_something_links_it_to_ours() -> None:
    """As Docker's bridge containers do: a veth with its other end here."""
    netns = Netns(f"{PREFIX}-nsid")
    process = netns.start("sleep", "60")
    wait_until(lambda: ProcFs().netns(process.pid) == netns.inode, 5, "the process inside")
    assert read_nsid(process.pid) is None
    assert read_nsid(4194305) is None
    call(
        "ip", "link", "add", "cbt-nsid0", "type", "veth", "peer", "name", "in", "netns", netns.name
    )
    call("ip", "link", "show", "cbt-nsid0")  # asking for the link gives the id
    assert read_nsid(process.pid) is not None
    process.kill()
    process.communicate()
    netns.close()


def test_the_own_namespace_needs_no_door() -> None:
    diag = open_diag(Target(own_netns(), (), "", is_host=True), PROC)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        assert ours.getsockname()[1] in [row.local_port for row in diag.dump()[0]]
    diag.close()


def test_a_namespace_lives_as_long_as_its_last_socket_and_no_longer() -> None:
    """Its veth tells: the peer in our hands disappears only with the namespace."""
    name, ours = f"{PREFIX}-pin", "cbt-pin0"
    before = descriptors()
    netns = Netns(name)
    call("ip", "link", "add", ours, "type", "veth", "peer", "name", "inside", "netns", name)
    diag = diag_of(netns)
    netns.close()
    assert not door(netns).exists()

    def has_link() -> bool:
        return Path("/sys/class/net", ours).exists()

    assert has_link(), "the socket keeps the namespace"
    diag.close()
    wait_until(lambda: not has_link(), 10, "the end of the namespace")
    assert descriptors() == before


# Which door


def test_any_process_that_is_left_is_a_way_in(netns: Netns) -> None:
    """However many have ended since the namespace was found."""
    process = netns.start("sleep", "60")
    wait_until(lambda: ProcFs().netns(process.pid) == netns.inode, 5, "the process inside")
    ended = tuple(range(4194305, 4194315))
    open_diag(Target(netns.inode, (*ended, process.pid), "", is_host=False), PROC).close()
    process.kill()
    process.communicate()
    with pytest.raises(NetnsGone):
        open_diag(Target(netns.inode, ended, "", is_host=False), PROC)


def test_a_door_that_is_barred_does_not_bar_the_next(
    netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with more capabilities than ours may not be looked into; the bind mount may."""
    opened = linux_netns._open

    def guard(path: Path) -> int:
        if path.parts[-1] == "net" and "1" in path.parts:
            raise NotPermitted("needs CAP_SYS_PTRACE")
        return opened(path)

    monkeypatch.setattr(linux_netns, "_open", guard)
    open_diag(Target(netns.inode, (1,), str(door(netns)), is_host=False), PROC).close()
    with pytest.raises(NotPermitted):
        open_diag(Target(netns.inode, (1,), "", is_host=False), PROC)
