"""The Redis output against a real Redis that is full, read-only, shut, gone, or somebody else."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connbeat.errors import Transient
from connbeat.model.batches import Event
from connbeat.outputs.protocol import Step
from connbeat.outputs.redis.client import RedisOutput
from connbeat.outputs.redis.config import RedisConfig
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import batch, context, event, events, ids
from tests.servers.certificates import Authority
from tests.servers.redis_server import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as made:
        yield made


def output(*hosts: str, **options: object) -> RedisOutput:
    return RedisOutput(msgspec.structs.replace(RedisConfig(hosts=hosts), **options), context())


def at(server: RedisServer) -> str:
    return f"127.0.0.1:{server.port}"


def test_a_wrong_password_is_told_and_the_events_wait(tmp_path: Path) -> None:
    with RedisServer(tmp_path, password="secret") as server:
        for made in (output(at(server)), output(at(server), password="wrong")):
            with pytest.raises(Transient, match="Redis does not let us in"):
                made.open()
            with pytest.raises(Transient, match="Redis does not let us in"):
                made.send(batch(*events(1)))
            *_, last = made.checks()
            assert last.step is Step.TALK
            assert "does not let us in" in last.error
        made = output(f"redis://:secret@{at(server)}")
        assert made.send(batch(*events(1))).delivered == events(1)
        made.close()


def test_a_user_who_may_only_add_to_our_list_can(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "agent", "on", ">pass", "~connbeat", "+rpush")
    made = output(at(server), username="agent", password="pass")
    made.open()
    assert made.send(batch(*events(2))).delivered == events(2)
    made.close()
    assert {check.error for check in made.checks()} == {""}
    rules = [{"key": "other"}]
    elsewhere = output(at(server), username="agent", password="pass", keys=rules)
    with pytest.raises(Transient, match="no permissions to access one of the keys"):
        elsewhere.send(batch(*events(1)))
    elsewhere.close()


def test_what_does_not_fit_waits_until_it_does(server: RedisServer) -> None:
    made = output(at(server))
    server.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(Transient, match="used memory > 'maxmemory'"):
        made.send(batch(*events(2)))
    *_, last = made.checks()
    assert "used memory" in last.error
    server.ask("CONFIG", "SET", "maxmemory", "0")
    assert made.send(batch(*events(2))).delivered == events(2)
    made.close()
    assert server.list() == [one.body for one in events(2)]


def test_a_replica_is_left_for_the_host_that_may_write(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with RedisServer(tmp_path / "a") as primary, RedisServer(tmp_path / "b") as replica:
        replica.ask("REPLICAOF", "127.0.0.1", "1")
        made = output(at(replica), at(primary), loadbalance=False)
        errors = []
        for _ in range(2):
            try:
                made.send(batch(*events(3)))
                break
            except Transient as error:
                errors.append(str(error))
        assert ["read only replica" in error for error in errors] in ([], [True])
        made.close()
        assert primary.list() == [one.body for one in events(3)]
        assert [c.target for c in made.checks() if "read only replica" in c.error] == [at(replica)]


def test_a_key_that_holds_something_else_is_told(server: RedisServer) -> None:
    server.ask("SET", "connbeat", "a text")
    made = output(at(server))
    *_, last = made.checks()
    assert (last.step, last.error) == (Step.WRITE, "RPUSH connbeat: the key holds a string")
    with pytest.raises(Transient, match="WRONGTYPE"):
        made.send(batch(*events(1)))
    server.ask("DEL", "connbeat")
    assert made.send(batch(*events(1))).delivered == events(1)
    made.close()


def test_the_database_is_the_one_that_was_asked_for(server: RedisServer) -> None:
    made = output(f"redis://{at(server)}/3")
    made.send(batch(*events(1)))
    made.close()
    assert server.list() == []
    server.ask("SELECT", "3")
    assert server.list() == [event(0).body]


def test_a_server_that_ends_idle_connections_costs_nothing(server: RedisServer) -> None:
    made = output(at(server))
    made.send(batch(*events(1)))
    server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert made.send(batch(event(1))).delivered == (event(1),)
    made.close()
    assert server.list() == [event(0).body, event(1).body]


def test_large_batches_and_large_events_arrive_whole(server: RedisServer) -> None:
    made = output(at(server))
    large = tuple(event(n, b'{"n":%d,"x":"%s"}' % (n, b"x" * 2_000_000)) for n in range(5))
    sent = (*events(2000, first=10), *large)
    assert ids(made.send(batch(*sent)).delivered) == ids(sent)
    made.close()
    assert server.list() == [one.body for one in sent]


def test_tls_is_verified(tmp_path: Path) -> None:
    ours, other = Authority(), Authority()
    with RedisServer(tmp_path, certificate=ours.server_files(tmp_path)) as server:
        host = f"127.0.0.1:{server.tls_port}"
        trusted = TlsPolicy(certificate_authorities=(ours.pem,))
        made = output(host, ssl=trusted)
        assert made.send(batch(*events(1))).delivered == events(1)
        assert made.send(batch(event(1))).delivered == (event(1),)
        made.close()
        assert {check.error for check in made.checks()} == {""}
        for policy in (TlsPolicy(certificate_authorities=(other.pem,)), TlsPolicy()):
            strange = output(host, ssl=policy)
            with pytest.raises(Transient, match="the certificate is not accepted"):
                strange.open()
            *_, last = strange.checks()
            assert (last.step, "not accepted" in last.error) == (Step.TLS, True)
        assert server.list() == [event(0).body, event(1).body]


def test_kills_in_the_middle_of_batches_lose_nothing_and_make_nothing_up(tmp_path: Path) -> None:
    rng = random.Random(2026)
    with RedisServer(tmp_path, durable=True) as server:
        made = output(at(server), timeout_seconds=2.0)
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
        arrived = server.list()
    assert set(arrived) == {one.body for one in events(number)}
    assert len(confirmed) == number


def _try(
    made: RedisOutput, waiting: tuple[Event, ...], confirmed: list[Event]
) -> tuple[Event, ...]:
    try:
        outcome = made.send(batch(*waiting))
    except Transient:
        return waiting
    confirmed += outcome.delivered
    return outcome.retry
