import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.errors import Transient
from connbeat.model.batches import Event
from connbeat.outputs.failover import Failover
from connbeat.outputs.hosts import HostUrl, parse_hosts
from connbeat.outputs.logstash.config import host_defaults
from connbeat.outputs.logstash.lane import LogstashLane, WindowConnection, take_window
from connbeat.outputs.logstash.windows import WindowSize
from tests.deliveries import FakeClock, events, ids


class FakeConnection:
    """Acknowledges what its plan says of each window, everything once the plan is at its end."""

    def __init__(self, host: str, plan: list[int], windows: list[tuple[str, int]]) -> None:
        self._host = host
        self._plan = plan
        self._windows = windows
        self._closed = False

    def is_usable(self) -> bool:
        return not self._closed

    def close(self) -> None:
        self._closed = True

    def deliver(self, window: bytes, count: int) -> tuple[int, Transient | None]:
        assert int.from_bytes(window[2:6], "big") == count
        self._windows.append((self._host, count))
        if not self._plan:
            return count, None
        return self._plan.pop(0), Transient("silent for 30 s")


class World:
    """Two hosts and a lane to them that begins with the first."""

    def __init__(self, *plan: int, size: WindowSize | None = None) -> None:
        self.plan = list(plan)
        self.windows: list[tuple[str, int]] = []
        self.down: set[str] = set()
        failover: Failover[WindowConnection] = Failover(
            parse_hosts(("a", "b"), host_defaults(5044)),
            self.connect,
            begin=0,
            returns=False,
            clock=FakeClock(),
        )
        self.lane = LogstashLane(
            failover,
            size or WindowSize(2048),
            prefix=b"{",
            compression_level=0,
            clock=FakeClock(),
        )

    def connect(self, url: HostUrl) -> WindowConnection:
        if url.host in self.down:
            raise Transient("refused")
        return FakeConnection(url.host, self.plan, self.windows)


def test_a_batch_is_a_window() -> None:
    world = World()
    world.lane.open()
    assert world.lane.send(events(2048)).delivered == events(2048)
    assert world.windows == [("a", 2048)]
    world.lane.close()


def test_what_was_acknowledged_is_delivered_and_only_the_rest_goes_to_the_next_host() -> None:
    world = World(4)
    outcome = world.lane.send(events(10))
    assert (outcome.delivered, outcome.retry) == (events(4), events(6, first=4))
    assert world.lane.send(outcome.retry).delivered == outcome.retry
    assert world.windows == [("a", 10), ("b", 6)]


def test_nothing_acknowledged_fails_the_whole_batch() -> None:
    with pytest.raises(Transient, match="a:5044: silent for 30 s"):
        World(0).lane.send(events(10))


def test_no_host_at_all_fails_the_whole_batch() -> None:
    world = World()
    world.down = {"a", "b"}
    with pytest.raises(Transient, match="a:5044: refused; b:5044: refused"):
        world.lane.send(events(1))
    with pytest.raises(Transient):
        world.lane.open()


def test_slow_start_sends_small_windows_first_and_smaller_ones_after_a_failure() -> None:
    world = World(size=WindowSize(100, slow_start=True))
    assert world.lane.send(events(60)).delivered == events(60)
    assert [count for _, count in world.windows] == [10, 16, 25, 9]
    world.plan.append(0)
    with pytest.raises(Transient):
        world.lane.send(events(60))
    world.windows.clear()
    world.lane.send(events(60))
    assert [count for _, count in world.windows] == [19, 29, 12]


def test_one_event_that_chokes_the_server_ends_up_alone() -> None:
    world = World(*[0] * 4, size=WindowSize(100, slow_start=True))
    for _ in range(4):
        with pytest.raises(Transient):
            world.lane.send(events(10))
    assert [count for _, count in world.windows] == [10, 5, 2, 1]


def test_an_empty_batch_asks_nobody() -> None:
    world = World()
    world.down = {"a", "b"}
    assert world.lane.send(()).delivered == ()


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(1, 10), st.integers(1, 100)
)
def test_windows_hold_every_event_once_within_their_limits(
    sizes: list[int], max_events: int, max_bytes: int
) -> None:
    sent = tuple(Event(f"e{n}", n, b"x" * size) for n, size in enumerate(sizes))
    done: list[Event] = []
    while len(done) < len(sent):
        window = take_window(sent, len(done), max_events, max_bytes)
        assert 1 <= len(window) <= max_events
        assert len(window) == 1 or sum(one.size_bytes for one in window) <= max_bytes
        done += window
    assert ids(done) == ids(sent)
