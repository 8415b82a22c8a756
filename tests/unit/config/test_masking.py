import pytest

from connbeat.config.masking import describe, is_secret_name, masked, masked_text, shown_key
from connbeat.config.tree import Node, Place, nested, plain_node, secret

HERE = Place("f.yml", 1)


@pytest.mark.parametrize(
    "path",
    [
        "output.http.password", "output.http.ssl.key_passphrase", "api_key", "x.apikey",
        "fields.auth_token", "client_secret", "output.http.ssl.key", "output.http.tls.key",
        "output.kafka.librdkafka.ssl.key.pem", "output.kafka.librdkafka.sasl.oauthbearer.config",
        "output.kafka.librdkafka.sasl.password", "output.http.headers.X-Any",
        "output.elasticsearch.parameters.code", "output.redis.password_topology", "x.pass",
        "ES_PASSWORD", "PASS", "DB_PASS",
    ],
)  # fmt: skip
def test_what_is_called_a_secret_is_masked_and_not_described(path: str) -> None:
    assert is_secret_name(path)
    for node in (
        plain_node("hunter2", HERE),
        Node((plain_node("hunter2", HERE),), HERE),
        nested("below", plain_node("hunter2", HERE)),
    ):
        assert "hunter2" not in str(masked(nested(path, node)))
        assert "hunter2" not in describe(node, path)


@pytest.mark.parametrize(
    "path",
    [
        "output.kafka.key", "output.redis.key", "output.redis.keys", "fields.passage",
        "output.http.keep_alive", "path.data", "output.http.username", "compass", "keystore.path",
        "output.file.permissions", "output.kafka.librdkafka.enable.ssl.certificate.verification",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(path: str) -> None:
    node = nested(path, plain_node("7", HERE))
    assert "7" in str(masked(node))
    assert not is_secret_name(path)


def test_what_came_from_a_secret_is_one_under_every_name() -> None:
    node = nested("name", secret(plain_node("hunter2", HERE)))
    assert masked(node) == {"name": "xxxxx"}
    assert describe(secret(plain_node("hunter2", HERE)), "name") == "a value that is not shown"


def test_nothing_is_no_secret() -> None:
    assert masked(nested("password", plain_node("", HERE))) == {"password": None}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:pa@ss@h:9200/x?api_key=K&b=1", "https://xxxxx@h:9200/x?api_key=xxxxx&b=xxxxx"),
        ("https://u:p/a?s#s@h", "https://xxxxx@h"),
        ("http://token@h", "http://xxxxx@h"),
        ("u:p@h:9200", "xxxxx@h:9200"),
        ("redis://:pw@h:6379/0", "redis://xxxxx@h:6379/0"),
        ("http://h:9200/a", "http://h:9200/a"),
        ("h:9200", "h:9200"),
        ("someone@example.org", "someone@example.org"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "xxxxx"),
    ],
)
def test_secrets_are_told_by_their_looks(text: str, shown: str) -> None:
    assert masked_text(text) == shown
    assert masked(nested("a", Node((Node(text, HERE, text),), HERE))) == {"a": [shown]}


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("output.http.password hunter2", "output.http.password..."),
        ("output.http.password:hunter2", "output.http.password..."),
        ("output.http.password=hunter2", "output.http.password..."),
        ("output.http.password", "output.http.password"),
        ("output.http.headers.X-Auth", "output.http.headers.X-Auth"),
        ("output.http.timeout 5s", "output.http.timeout 5s"),
        ("", ""),
    ],
)
def test_a_key_that_runs_on_into_a_secret_is_cut(key: str, shown: str) -> None:
    assert shown_key(key) == shown


def test_what_was_found_is_described_on_one_short_line() -> None:
    assert describe(plain_node("a\nb", HERE), "x") == r"'a\nb'"
    assert len(describe(plain_node("x" * 1000, HERE), "x")) == 42
    assert describe(Node({}, HERE), "x") == "a section"
    assert describe(Node((), HERE), "x") == "a list"
    assert describe(Node(None, HERE), "x") == "nothing"
    assert describe(plain_node("http://u:pw@h", HERE), "x") == "'http://xxxxx@h'"
