from collections.abc import Sequence
from typing import Any

import pytest

from connbeat.errors import Transient
from connbeat.model.format_strings import FormatString
from connbeat.model.selectors import Selector
from connbeat.outputs.failover import Failover
from connbeat.outputs.hosts import HostUrl, parse_hosts
from connbeat.outputs.redis.commands import Refused
from connbeat.outputs.redis.config import Datatype, host_defaults
from connbeat.outputs.redis.connection import Arguments, Connection
from connbeat.outputs.redis.lane import RedisLane
from tests.deliveries import FakeClock, event, events, ids

OOM = Refused("command not allowed when used memory > 'maxmemory'.")


class FakeConnection(Connection):
    """Has the lists of its host. `breaks_after` commands the connection is lost."""

    def __init__(self, host: "FakeHost") -> None:
        self._host = host
        self._closed = False

    def is_usable(self) -> bool:
        return not self._closed

    def close(self) -> None:
        self._closed = True

    def execute(self, commands: Sequence[Arguments]) -> tuple[list[Any], Transient | None]:
        replies: list[Any] = []
        for _, key, *values in commands:
            if self._host.breaks_after is not None and len(replies) >= self._host.breaks_after:
                self.close()
                return replies, Transient("connection lost")
            refusal = self._host.refuses.get(str(key), self._host.refuses.get("*"))
            if refusal is None:
                self._host.taken += values
            replies.append(refusal or len(values))
        return replies, None


class FakeHost:
    def __init__(self) -> None:
        self.taken: list[str | bytes] = []
        self.refuses: dict[str, Refused] = {}
        self.breaks_after: int | None = None
        self.is_down = False


class World:
    """Two hosts and a lane to them that begins with the first."""

    def __init__(self, key: str = "connbeat", datatype: Datatype = "list") -> None:
        self.hosts = {"a": FakeHost(), "b": FakeHost()}
        failover: Failover[Connection] = Failover(
            parse_hosts(self.hosts, host_defaults(6379)),
            self.connect,
            begin=0,
            returns=False,
            clock=FakeClock(),
        )
        selector = Selector.parse([], "key", FormatString.parse(key))
        self.lane = RedisLane(failover, selector, datatype, FakeClock())

    def connect(self, url: HostUrl) -> Connection:
        if self.hosts[url.host].is_down:
            raise Transient("refused")
        return FakeConnection(self.hosts[url.host])


def test_everything_arrives_in_order() -> None:
    world = World()
    world.lane.open()
    assert world.lane.send(events(5)).delivered == events(5)
    assert world.hosts["a"].taken == [one.body for one in events(5)]
    world.lane.close()


def test_an_event_without_its_key_is_dropped_and_the_others_arrive() -> None:
    world = World("%{[team]}")
    good = event(1, b'{"team":"x"}')
    outcome = world.lane.send((event(0), good, event(2, b'{"team":""}')))
    assert outcome.delivered == (good,)
    assert [(drop.event.id, drop.reason, drop.detail) for drop in outcome.dropped] == [
        ("e0", "no_key", "the event has no field team"),
        ("e2", "no_key", "the key is empty"),
    ]


def test_a_key_that_is_refused_costs_only_its_own_events_a_retry() -> None:
    world = World("%{[n]}")
    world.hosts["a"].refuses["1"] = Refused("WRONGTYPE")
    outcome = world.lane.send(events(3))
    assert (ids(outcome.delivered), ids(outcome.retry)) == (["e0", "e2"], ["e1"])
    assert world.lane.send(events(1)).delivered  # and the host is still in use
    assert not world.hosts["b"].taken


def test_a_host_that_refuses_everything_is_left_for_the_next() -> None:
    world = World()
    world.hosts["a"].refuses["*"] = OOM
    with pytest.raises(Transient, match=r"a:6379: RPUSH connbeat: command not allowed"):
        world.lane.send(events(3))
    assert world.lane.send(events(3)).delivered == events(3)
    assert len(world.hosts["b"].taken) == 3


def test_what_had_no_reply_is_retried_and_what_had_is_not() -> None:
    world = World(datatype="channel")
    world.hosts["a"].breaks_after = 2
    outcome = world.lane.send(events(5))
    assert (outcome.delivered, outcome.retry) == (events(2), events(3, first=2))
    assert world.lane.send(outcome.retry).delivered == outcome.retry
    assert world.hosts["b"].taken == [one.body for one in events(3, first=2)]


def test_a_lost_connection_before_any_reply_fails_the_whole_batch() -> None:
    world = World()
    world.hosts["a"].breaks_after = 0
    with pytest.raises(Transient, match="a:6379: connection lost"):
        world.lane.send(events(3))


def test_after_trouble_no_further_round_is_sent() -> None:
    world = World()
    large = tuple(event(number, b"x" * (3 << 20)) for number in range(3))
    outcome = world.lane.send(large[:1])
    world.hosts["a"].breaks_after = 0
    world.hosts["b"].is_down = True
    with pytest.raises(Transient):
        world.lane.send(large)
    assert outcome.delivered == large[:1]
    assert len(world.hosts["a"].taken) == 1


def test_rounds_before_the_trouble_are_delivered() -> None:
    world = World()
    large = tuple(event(number, b"x" * (3 << 20)) for number in range(3))
    first_round = world.hosts["a"]

    class Breaks(FakeConnection):
        def execute(self, commands: Sequence[Arguments]) -> tuple[list[Any], Transient | None]:
            answer = super().execute(commands)
            first_round.breaks_after = 0
            return answer

    world.lane._failover._connect = lambda url: Breaks(world.hosts[url.host])
    outcome = world.lane.send(large)
    assert (ids(outcome.delivered), ids(outcome.retry)) == (["e0"], ["e1", "e2"])


def test_no_host_at_all_fails_the_whole_batch() -> None:
    world = World()
    for host in world.hosts.values():
        host.is_down = True
    with pytest.raises(Transient, match="a:6379: refused; b:6379: refused"):
        world.lane.send(events(1))
    with pytest.raises(Transient):
        world.lane.open()


def test_an_empty_batch_asks_nobody() -> None:
    world = World()
    world.hosts["a"].is_down = world.hosts["b"].is_down = True
    assert world.lane.send(()).delivered == ()
