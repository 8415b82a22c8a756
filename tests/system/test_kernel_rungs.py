"""The same load at each rung: what a rung cannot know it does not say, and the rest is as true."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.bursts import KernelAgent, Load, Truth, by_client_port, kind_of
from tests.system.harness import Document, Netns, call
from tests.system.peers import Peers

COUNT = 200
SWITCHED_OFF = "(switched off by `capture`)"


@pytest.fixture(scope="module")
def room(peers: Peers) -> Netns:
    return peers.netns("kernel-rungs")


@pytest.fixture(scope="module")
def agents(
    tmp_path_factory: pytest.TempPathFactory, room: Netns
) -> Iterator[dict[str, KernelAgent]]:
    assert room.inode
    with (
        KernelAgent(tmp_path_factory.mktemp("dump"), "connbeat.capture=dump") as dump,
        KernelAgent(tmp_path_factory.mktemp("closes"), "connbeat.capture=closes") as closes,
        KernelAgent(tmp_path_factory.mktemp("transitions"), "connbeat.capture=transitions") as top,
    ):
        agents = {"dump": dump, "closes": closes, "transitions": top}
        for agent in agents.values():
            agent.wait_ready()
        yield agents


@pytest.fixture(scope="module")
def burst(agents: dict[str, KernelAgent], room: Netns) -> Truth:
    """A burst of a server that every rung knows, seen by all of them at once."""
    with Load("burst", before=("ip", "netns", "exec", room.name), count=COUNT) as load:
        [server] = load.children()
        port = load.ready["port"]
        for agent in agents.values():
            agent.wait_for(lambda it: "listener" in it and it["local_port"] == port, "listener")
        truth = load.go()
        agents["closes"].await_about(port, 2 * COUNT, room.inode)
        agents["transitions"].await_about(port, 2 * COUNT, room.inode)
        agents["dump"].await_about(port, COUNT, room.inode)
    return {**truth, "client": load.pid, "server": server, "netns": room.inode}


def ends_of(agent: KernelAgent, burst: Truth) -> list[Document]:
    return [it for it in agent.about(burst["port"], burst["netns"]) if kind_of(it) == "closed"]


@pytest.mark.parametrize("rung", ["closes", "transitions"])
def test_closes_are_told_of_both_ends_of_every_connection_with_exact_bytes(
    agents: dict[str, KernelAgent], burst: Truth, rung: str
) -> None:
    sides = by_client_port(ends_of(agents[rung], burst), burst["port"])
    told = {one["port"]: one for one in burst["connections"]}
    assert sides["client"].keys() == sides["server"].keys() == told.keys()
    for port, one in told.items():
        client, server = sides["client"][port], sides["server"][port]
        about, other = client["connection"], server["connection"]
        # Whether the FIN is among what came, only the transitions tell for certain.
        fin = int(rung == "closes")
        for end, sent, received in (
            (about, one["sent"], one["received"]),
            (other, one["received"], one["sent"]),
        ):
            assert end["bytes_sent"] == sent
            assert received <= end["bytes_received"] <= received + fin
        assert (about["direction"], other["direction"]) == ("outbound", "inbound")
        assert server["local_process"]["pid"] == burst["server"]  # who listens, at the least


def test_without_transitions_nobody_invents_who_called_or_when(
    agents: dict[str, KernelAgent], burst: Truth
) -> None:
    ends = ends_of(agents["closes"], burst)
    short = [it for it in ends if "opened_at" not in it["connection"]]
    assert len(short) >= len(ends) - 10  # a poll may have come in between, and seen some open
    callers = [it for it in short if it["connection"]["direction"] == "outbound"]
    assert {it["local_process"]["binary"] for it in callers} == {"Unknown process with inode 0"}
    assert {it["local_process"]["unknown_reason"] for it in callers} == {"no_inode"}
    assert not [it for it in ends if it["connection"]["direction_source"] == "transition"]


def test_without_closes_every_connection_is_told_of_the_end_that_closed_first(
    agents: dict[str, KernelAgent], burst: Truth
) -> None:
    """The kernel keeps that one, in TIME_WAIT, without counters."""
    sides = by_client_port(ends_of(agents["dump"], burst), burst["port"])
    told = [one["port"] for one in burst["connections"]]
    assert set(told[0::2]) <= sides["client"].keys()
    assert set(told[1::2]) <= sides["server"].keys()
    extra = len(sides["client"]) + len(sides["server"]) - COUNT
    assert 0 <= extra <= 10  # the other end of what a poll saw open


@pytest.mark.parametrize("rung", ["dump", "closes"])
def test_doctor_tells_the_rung_and_what_switched_the_next_one_off(rung: str) -> None:
    diagnosis = doctor(f"connbeat.capture={rung}")
    assert set(diagnosis["namespaces"].values()) == {f"{rung} {SWITCHED_OFF}"}


def test_doctor_tells_that_every_rung_is_reached() -> None:
    own = str(Path("/proc/self/ns/net").stat().st_ino)
    assert doctor()["namespaces"][own].split()[0] in ("transitions", "nat")


def doctor(*options: str) -> Truth:
    words = [word for option in options for word in ("-E", option)]
    found: Truth = json.loads(call(sys.executable, "-m", "connbeat", "doctor", "--json", *words))
    return found
