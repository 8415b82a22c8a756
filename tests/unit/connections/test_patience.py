"""Which closed connections wait for their other end, and for how long."""

from connbeat.connections.life import Life, Relayed, begin, key_of
from connbeat.connections.patience import Patience
from connbeat.model.connections import Address, RemoteParty
from connbeat.model.sockets import Socket
from tests.builders import HOST_NETNS, address, listening, row

CLIENT, SERVER = row("10.0.0.1:5000", "10.0.0.2:80"), row("10.0.0.2:80", "10.0.0.1:5000")


def life(socket: Socket = CLIENT, netns: int = HOST_NETNS) -> Life:
    return begin(netns, key_of(socket), socket, 1)


def pair(one: Life, other: Life) -> None:
    one.peer, other.peer = other, one


def test_without_another_end_it_waits_one_turn_and_no_more() -> None:
    patience, one = Patience(), life()
    assert patience.settle([one], (), is_last=False) == []
    assert patience.namespaces() == {HOST_NETNS}
    assert patience.settle([], (), is_last=False) == [one]
    assert patience.namespaces() == set()
    assert patience.settle([], (), is_last=False) == []


def test_what_waited_comes_before_what_need_not() -> None:
    patience, first, second, third = Patience(), life(), life(), life(SERVER)
    pair(second, third)
    patience.settle([first], (), is_last=False)
    assert patience.settle([second, third], (), is_last=False) == [first, second, third]


def test_who_knows_the_other_end_or_knew_it_once_does_not_wait() -> None:
    one, other, left = life(), life(SERVER), life()
    pair(one, other)
    left.remote = RemoteParty(None, None)
    assert Patience().settle([one, left], (), is_last=False) == [one, left]


def test_a_listener_has_no_other_end_to_wait_for() -> None:
    web = life(listening("0.0.0.0:80"))
    assert Patience().settle([web], (), is_last=False) == [web]


def test_nothing_waits_at_the_last_turn_or_in_a_namespace_that_ended() -> None:
    one, there = life(), life(netns=7)
    assert Patience().settle([one], (), is_last=True) == [one]
    assert Patience().settle([one, there], {7}, is_last=False) == [there]


def test_behind_docker_proxy_it_is_the_far_end_that_is_waited_for() -> None:
    client, accepted = life(row("127.0.0.1:5000", "127.0.0.1:8080")), life()
    called, web = life(), life(SERVER)
    pair(client, accepted)
    pair(called, web)
    relayed = Relayed(HOST_NETNS, Address(*address("127.0.0.1:5000")), Address(b"", 0), 0)
    called.relayed, relayed.called = relayed, called
    assert Patience().settle([web, called], (), is_last=False) == []
    accepted.relayed, relayed.accepted = relayed, accepted
    chain = [web, called, accepted, client]
    assert Patience().settle(chain, (), is_last=False) == chain
    web.peer = called.peer = None
    assert Patience().settle([client, accepted], (), is_last=False) == []
    relayed.end(called, RemoteParty(None, None))
    assert Patience().settle([client], (), is_last=False) == [client]
