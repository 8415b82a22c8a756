"""The real agent with `schema: ecs`: every kind of event is valid, and says what happened."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.system.harness import QUICK, Agent, Document
from tests.system.peers import BINARY, Peer, Peers, Sock

IP = "127.0.0.1"


class Told(NamedTuple):
    """Two processes that talked, and what the agent told of it."""

    server: Peer
    client: Peer
    called: Sock
    listening: Document
    calling: list[Document]
    answering: list[Document]
    failed: Document


def of(sock: Sock, type_: str) -> Callable[[Document], bool]:
    """Whether an event of this type is about this socket: its cookie is in the id."""

    def is_so(event: Document) -> bool:
        own = event["connbeat"]
        about = own.get("connection") or own["listener"]
        return str(about["id"]).endswith(f"-{sock.cookie:x}") and type_ in event["event"]["type"]

    return is_so


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, peers: Peers) -> Told:
    server = peers.inside(peers.netns("ecs"))
    client = peers.inside_of(server.pid)
    options = (*QUICK, "schema=ecs", "connbeat.aggregation=1s")
    with Agent(tmp_path_factory.mktemp("agent"), *options) as agent:
        agent.wait_ready()
        listener = server.listen(IP)
        called = client.connect(IP, listener.local_port)
        accepted = server.accept(listener)
        client.send(called, 1000)
        for sock in (called, accepted, listener):
            agent.wait_for(of(sock, "start"), f"the start of {sock}")
        agent.wait_for(of(called, "info"), "that it goes on")
        server.close_sock(listener, accepted)
        client.close_sock(called)
        for sock in (called, accepted, listener):
            agent.wait_for(of(sock, "end"), f"the end of {sock}")
        with pytest.raises(AssertionError, match="refused"):
            client.connect(IP, listener.local_port)
        failed = agent.wait_for(
            lambda it: (
                it["event"].get("outcome") == "failure"
                and it["destination"]["port"] == listener.local_port
            ),
            "the failure",
        )
        assert agent.stop() == 0  # which holds every event against the schema

        def steps(sock: Sock) -> list[Document]:
            return [*agent.found(of(sock, "start")), *agent.found(of(sock, "end"))]

        return Told(
            server,
            client,
            called,
            steps(listener)[0],
            steps(called),
            steps(accepted),
            failed[0],
        )


def test_a_connection_is_told_at_both_ends_alike(told: Told) -> None:
    for events in (told.calling, told.answering):
        assert [it["event"]["type"][1:] for it in events] == [["start"], ["end"]]
    calling, answering = told.calling[1], told.answering[1]
    assert calling["source"] == {
        "address": IP,
        "ip": IP,
        "port": told.called.local_port,
        "bytes": 1000,
    }
    assert calling["client"] == answering["client"] == answering["source"] == calling["source"]
    assert calling["network"]["community_id"] == answering["network"]["community_id"]
    assert [it["network"]["direction"] for it in (calling, answering)] == ["egress", "ingress"]
    assert [it["event"]["action"] for it in told.calling] == [
        "connection_attempted",
        "disconnect_received",
    ]


def test_the_processes_are_named(told: Told) -> None:
    calling, answering = told.calling[1]["process"], told.answering[1]["process"]
    assert (calling["pid"], calling["name"]) == (told.client.pid, BINARY)
    assert answering["pid"] == told.server.pid
    assert calling["entity_id"] != answering["entity_id"]
    assert told.listening["process"]["entity_id"] == answering["entity_id"]


def test_a_listener_is_a_server(told: Told) -> None:
    assert told.listening["server"]["port"] == told.called.remote_port
    assert told.listening["event"]["action"] == "listener_opened"


def test_a_refused_connect_failed_with_its_reason(told: Told) -> None:
    event = told.failed["event"]
    assert event["type"] == ["connection", "start", "end"]
    assert (event["action"], event["reason"]) == ("connection_attempted", "refused")
