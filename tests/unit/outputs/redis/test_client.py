from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connbeat.errors import Permanent, Transient
from connbeat.outputs.hosts import parse_host
from connbeat.outputs.redis.client import RedisOutput, login_for
from connbeat.outputs.redis.config import RedisConfig, host_defaults
from connbeat.outputs.redis.connection import Login
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import batch, context, events
from tests.servers.certificates import Authority
from tests.unit.outputs.redis.fakes import FakeRedis


@pytest.fixture
def server() -> Iterator[FakeRedis]:
    with FakeRedis() as made:
        yield made


def output(*hosts: str, **options: object) -> RedisOutput:
    config = msgspec.structs.replace(RedisConfig(hosts=hosts), **options)
    return RedisOutput(config, context())


def test_a_batch_arrives(server: FakeRedis) -> None:
    made = output(f"127.0.0.1:{server.port}")
    made.open()
    assert made.send(batch(*events(3))).delivered == events(3)
    made.close()
    assert server.lists[b"connbeat"] == [one.body for one in events(3)]


def test_events_get_their_keys_by_rule(server: FakeRedis) -> None:
    rules = [{"key": "even-%{[n]}", "when": {"or": [{"equals": {"n": 0}}, {"equals": {"n": 2}}]}}]
    made = output(f"127.0.0.1:{server.port}", keys=rules)
    made.send(batch(*events(3)))
    made.close()
    assert sorted(server.lists) == [b"connbeat", b"even-0", b"even-2"]


def test_sending_opens_and_so_does_it_after_a_reopen(server: FakeRedis) -> None:
    made = output(f"127.0.0.1:{server.port}")
    made.send(batch(*events(1)))
    made.reopen()
    made.send(batch(*events(1, first=1)))
    made.close()
    made.close()
    assert len(server.lists[b"connbeat"]) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h", Login(username="u", password="p", db=2)),
        ("redis://other:secret@h", Login(username="other", password="secret", db=2)),
        ("redis://:secret@h/5", Login(password="secret", db=5)),
        ("rediss://h/0", Login(username="u", password="p", db=0)),
    ],
)
def test_what_the_url_says_wins(text: str, expected: Login) -> None:
    config = RedisConfig(hosts=(text,), username="u", password="p", db=2)
    assert login_for(parse_host(text, host_defaults(6379)), config) == expected


@pytest.mark.parametrize(
    ("scheme", "with_section", "expected"),
    [
        ("", True, True),
        ("", False, False),
        ("redis://", True, False),
        ("rediss://", True, True),
        ("rediss://", False, True),
    ],
)
def test_tls_is_the_schemes_or_else_the_sections_business(
    scheme: str, with_section: bool, expected: bool
) -> None:
    made = output(f"{scheme}h", ssl=TlsPolicy() if with_section else None)
    assert made._has_tls(made._urls[0]) is expected


def test_with_tls_nothing_else_is_spoken() -> None:
    authority = Authority()
    with FakeRedis(authority.server_context()) as server:
        policy = TlsPolicy(certificate_authorities=(authority.pem,))
        made = output(f"127.0.0.1:{server.port}", ssl=policy)
        made.open()
        assert made.send(batch(*events(1))).delivered
        made.close()


def test_files_of_tls_that_are_missing_are_a_mistake(server: FakeRedis, tmp_path: Path) -> None:
    policy = TlsPolicy(certificate_authorities=(str(tmp_path / "no"),))
    with pytest.raises(Permanent, match=r"ssl\.certificate_authorities"):
        output(f"127.0.0.1:{server.port}", ssl=policy).open()
    output(f"redis://127.0.0.1:{server.port}", ssl=policy).open()


def test_no_server_is_transient() -> None:
    with FakeRedis() as server:
        pass
    made = output(f"127.0.0.1:{server.port}")
    with pytest.raises(Transient):
        made.open()
    with pytest.raises(Transient):
        made.send(batch(*events(1)))
