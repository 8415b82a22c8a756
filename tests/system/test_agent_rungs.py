"""What is seen from each rung of the ladder, and what is said of what is not."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.system.event_rules import check_events
from tests.system.harness import QUICK, Agent, Document, call, wait_until
from tests.system.peers import BINARY, Peer, Peers, Sock, linked
from tests.system.unprivileged import NOBODY, as_nobody

COUNTERS = ("bytes_sent", "bytes_received", "retransmits", "rtt_ms")


@pytest.fixture(scope="module")
def server(peers: Peers) -> Peer:
    return peers.inside(peers.netns("rungs"))


@pytest.fixture(scope="module")
def client(peers: Peers, server: Peer) -> Peer:
    return peers.inside_of(server.pid)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """One that everybody may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def ends_of(event: Document) -> tuple[str, int, str, int]:
    """The addresses; a listener's with nothing at the other side."""
    if "listener" in event:
        return event["listener"]["ip"], event["local_port"], "", 0
    return event["local_ip"], event["local_port"], event["remote_ip"], event["remote_port"]


def addresses(sock: Sock) -> tuple[str, int, str, int]:
    return sock.local_ip, sock.local_port, sock.remote_ip, sock.remote_port


def is_in(netns: int) -> Any:
    """Whether an event is about a socket of this namespace."""
    return lambda it: (it.get("connection") or it["listener"])["netns"] == netns


def kinds(agent: Agent, sock: Sock, netns: int) -> list[str]:
    """As `peers.kinds_of`, by addresses: at rung 0 there are no cookies."""
    return [
        (it.get("connection") or it["listener"])["event"]
        for it in agent.found(is_in(netns))
        if ends_of(it) == addresses(sock)
    ]


def has_closed(agent: Agent, sock: Sock, netns: int) -> bool:
    return kinds(agent, sock, netns)[-1] == "closed"


@pytest.mark.parametrize("option", ["connbeat.capture=procfs", "connbeat.enable_tcp_diag=false"])
def test_procfs_alone_shows_the_same_sockets_without_counters(
    tmp_path: Path, peers: Peers, option: str
) -> None:
    server = peers.inside(peers.netns(f"procfs-{option[-5:]}"))
    client = peers.inside_of(server.pid)
    listeners = [server.listen("0.0.0.0"), server.listen("::", v6_only=0), server.listen("::1")]
    with Agent(tmp_path, *QUICK, option) as agent:
        agent.wait_ready()
        assert "rung=procfs" in agent.log()
        assert "rung=dump" not in agent.log()
        ends = [
            end
            for listener, ip in zip(listeners, ("127.0.0.1", "127.0.0.2", "::1"), strict=True)
            for end in connected(client, server, listener, ip)
        ]
        found = agent.wait_for(is_in(server.netns), "all of them", count=9)
        assert sorted(ends_of(it) for it in found) == sorted(map(addresses, (*listeners, *ends)))

        directions = {
            ends_of(it): (it["local_process"]["pid"], it["connection"]["direction"])
            for it in found
            if "connection" in it
        }
        for number, end in enumerate(ends):
            expected = (client.pid, "outbound") if number % 2 == 0 else (server.pid, "inbound")
            assert directions[addresses(end)] == expected
        for it in found:
            assert it["local_process"]["pid"] in (server.pid, client.pid)
            assert not set(COUNTERS) & it.get("connection", {}).keys()
            assert "backlog_max" not in it.get("listener", {})

        client.close_sock(*ends[::2])
        server.close_sock(*ends[1::2], *listeners)
        for sock in (*listeners, *ends):
            wait_until(partial(has_closed, agent, sock, server.netns), 10, f"{sock} closed")


def connected(client: Peer, server: Peer, listener: Sock, ip: str) -> tuple[Sock, Sock]:
    client_end = client.connect(ip, listener.local_port)
    return client_end, server.accept(listener)


def test_at_rung_0_time_wait_is_told_once_and_a_life_is_whole(
    tmp_path: Path, server: Peer, client: Peer
) -> None:
    with Agent(tmp_path, *QUICK, "connbeat.capture=procfs") as agent:
        agent.wait_ready()
        listener = server.listen()
        settle(agent, server)
        address = {"ip": "127.0.0.1", "port": listener.local_port}
        ends = client.connect_all(*[address] * 20)
        client.close_sock(*ends)
        server.close_sock(*server.accept_all(listener, 20))
        held = client.connect("127.0.0.1", listener.local_port)
        settle(agent, server)
        settle(agent, server)
        told = [kinds(agent, end, server.netns) for end in ends]
        assert [it.count("closed") for it in told] == [1] * 20
        assert all(it[-1:] == ["closed"] for it in told)
        assert kinds(agent, held, server.netns) == ["opened"]


