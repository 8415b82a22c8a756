from collections.abc import Iterator

import pytest

from connbeat.errors import Transient
from connbeat.outputs.redis.commands import Refused
from connbeat.outputs.redis.connection import Connection, Login
from connbeat.outputs.tls import ssl_context
from connbeat.outputs.tls_policy import TlsPolicy
from tests.servers.certificates import Authority
from tests.unit.outputs.redis.fakes import FakeRedis


@pytest.fixture
def server() -> Iterator[FakeRedis]:
    with FakeRedis() as made:
        yield made


def connect(server: FakeRedis, login: Login | None = None, **options: object) -> Connection:
    return Connection(
        "127.0.0.1",
        server.port,
        login or Login(),
        timeout_seconds=5,
        **options,  # type: ignore[arg-type]  # tls alone
    )


def test_commands_are_sent_together_and_each_has_its_reply(server: FakeRedis) -> None:
    connection = connect(server)
    assert connection.execute([("RPUSH", "k", b"a", b"b"), ("RPUSH", "k", b"c")]) == ([2, 3], None)
    assert server.lists[b"k"] == [b"a", b"b", b"c"]
    assert connection.is_usable()
    connection.close()


def test_login_and_database_come_first(server: FakeRedis) -> None:
    connect(server, Login(username="u", password="p", db=3)).close()
    assert [name for name in server.commands if name != "CLIENT"] == ["AUTH", "SELECT", "PING"]


@pytest.mark.parametrize(
    ("command", "reply", "expected"),
    [
        ("AUTH", b"-WRONGPASS invalid username-password pair\r\n", "does not let us in: invalid"),
        ("PING", b"-NOAUTH Authentication required.\r\n", "does not let us in: Authentication"),
        ("PING", b"-LOADING Redis is loading the dataset in memory\r\n", "loading the dataset"),
        ("SELECT", b"-ERR DB index is out of range\r\n", "DB index is out of range"),
        ("PING", None, "Connection closed by server"),
        ("PING", b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400"),
    ],
)
def test_a_server_that_does_not_want_us_is_transient(
    server: FakeRedis, command: str, reply: bytes | None, expected: str
) -> None:
    server.answers[command] = reply
    with pytest.raises(Transient, match=expected):
        connect(server, Login(password="p", db=1))


def test_who_may_only_write_is_welcome(server: FakeRedis) -> None:
    server.answers["PING"] = b"-NOPERM this user has no permissions to run the 'ping' command\r\n"
    connection = connect(server)
    assert connection.execute([("RPUSH", "k", b"a")]) == ([1], None)
    connection.close()


def test_a_refusal_is_a_reply_and_the_others_count(server: FakeRedis) -> None:
    connection = connect(server)
    server.answers["SET"] = b"-READONLY You can't write against a read only replica.\r\n"
    replies, error = connection.execute(
        [("RPUSH", "k", b"a"), ("SET", "a", "b"), ("RPUSH", "k", b"c")]
    )
    assert error is None
    assert (replies[0], replies[2]) == (1, 2)
    assert isinstance(replies[1], Refused)
    assert "read only replica" in replies[1].text
    connection.close()


def test_replies_before_the_connection_was_lost_are_kept(server: FakeRedis) -> None:
    connection = connect(server)
    server.answers["SET"] = None
    replies, error = connection.execute(
        [("RPUSH", "k", b"a"), ("SET", "a", "b"), ("RPUSH", "k", b"c")]
    )
    assert replies == [1]
    assert isinstance(error, Transient)
    assert not connection.is_usable()
    connection.close()


def test_nothing_is_sent_again_by_itself(server: FakeRedis) -> None:
    connection = connect(server)
    server.answers["RPUSH"] = None
    connection.execute([("RPUSH", "k", b"a")])
    assert server.commands.count("RPUSH") == 1


def test_a_connection_the_server_ended_is_not_used(server: FakeRedis) -> None:
    connection = connect(server)
    assert connection.is_usable()
    server.hang_up()
    server._open[0].close()
    assert not connection.is_usable()
    connection.close()


def test_no_server_is_transient() -> None:
    with FakeRedis() as server:
        port = server.port
    with pytest.raises(Transient, match=f"127.0.0.1:{port}"):
        Connection("127.0.0.1", port, Login(), timeout_seconds=5)


def test_tls_is_ours_and_not_redis_pys() -> None:
    authority = Authority()
    with FakeRedis(authority.server_context()) as server:
        trusting = ssl_context(TlsPolicy(certificate_authorities=(authority.pem,)))
        connection = connect(server, tls=trusting)
        assert connection.execute([("RPUSH", "k", b"a")]) == ([1], None)
        assert connection.is_usable()
        connection.close()
        with pytest.raises(Transient, match="the certificate is not accepted: unable to get local"):
            connect(server, tls=ssl_context(TlsPolicy(certificate_authorities=(Authority().pem,))))
