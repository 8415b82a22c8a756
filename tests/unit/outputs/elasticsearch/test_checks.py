import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connbeat.errors import Transient
from connbeat.outputs.elasticsearch.checks import check_host
from connbeat.outputs.elasticsearch.cluster import Answer
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.requests import HostSettings, host_settings
from connbeat.outputs.protocol import Check, Step
from tests.unit.outputs.elasticsearch.fakes import FakeCluster

RIGHTS = ("POST", "/_security/user/_has_privileges")


@pytest.fixture
def port() -> Iterator[int]:
    """Somebody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def checks(cluster: FakeCluster | Exception, port: int, **options: Any) -> list[Check]:
    config = ElasticsearchConfig(hosts=(f"127.0.0.1:{port}",), proxy_disable=True, **options)

    def connect(_: HostSettings) -> FakeCluster:
        if isinstance(cluster, Exception):
            raise cluster
        return cluster

    return list(check_host(host_settings(config.urls[0], config, "1"), config, connect))


def with_rights(**granted: bool) -> FakeCluster:
    cluster = FakeCluster()
    body = msgspec.json.encode({"has_all_requested": False, "index": {"connbeat-*": granted}})
    cluster.places[RIGHTS] = Answer(200, body)
    return cluster


def test_all_steps_of_a_cluster_that_takes_events(port: int) -> None:
    cluster = with_rights(create_doc=True, auto_configure=True)
    found = checks(cluster, port)
    assert [check.step for check in found] == [
        Step.RESOLVE,
        Step.CONNECT,
        Step.TALK,
        Step.WRITE,
    ]
    assert [check.error for check in found] == [""] * 4
    assert found[2].detail == "Elasticsearch 8.19.0, cluster test"
    assert found[3].detail == "may write to connbeat-*"
    assert cluster.closed == 1


def test_nothing_is_written(port: int) -> None:
    cluster = with_rights(create_doc=True, auto_configure=True)
    checks(cluster, port)
    assert [(one.method, one.path) for one in cluster.requests] == [("GET", "/"), RIGHTS]


def test_rights_that_are_missing_are_named(port: int) -> None:
    found = checks(with_rights(create_doc=True, auto_configure=False), port)
    assert found[-1].error == "no privilege auto_configure for connbeat-*"


@pytest.mark.parametrize(("status", "word"), [(400, "knows no rights"), (403, "may not be asked")])
def test_where_rights_cannot_be_asked_for_nothing_is_claimed(
    port: int, status: int, word: str
) -> None:
    cluster = FakeCluster()
    cluster.places[RIGHTS] = Answer(status, b"")
    found = checks(cluster, port)
    assert found[-1].step is Step.WRITE
    assert not found[-1].error
    assert word in found[-1].detail


def test_an_answer_about_rights_that_is_none_is_no_fault(port: int) -> None:
    cluster = FakeCluster()
    cluster.places[RIGHTS] = Answer(200, b"[]")
    assert not checks(cluster, port)[-1].error


def test_wrong_credentials_fail_where_they_are_used(port: int) -> None:
    refusal = b'{"error":{"type":"security_exception","reason":"missing credentials"}}'
    found = checks(FakeCluster(Answer(401, refusal)), port)
    assert (found[-1].step, found[-1].error) == (
        Step.TALK,
        "401 security_exception: missing credentials",
    )


def test_a_host_that_cannot_be_asked_fails_at_talk(port: int) -> None:
    assert checks(Transient("bad key"), port)[-1] == Check(
        step=Step.TALK, target=f"http://127.0.0.1:{port}", error="bad key"
    )


def test_after_a_step_that_failed_come_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = checks(FakeCluster(), port)
    assert [check.step for check in found] == [Step.RESOLVE, Step.CONNECT]
    assert found[-1].error


def test_with_a_proxy_it_is_the_proxy_that_has_to_be_reached(port: int) -> None:
    config = ElasticsearchConfig(
        hosts=("https://es.invalid:9200",), proxy_url=f"http://127.0.0.1:{port}"
    )
    cluster = with_rights(create_doc=True)
    settings = host_settings(config.urls[0], config, "1")
    found = list(check_host(settings, config, lambda _: cluster))
    assert [check.error for check in found] == [""] * 4
    assert found[1].target == f"127.0.0.1:{port}"