def settle(agent: Agent, server: Peer) -> None:
    """Until the agent has looked at the namespace twice more."""
    canary = server.listen()
    wait_until(lambda: kinds(agent, canary, server.netns) == ["opened"], 10, "a canary")
    server.close_sock(canary)
    wait_until(lambda: kinds(agent, canary, server.netns)[-1] == "closed", 10, "a canary's end")


@pytest.mark.docker
def test_at_rung_0_containers_are_told_apart_and_named(
    tmp_path: Path, peers: Peers, busybox_image: str
) -> None:
    assert busybox_image
    web, caller = peers.in_container("procfs-web"), peers.in_container("procfs-caller")
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    ends = linked(web, caller, call("docker", "inspect", "-f", form, web.container_id))
    with Agent(tmp_path, *QUICK, "connbeat.capture=procfs") as agent:
        for end, own, other in zip(ends, (web, caller), (caller, web), strict=True):
            found = agent.wait_for(is_in(own.netns), "an end")
            (event,) = (it for it in found if ends_of(it) == addresses(end))
            assert event["container"]["name"] == own.container
            assert event["remote_container"]["name"] == other.container
            assert event["local_process"]["pid"] == own.pid
            assert event["remote_process"]["pid"] == other.pid


class Unprivileged:
    """A namespace with a process of root's and one of nobody's, seen by nobody's agent."""

    def __init__(self, peers: Peers) -> None:
        self.netns = peers.netns("nobody")
        self.roots = peers.inside(self.netns)
        self.own = peers.started("ip", "netns", "exec", self.netns.name, *as_nobody())
        self.before = ("ip", "netns", "exec", self.netns.name, *as_nobody())


@pytest.fixture(scope="module")
def unprivileged(peers: Peers) -> Unprivileged:
    return Unprivileged(peers)


