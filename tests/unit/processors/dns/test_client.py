import threading
from collections.abc import Callable, Iterator

import pytest

from connbeat.clock import SystemClock
from connbeat.processors.dns import client
from connbeat.processors.dns.client import Resolver
from connbeat.processors.dns.processor import DnsConfig
from connbeat.telemetry.metrics import Metric, Metrics
from tests.servers.dns_server import DnsServer


class Stage:
    """A resolver that asks a real server."""

    def __init__(self, server: DnsServer, **options: object) -> None:
        self.metrics = Metrics()
        config = DnsConfig(nameservers=(server.address,), **options)  # type: ignore[arg-type]  # of the test's own choice
        self.resolver = Resolver(config, SystemClock(), self.metrics)
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


def test_where_too_many_wait_no_more_are_asked_for(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_MOST_WAITING", 1)
    metrics = Metrics()
    resolver = Resolver(DnsConfig(nameservers=(server.address,)), SystemClock(), metrics)
    assert [resolver.get(f"192.0.2.{n}") for n in (1, 2, 1)] == [None, "", None]
    assert metrics.get(Metric.DNS_LOOKUPS, outcome="refused") == 1
