import pytest

from connbeat.errors import Transient
from connbeat.outputs.failover import Failover
from connbeat.outputs.hosts import HostDefaults, HostUrl, parse_hosts
from tests.deliveries import FakeClock

NAMES = ("a", "b", "c")
URLS = parse_hosts(NAMES, HostDefaults(ports={"tcp": 5044}, scheme="tcp"))


class FakeConnection:
    def __init__(self, host: str) -> None:
        self.host = host
        self.works = True
        self.closed = False

    def is_usable(self) -> bool:
        return self.works and not self.closed

    def close(self) -> None:
        self.closed = True


class Network:
    """Hosts that are up or down, and every connection that was made."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.down: set[str] = set()
        self.made: list[FakeConnection] = []

    def connect(self, url: HostUrl) -> FakeConnection:
        if url.host in self.down:
            raise Transient("refused")
        self.made.append(FakeConnection(url.host))
        return self.made[-1]

    def failover(
        self, *, hosts: int = 3, begin: int = 0, returns: bool = False
    ) -> Failover[FakeConnection]:
        return Failover(URLS[:hosts], self.connect, begin=begin, returns=returns, clock=self.clock)


@pytest.fixture
def network() -> Network:
    return Network()


def use(failover: Failover[FakeConnection], batches: int) -> str:
    hosts = ""
    for _ in range(batches):
        hosts += failover.connection().host
        failover.worked()
    return hosts


@pytest.mark.parametrize("returns", [True, False])
def test_one_connection_to_the_first_host_takes_everything(network: Network, returns: bool) -> None:
    assert use(network.failover(begin=1, returns=returns), 4) == "bbbb"
    assert len(network.made) == 1


@pytest.mark.parametrize("returns", [True, False])
def test_hosts_that_cannot_be_reached_are_passed_over(network: Network, returns: bool) -> None:
    network.down = {"b", "c"}
    assert use(network.failover(begin=1, returns=returns), 3) == "aaa"


def test_who_took_over_keeps_it(network: Network) -> None:
    failover = network.failover()
    broken = failover.connection()
    assert failover.failed() == "a:5044"
    assert broken.closed
    assert use(failover, 2) == "bb"
    network.clock.advance(60)
    assert use(failover, 2) == "bb"


def test_who_returns_goes_back_after_the_rest_and_not_before(network: Network) -> None:
    failover = network.failover(returns=True)
    network.down = {"a"}
    assert use(failover, 1) == "b"
    network.down = set()
    assert use(failover, 1) == "b"
    network.clock.advance(60)
    assert use(failover, 2) == "aa"


def test_a_host_that_fails_again_and_again_rests_longer(network: Network) -> None:
    failover = network.failover(hosts=2, returns=True)
    network.down = {"a"}
    for _ in range(20):
        network.clock.advance(60)
        use(failover, 1)
    assert failover._hosts[0].failures == 20
    network.down = set()
    network.clock.advance(60)
    use(failover, 1)
    assert failover._hosts[0].failures == 0


def test_a_resting_host_is_tried_when_no_other_is_left(network: Network) -> None:
    network.down = {"a"}
    failover = network.failover(hosts=1)
    with pytest.raises(Transient):
        failover.connection()
    network.down = set()
    assert use(failover, 1) == "a"


def test_when_all_fail_each_is_named_with_its_reason(network: Network) -> None:
    network.down = set(NAMES)
    with pytest.raises(Transient, match=r"^c:5044: refused; a:5044: refused; b:5044: refused$"):
        network.failover(begin=2).connection()


def test_a_connection_that_ended_meanwhile_is_made_anew(network: Network) -> None:
    failover = network.failover()
    first = failover.connection()
    first.works = False
    second = failover.connection()
    assert first.closed
    assert (second is not first, second.host) == (True, "a")
    assert failover.connection() is second


def test_closing_ends_every_connection_and_may_be_followed_by_more(network: Network) -> None:
    failover = network.failover()
    failover.connection()
    failover.failed()
    failover.connection()
    failover.close()
    failover.close()
    assert [connection.closed for connection in network.made] == [True, True]
    assert use(failover, 1) == "b"
