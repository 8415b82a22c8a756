"""What needs no server; the rest is in tests/contract."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from connbeat.errors import Permanent, Transient
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.output import ElasticsearchOutput, build
from connbeat.outputs.tls_policy import TlsPolicy
from tests.deliveries import batch, context, events


def output(*hosts: str, **options: Any) -> ElasticsearchOutput:
    return build(ElasticsearchConfig(hosts=hosts, timeout_seconds=1.0, **options), context())


@pytest.mark.parametrize(
    ("hosts", "options", "lanes"),
    [
        (("a",), {}, 1),
        (("a", "b"), {"worker": 2}, 4),
        (("a", "b"), {"worker": 2, "loadbalance": False}, 2),
    ],
)
def test_there_are_as_many_lanes_as_hosts_and_workers_want(
    hosts: tuple[str, ...], options: dict[str, Any], lanes: int
) -> None:
    assert len(output(*hosts, **options)._rows) == lanes


def test_without_load_balancing_the_first_host_is_the_first() -> None:
    assert output("a", "b", "c", loadbalance=False)._begins() == (0,)


def test_events_in_another_schema_go_to_indices_of_their_own() -> None:
    there = msgspec.structs.replace(context(), schema="ecs")
    made = build(ElasticsearchConfig(hosts=("h",)), there)
    assert made._config.template_name == "connbeat-ecs"
    assert made._config.chosen_pattern == "connbeat-ecs-*"


def test_a_certificate_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    missing = TlsPolicy(certificate_authorities=(str(tmp_path / "ca.pem"),))
    with pytest.raises(Permanent, match=r"ca\.pem"):
        output("https://h", ssl=missing).open()


def test_a_policy_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"setup\.ilm\.policy_file"):
        output("h", ilm_policy_file=str(tmp_path / "policy.json")).open()


def test_a_host_that_is_not_there_yet_is_no_mistake() -> None:
    made = output("http://127.0.0.1:1", proxy_disable=True)
    for call in (made.open, lambda: made.send(batch(*events(1)))):
        with pytest.raises(Transient, match=r"127\.0\.0\.1:1: Connection refused"):
            call()
    made.close()
    made.reopen()
