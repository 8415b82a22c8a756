import pytest

from connbeat.outputs.hosts import parse_host
from connbeat.outputs.logstash.config import LogstashConfig, host_defaults


def test_hosts_take_the_port_they_do_not_say() -> None:
    assert parse_host("h", host_defaults(5044)).netloc == "h:5044"
    assert parse_host("h:1", host_defaults(5044)).netloc == "h:1"


def test_a_url_is_no_host_of_logstash() -> None:
    with pytest.raises(ValueError, match="http"):
        parse_host("http://h", host_defaults(5044))


def test_defaults_are_those_of_libbeat() -> None:
    config = LogstashConfig(hosts=("h",))
    assert list(config.problems()) == []
    assert (config.index, config.compression_level, config.timeout_seconds) == ("connbeat", 3, 30.0)
    assert (config.bulk_max_size, config.worker, config.loadbalance) == (2048, 1, False)
    assert (config.slow_start, config.ttl_seconds) == (False, 0.0)
