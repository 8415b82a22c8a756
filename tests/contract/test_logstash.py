"""The Logstash output against the protocol's reference server: slow, gone, strange."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connbeat.errors import Transient
from connbeat.model.batches import Event
from connbeat.outputs.logstash.client import LogstashOutput
from connbeat.outputs.logstash.config import LogstashConfig
from connbeat.outputs.protocol import Step
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import batch, context, event, events, ids
from tests.servers.certificates import Authority
from tests.servers.lumberjack_server import LumberjackServer

pytestmark = pytest.mark.timeout(300)  # the first of them may have to build the server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LumberjackServer]:
    with LumberjackServer(tmp_path) as made:
        yield made


def output(*servers: LumberjackServer, **options: object) -> LogstashOutput:
    hosts = tuple(f"127.0.0.1:{server.port}" for server in servers)
    config = msgspec.structs.replace(LogstashConfig(hosts=hosts), **options)
    return LogstashOutput(config, context())


@pytest.mark.parametrize("options", [{}, {"compression_level": 0}, {"slow_start": True}], ids=str)
def test_the_reference_server_understands_us(
    server: LumberjackServer, options: dict[str, object]
) -> None:
    made = output(server, **options)
    assert made.send(batch(*events(3000))).delivered == events(3000)
    made.close()
    documents = server.documents()
    assert [document["n"] for document in documents] == list(range(3000))
    assert documents[0]["@metadata"] == {
        "beat": "connbeat",
        "type": "connbeat",
        "version": "1.0.0",
    }


def test_a_server_that_says_it_is_busy_is_waited_for(tmp_path: Path) -> None:
    with LumberjackServer(tmp_path, "-keepalive", "50ms", delay="1s") as server:
        made = output(server, timeout_seconds=0.3)
        assert made.send(batch(*events(3))).delivered == events(3)
        made.close()
        assert len(server.lines()) == 3


def test_a_server_that_says_nothing_is_not(tmp_path: Path) -> None:
    with LumberjackServer(tmp_path, "-keepalive", "1h", delay="2s") as server:
        made = output(server, timeout_seconds=0.2)
        with pytest.raises(Transient, match=r"silent for 0\.2 s"):
            made.send(batch(*events(3)))
        made.close()


def test_another_host_takes_over(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with LumberjackServer(tmp_path / "a") as first, LumberjackServer(tmp_path / "b") as second:
        made = output(first, second, loadbalance=True)
        made.send(batch(*events(10)))
        assert (len(first.lines()), len(second.lines())) == (5, 5)
        first.kill()
        waiting = events(10, first=10)
        outcome = made.send(batch(*waiting))
        for _ in range(3):
            if outcome.retry:
                outcome = made.send(batch(*outcome.retry))
        made.close()
        arrived = [*first.lines(), *second.lines()]
        assert {msgspec.json.decode(line)["n"] for line in arrived} == set(range(20))


def test_large_batches_and_large_events_arrive_whole(server: LumberjackServer) -> None:
    made = output(server)
    large = tuple(event(n, b'{"n":%d,"x":"%s"}' % (n, b"x" * 2_000_000)) for n in range(10))
    sent = (*events(2000, first=10), *large)
    assert ids(made.send(batch(*sent)).delivered) == ids(sent)
    made.close()
    assert server.bodies() == [one.body for one in sent]


def test_tls_is_verified(tmp_path: Path) -> None:
    ours, other = Authority(), Authority()
    with LumberjackServer(tmp_path, certificate=ours.server_files(tmp_path)) as server:
        made = output(server, ssl=TlsPolicy(certificate_authorities=(ours.pem,)))
        assert made.send(batch(*events(1))).delivered == events(1)
        assert made.send(batch(event(1))).delivered == (event(1),)
        made.close()
        assert {check.error for check in made.checks()} == {""}
        for policy in (TlsPolicy(certificate_authorities=(other.pem,)), TlsPolicy()):
            strange = output(server, ssl=policy)
            with pytest.raises(Transient, match="the certificate is not accepted"):
                strange.open()
            *_, last = strange.checks()
            assert (last.step, "not accepted" in last.error) == (Step.TLS, True)
        assert server.bodies() == [event(0).body, event(1).body]


def test_a_server_that_wants_tls_is_told(tmp_path: Path) -> None:
    certificate = Authority().server_files(tmp_path)
    with LumberjackServer(tmp_path, certificate=certificate) as server:
        *_, last = output(server).checks()
        assert (last.step, bool(last.error)) == (Step.TALK, True)
        with pytest.raises(Transient):
            output(server).send(batch(*events(1)))


def test_kills_in_the_middle_of_batches_lose_nothing_and_make_nothing_up(
    server: LumberjackServer,
) -> None:
    rng = random.Random(2026)
    made = output(server, timeout_seconds=2.0)
    confirmed: list[Event] = []
    waiting: tuple[Event, ...] = ()
    number = 0
    for _ in range(6):
        killer = threading.Timer(rng.uniform(0.0, 0.05), server.kill)
        killer.start()
        while killer.is_alive():
            waiting += events(50, first=number)
            number += 50
            waiting = _try(made, waiting, confirmed)
        killer.join()
        server.start()
    while waiting:
        waiting = _try(made, waiting, confirmed)
    made.close()
    arrived = server.bodies()
    assert set(arrived) == {one.body for one in events(number)}
    assert len(confirmed) == number


def _try(
    made: LogstashOutput, waiting: tuple[Event, ...], confirmed: list[Event]
) -> tuple[Event, ...]:
    try:
        outcome = made.send(batch(*waiting))
    except Transient:
        return waiting
    confirmed += outcome.delivered
    return outcome.retry
