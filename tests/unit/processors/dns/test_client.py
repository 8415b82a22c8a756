import threading
from collections.abc import Callable, Iterator

import dns.resolver
import pytest

from connbeat.errors import ConfigError
from connbeat.processors.dns import client
from connbeat.processors.dns.client import Resolver
from connbeat.processors.dns.processor import DnsConfig
from connbeat.telemetry.metrics import Metric, Metrics
from tests.deliveries import FakeClock
from tests.servers.dns_server import DnsServer


class Stage:
    """A resolver that asks a real server."""

    def __init__(self, server: DnsServer, **options: object) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        config = DnsConfig(nameservers=(server.address,), **options)  # type: ignore[arg-type]  # of the test's own choice
        self.resolver = Resolver(config, self.clock, self.metrics)
        self.resolver.start()

    def wait_for(self, address: str) -> str:
        """What `get` says once it says something."""
        pause = threading.Event()
        for _ in range(1000):
            name = self.resolver.get(address)
            if name is not None:
                return name
            pause.wait(0.005)
        raise AssertionError(f"no answer for {address}")

    def count(self, outcome: str) -> float:
        return self.metrics.get(Metric.DNS_LOOKUPS, outcome=outcome)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer({"192.0.2.1": "web.example", "2001:db8::1": "six.example"}) as one:
        yield one


@pytest.fixture
def stage(server: DnsServer) -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def new(**options: object) -> Stage:
        stages.append(Stage(server, **options))
        return stages[-1]

    yield new
    for one in stages:
        one.resolver.close()


def test_the_first_question_gets_no_answer_and_the_next_ones_do(
    stage: Callable[..., Stage], server: DnsServer
) -> None:
    one = stage()
    assert one.resolver.get("192.0.2.1") is None
    assert one.wait_for("192.0.2.1") == "web.example"
    assert one.wait_for("2001:db8::1") == "six.example"
    assert one.wait_for("192.0.2.1") == "web.example"
    assert sorted(server.asked) == ["192.0.2.1", "2001:db8::1"], "each is asked for once"
    assert one.count("found") == 2


def test_that_there_is_no_name_is_known_too(stage: Callable[..., Stage], server: DnsServer) -> None:
    one = stage()
    assert one.wait_for("192.0.2.9") == ""
    assert one.wait_for("192.0.2.9") == ""
    assert server.asked == ["192.0.2.9"]
    assert one.count("no_name") == 1


def test_a_name_holds_as_long_as_the_server_says_and_no_shorter_than_one_wants(
    stage: Callable[..., Stage], server: DnsServer
) -> None:
    server.ttl = 300
    long = stage(success_cache_min_ttl_seconds=60)
    long.wait_for("192.0.2.1")
    long.clock.advance(299)
    assert long.resolver.get("192.0.2.1") == "web.example"
    long.clock.advance(1)
    assert long.resolver.get("192.0.2.1") is None
    server.ttl = 1
    short = stage(success_cache_min_ttl_seconds=60)
    short.wait_for("192.0.2.1")
    short.clock.advance(59)
    assert short.resolver.get("192.0.2.1") == "web.example"
    short.clock.advance(1)
    assert short.resolver.get("192.0.2.1") is None


def test_that_there_is_none_holds_for_its_own_time(stage: Callable[..., Stage]) -> None:
    one = stage(failure_cache_ttl_seconds=10)
    one.wait_for("192.0.2.9")
    one.clock.advance(9)
    assert one.resolver.get("192.0.2.9") == ""
    one.clock.advance(1)
    assert one.resolver.get("192.0.2.9") is None


def test_a_look_up_that_breaks_costs_one_name(
    stage: Callable[..., Stage], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stage()

    def broken(_: str) -> tuple[str, float]:
        raise KeyError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(one.resolver, "_ask", broken)
        assert one.wait_for("192.0.2.5") == ""
    assert one.wait_for("192.0.2.1") == "web.example"
    assert "A look-up broke. address=192.0.2.5" in caplog.text


def test_without_servers_those_of_the_system_are_asked_if_there_are_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class System:
        nameservers: tuple[str, ...] = ("192.0.2.53",)

        def __init__(self) -> None:
            if not self.nameservers:
                raise dns.resolver.NoResolverConfiguration

    own = dns.resolver.Resolver(configure=False)
    monkeypatch.setattr(
        dns.resolver, "Resolver", lambda *, configure=True: System() if configure else own
    )
    Resolver(DnsConfig(), FakeClock(), Metrics())
    assert [str(server) for server in own.nameservers] == ["Do53:192.0.2.53@53"]
    Resolver(DnsConfig(transport="tls"), FakeClock(), Metrics())
    assert [str(server) for server in own.nameservers] == ["DoT:192.0.2.53@853"]
    System.nameservers = ()
    with pytest.raises(ConfigError, match="name the servers"):
        Resolver(DnsConfig(), FakeClock(), Metrics())


def test_a_server_that_is_silent_is_told_of(
    stage: Callable[..., Stage], server: DnsServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.names["192.0.2.2"] = "-"
    one = stage(timeout_seconds=0.05)
    assert one.wait_for("192.0.2.2") == ""
    assert one.count("failed") == 1
    assert "A name server does not answer as it should." in caplog.text


def test_what_is_no_address_is_not_asked_for(stage: Callable[..., Stage]) -> None:
    assert stage().resolver.get("web.example") == ""


def test_a_question_that_waited_too_long_is_not_asked_any_more(server: DnsServer) -> None:
    """A server that is silent would be asked for minutes what nobody waits for."""
    clock, metrics = FakeClock(), Metrics()
    resolver = Resolver(DnsConfig(nameservers=(server.address,)), clock, metrics)
    assert resolver.get("192.0.2.1") is None
    clock.advance(11)
    assert resolver.get("192.0.2.9") is None
    resolver.start()
    pause = threading.Event()
    while resolver.get("192.0.2.9") is None:
        pause.wait(0.005)
    assert server.asked == ["192.0.2.9"]
    assert metrics.get(Metric.DNS_LOOKUPS, outcome="refused") == 1
    while resolver.get("192.0.2.1") is None:  # asked for anew
        pause.wait(0.005)
    resolver.close()


def test_where_too_many_wait_no_more_are_asked_for(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_MOST_WAITING", 1)
    metrics = Metrics()
    resolver = Resolver(DnsConfig(nameservers=(server.address,)), FakeClock(), metrics)
    assert [resolver.get(f"192.0.2.{n}") for n in (1, 2, 1)] == [None, "", None]
    assert metrics.get(Metric.DNS_LOOKUPS, outcome="refused") == 1