def test_without_privileges_the_own_namespace_is_reported_and_what_is_missing_said(
    unprivileged: Unprivileged, public_folder: Path
) -> None:
    u = unprivileged
    secret, open_ = u.roots.listen(), u.own.listen()
    from_root = u.roots.connect("127.0.0.1", open_.local_port)
    to_own = u.own.accept(open_)
    with Agent(public_folder, *QUICK, before=u.before) as agent:
        agent.wait_ready()
        assert uid_of(agent.process.pid) == NOBODY
        for sock in (open_, to_own):
            event = agent.wait_for(sock.is_in, "one of its own user's")[0]
            assert event["local_process"]["pid"] == u.own.pid
            assert event["local_process"]["uid"] == NOBODY
        for sock in (secret, from_root):
            event = agent.wait_for(sock.is_in, "one of root's")[0]
            assert event["local_process"]["unknown_reason"] == "not_permitted"
            assert "pid" not in event["local_process"]
        # Counters of the own namespace are there for everybody.
        u.roots.send(from_root, 10)
        u.own.close_sock(to_own)
        u.roots.close_sock(from_root)
        last = agent.wait_for(
            lambda it: to_own.is_in(it) and it["connection"]["event"] == "closed", "its end"
        )[-1]
        assert "bytes_received" in last["connection"]
        lacking = [line for line in agent.log().splitlines() if "More could be seen." in line]
        assert len(lacking) == 1
        assert "CAP_SYS_PTRACE" in lacking[0]
        assert agent.stop() == 0


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def show(*before: str, folder: Path, options: tuple[str, ...] = ()) -> tuple[str, str]:
    """What `connbeat show` prints, and what it says beside it."""
    result = subprocess.run(
        [*before, sys.executable, "-m", "connbeat", "show", *options],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return result.stdout, result.stderr


def test_without_privileges_show_and_doctor_work_too(
    unprivileged: Unprivileged, public_folder: Path
) -> None:
    u = unprivileged
    listener = u.own.listen()
    table, said = show(*u.before, folder=public_folder)
    (line,) = (line for line in table.splitlines() if f":{listener.local_port}" in line)
    assert line.split()[:2] == [BINARY, str(u.own.pid)]
    assert "CAP_SYS_PTRACE" in said
    text, _ = show(*u.before, folder=public_folder, options=("--json",))
    events = [json.loads(line) for line in text.splitlines()]
    check_events(events)
    assert [it["local_process"]["pid"] for it in events if listener.is_in(it)] == [u.own.pid]
    found = doctor(*u.before, folder=public_folder)
    assert not any(found["capabilities"].values())
    assert found["unreadable_processes"] > 0
    assert found["namespaces"][str(u.netns.inode)].startswith("closes (")
    assert any("CAP_SYS_PTRACE" in text for text in found["missing"])


def test_a_namespace_that_may_not_be_entered_is_read_from_its_tables(
    peers: Peers, public_folder: Path, server: Peer
) -> None:
    """A process of the agent's own user in another namespace: rung 0 there, and said so."""
    other = peers.inside_of(server.pid)
    theirs = peers.started("nsenter", f"--net=/proc/{other.pid}/ns/net", *as_nobody())
    listener = theirs.listen()
    with Agent(public_folder, *QUICK, before=as_nobody()) as agent:
        found = agent.wait_for(
            lambda it: is_in(server.netns)(it) and it["local_port"] == listener.local_port,
            "its listener",
        )[0]
        assert found["local_process"]["pid"] == theirs.pid
        agent.wait_ready()
        assert "Capture stands. rung=procfs" in agent.log()
        lacking = next(line for line in agent.log().splitlines() if "More could be seen." in line)
        assert "CAP_SYS_ADMIN" in lacking
    found = doctor(*as_nobody(), folder=public_folder)
    assert found["namespaces"][str(server.netns)].startswith("procfs (")


def doctor(*before: str, folder: Path, options: tuple[str, ...] = ()) -> dict[str, Any]:
    command = [*before, sys.executable, "-m", "connbeat", "doctor", "--json"]
    for option in options:
        command += ["-E", option]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.docker
def test_doctor_tells_root_where_every_namespace_stands(tmp_path: Path, server: Peer) -> None:
    found = doctor(folder=tmp_path)
    assert all(found["capabilities"].values())
    assert found["namespaces"][str(server.netns)] == "nat"
    assert found["kernel"] == os.uname().release
    assert found["docker"].endswith("containers run")

    found = doctor(
        folder=tmp_path, options=("connbeat.capture=procfs", "connbeat.enable_docker=false")
    )
    assert set(found["namespaces"].values()) == {"procfs"}
    assert found["docker"].startswith("off")

    text = call(sys.executable, "-m", "connbeat", "doctor")
    assert f"{server.netns}  nat" in text


HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid inode\n"
TABLE = HEADER + (
    "   0: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0 0 111\n"
    "   1: 0201A8C0:9C40 0101A8C0:01BB 01 00000000:00000000 00:00000000 00000000     0 0 222\n"
)
TABLE6 = HEADER + (
    "   0: 00000000000000000000000001000000:2329 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 333\n"
)
HOSTILE = (
    "   2: 0100007F:2328\n"
    "   3: XXXXXXXX:ZZZZ 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 444\n"
    "\x00\x01\xff\n"
    "   4: 0100007F:FFFFF 00000000:0000 0A 0:0 00:0 0 0 0 -5\n"
    "   5: 0100007F:232A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 555"
)


def test_the_hosts_tables_can_come_from_files(tmp_path: Path, server: Peer) -> None:
    """PROC_NET_TCP and PROC_NET_TCP6, as the original's own tests have it."""
    files = {"PROC_NET_TCP": tmp_path / "tcp", "PROC_NET_TCP6": tmp_path / "tcp6"}
    files["PROC_NET_TCP"].write_text(TABLE)
    files["PROC_NET_TCP6"].write_text(TABLE6)
    host = Path("/proc/self/ns/net").stat().st_ino
    listener = server.listen()
    environ = {name: str(path) for name, path in files.items()}
    with Agent(tmp_path, *QUICK, environ=environ) as agent:
        found = agent.wait_for(is_in(host), "the files' sockets", count=3)
        assert sorted(ends_of(it) for it in found) == [
            ("127.0.0.1", 9000, "", 0),
            ("192.168.1.2", 40000, "192.168.1.1", 443),
            ("::1", 9001, "", 0),
        ]
        # Who can tell, where there are processes that even root may not look into?
        reasons = {it["local_process"]["unknown_reason"] for it in found}
        assert reasons in ({"not_found"}, {"not_permitted"})
        assert {it["local_process"]["binary"] for it in found} == {
            f"Unknown process with inode {inode}" for inode in (111, 222, 333)
        }
        agent.wait_for(listener.is_in, "another namespace's, from the kernel")


def test_hostile_rows_cost_themselves_alone(tmp_path: Path) -> None:
    path = tmp_path / "tcp"
    path.write_bytes(TABLE.encode() + HOSTILE.encode("latin-1"))
    host = Path("/proc/self/ns/net").stat().st_ino
    with Agent(tmp_path, *QUICK, environ={"PROC_NET_TCP": str(path)}) as agent:
        found = agent.wait_for(is_in(host), "what can be read", count=3)
        assert sorted(it["local_port"] for it in found) == [9000, 9002, 40000]
        assert agent.stop() == 0
        assert "rows_malformed" in agent.log()
