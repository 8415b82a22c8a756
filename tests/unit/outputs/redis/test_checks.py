from collections.abc import Iterator

import msgspec
import pytest

from connbeat.model.format_strings import FormatString
from connbeat.outputs.protocol import Check, Step
from connbeat.outputs.redis.client import RedisOutput
from connbeat.outputs.redis.config import RedisConfig
from tests.deliveries import context
from tests.unit.outputs.redis.fakes import FakeRedis


@pytest.fixture
def server() -> Iterator[FakeRedis]:
    with FakeRedis() as made:
        yield made


def checks(server: FakeRedis, **options: object) -> list[Check]:
    config = RedisConfig(hosts=(f"127.0.0.1:{server.port}",))
    config = msgspec.structs.replace(config, **options)
    return list(RedisOutput(config, context()).checks())


def test_every_step_is_told(server: FakeRedis) -> None:
    server.answers["TYPE"] = b"$4\r\nnone\r\n"
    found = checks(server)
    assert [check.step for check in found] == [
        Step.RESOLVE,
        Step.CONNECT,
        Step.TALK,
        Step.WRITE,
    ]
    assert {check.error for check in found} == {""}
    assert {check.target for check in found} == {f"127.0.0.1:{server.port}"}
    assert [check.detail for check in found[2:]] == ["Redis 7.0", "RPUSH connbeat is allowed"]


def test_nothing_is_written(server: FakeRedis) -> None:
    checks(server)
    assert server.commands[-4:] == ["MULTI", "RPUSH", "DISCARD", "TYPE"]


@pytest.mark.parametrize(
    ("command", "reply", "failed"),
    [
        ("PING", b"-NOAUTH Authentication required.\r\n", "talk: Redis does not let us in"),
        ("RPUSH", b"-READONLY You can't write\r\n", "write: RPUSH connbeat: You can't write"),
        ("TYPE", b"$4\r\nhash\r\n", "write: RPUSH connbeat: the key holds a hash"),
        ("RPUSH", None, "write: Connection closed"),
    ],
)
def test_the_first_step_that_fails_is_the_last(
    server: FakeRedis, command: str, reply: bytes | None, failed: str
) -> None:
    server.answers[command] = reply
    last = checks(server)[-1]
    assert f"{last.step}: {last.error}".startswith(failed)


def test_a_channel_is_tried_with_its_own_command(server: FakeRedis) -> None:
    last = checks(server, datatype="channel")[-1]
    assert (last.error, last.detail) == ("", "PUBLISH connbeat is allowed")


def test_what_cannot_be_tried_is_said(server: FakeRedis) -> None:
    last = checks(server, key=FormatString.parse("%{[a]}"))[-1]
    assert (last.error, last.detail) == ("", "not tried: the key depends on the event")
    server.answers["MULTI"] = b"-NOPERM no permissions to run the 'multi' command\r\n"
    server.answers["INFO"] = b"-NOPERM no permissions to run the 'info' command\r\n"
    *_, talk, write = checks(server)
    assert talk.detail == "answers"
    assert "not tried: no permissions" in write.detail


def test_no_server_ends_with_the_connect() -> None:
    with FakeRedis() as server:
        pass
    assert [(check.step, bool(check.error)) for check in checks(server)] == [
        (Step.RESOLVE, False),
        (Step.CONNECT, True),
    ]
