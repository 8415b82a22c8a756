import msgspec
import pytest

from connbeat.model.format_strings import FormatString
from connbeat.outputs.hosts import parse_host
from connbeat.outputs.redis.config import RedisConfig, host_defaults


@pytest.mark.parametrize(
    ("text", "scheme", "port"),
    [
        ("h", "tcp", 7000),
        ("h:1", "tcp", 1),
        ("redis://h", "redis", 7000),
        ("rediss://h:2", "rediss", 2),
    ],
)
def test_hosts_take_the_port_they_do_not_say(text: str, scheme: str, port: int) -> None:
    url = parse_host(text, host_defaults(7000))
    assert (url.scheme, url.host, url.port) == (scheme, "h", port)


@pytest.mark.parametrize(
    ("options", "key"),
    [({"username": "u"}, "username"), ({"key": FormatString.parse("")}, "key")],
)
def test_what_cannot_be_meant_is_told(options: dict[str, object], key: str) -> None:
    config = msgspec.structs.replace(RedisConfig(hosts=("h",)), **options)
    assert [place for place, _ in config.problems()] == [key]


def test_defaults_are_those_of_libbeat() -> None:
    config = RedisConfig(hosts=("h",))
    assert list(config.problems()) == []
    assert (config.key.text, config.datatype, config.db, config.timeout_seconds) == (
        "connbeat",
        "list",
        0,
        5.0,
    )
    assert (config.bulk_max_size, config.worker, config.loadbalance) == (2048, 1, True)
