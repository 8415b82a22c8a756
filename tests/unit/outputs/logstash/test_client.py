from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connbeat.errors import Permanent, Transient
from connbeat.outputs.logstash.client import LogstashOutput
from connbeat.outputs.logstash.config import LogstashConfig
from connbeat.outputs.protocol import OutputContext
from connbeat.outputs.tls_policy import TlsPolicy
from connbeat.telemetry.metrics import Metrics
from tests.deliveries import FakeClock, batch, events
from tests.servers.certificates import Authority
from tests.unit.outputs.logstash.fakes import FakeLogstash


@pytest.fixture
def server() -> Iterator[FakeLogstash]:
    with FakeLogstash() as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def output(
    *servers: FakeLogstash, clock: FakeClock | None = None, **options: object
) -> LogstashOutput:
    hosts = tuple(f"127.0.0.1:{server.port}" for server in servers)
    config = msgspec.structs.replace(LogstashConfig(hosts=hosts, timeout_seconds=5), **options)
    context = OutputContext(
        clock=clock or FakeClock(), metrics=Metrics(), name="n", hostname="h", version="1.2.3"
    )
    return LogstashOutput(config, context)


@pytest.mark.parametrize("level", [0, 3])
def test_a_batch_arrives_as_logstash_wants_it(server: FakeLogstash, level: int) -> None:
    made = output(server, compression_level=level)
    made.open()
    assert made.send(batch(*events(3))).delivered == events(3)
    made.close()
    metadata = {"beat": "connbeat", "type": "connbeat", "version": "1.2.3"}
    assert server.documents == [{"@metadata": metadata, "n": number} for number in range(3)]
    assert next(iter(server.documents[0])) == "@metadata"


def test_index_is_the_name_that_logstash_gets(server: FakeLogstash) -> None:
    made = output(server, index="other")
    made.send(batch(*events(1)))
    made.close()
    assert server.documents[0]["@metadata"]["beat"] == "other"


def test_one_connection_takes_many_batches(server: FakeLogstash) -> None:
    made = output(server)
    for number in range(3):
        made.send(batch(*events(1, first=number)))
    made.close()
    made.close()
    assert server.connections == 1


def test_a_connection_past_its_ttl_is_made_anew(server: FakeLogstash, clock: FakeClock) -> None:
    made = output(server, clock=clock, ttl_seconds=60.0)
    made.send(batch(*events(1)))
    made.send(batch(*events(1)))
    assert server.connections == 1
    clock.advance(60)
    made.send(batch(*events(1)))
    made.close()
    assert server.connections == 2


def test_sending_opens_and_so_does_it_after_a_reopen(server: FakeLogstash) -> None:
    made = output(server)
    made.send(batch(*events(1)))
    made.reopen()
    made.send(batch(*events(1)))
    made.close()
    assert (server.connections, len(server.documents)) == (2, 2)


def test_load_balancing_uses_all_hosts(server: FakeLogstash) -> None:
    with FakeLogstash() as other:
        made = output(server, other, loadbalance=True)
        assert len(made.send(batch(*events(10))).delivered) == 10
        made.close()
        assert (len(server.documents), len(other.documents)) == (5, 5)


def test_tls_is_spoken_where_the_section_says_so() -> None:
    authority = Authority()
    policy = TlsPolicy(certificate_authorities=(authority.pem,))
    with FakeLogstash(authority.server_context(), keepalives=2) as server:
        made = output(server, ssl=policy)
        made.open()
        assert made.send(batch(*events(2))).delivered == events(2)
        assert made.send(batch(*events(2))).delivered == events(2)
        made.close()
        assert server.connections == 1
        strange = TlsPolicy(certificate_authorities=(Authority().pem,))
        with pytest.raises(Transient, match="TLS: the certificate is not accepted"):
            output(server, ssl=strange).open()


def test_files_of_tls_that_are_missing_are_a_mistake(server: FakeLogstash, tmp_path: Path) -> None:
    policy = TlsPolicy(certificate_authorities=(str(tmp_path / "no"),))
    with pytest.raises(Permanent, match=r"ssl\.certificate_authorities"):
        output(server, ssl=policy).open()


def test_no_server_is_transient() -> None:
    with FakeLogstash() as server:
        pass
    with pytest.raises(Transient, match="refused"):
        output(server).open()
