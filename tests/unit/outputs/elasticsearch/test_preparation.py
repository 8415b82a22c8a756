import logging
from typing import Any

import msgspec
import pytest

from connbeat.errors import Transient
from connbeat.model.schemas import SchemaName
from connbeat.outputs.elasticsearch.cluster import Answer
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.preparation import Preparation, Prepared, identify
from tests.unit.outputs.elasticsearch.fakes import FakeCluster

TEMPLATE = "/_index_template/connbeat"
POLICY = "/_ilm/policy/connbeat"
OK = Answer(200, b'{"acknowledged":true}')
FORBIDDEN = Answer(403, b'{"error":{"type":"security_exception","reason":"no"}}')


def root(version: str) -> bytes:
    return b'{"cluster_name":"c","version":{"number":"%s"}}' % version.encode()


def cluster(version: str = "8.19.0", *, has_ilm: bool = False) -> FakeCluster:
    fake = FakeCluster(root=root(version))
    fake.places = {("PUT", TEMPLATE): OK, ("PUT", POLICY): OK}
    if has_ilm:
        fake.places["GET", "/_ilm/status"] = Answer(200, b'{"operation_mode":"RUNNING"}')
    return fake


def prepare(
    fake: FakeCluster,
    policy: dict[str, Any] | None = None,
    schema: SchemaName = "connbeat",
    **options: Any,
) -> Prepared:
    config = ElasticsearchConfig(hosts=("es",), **options)
    return Preparation(config, policy, schema=schema).prepare(fake)


def put(fake: FakeCluster, path: str) -> Any:
    """What was put there, None if nothing was."""
    bodies = [one.body for one in fake.requests if (one.method, one.path) == ("PUT", path)]
    return msgspec.json.decode(bodies[0]) if bodies else None


@pytest.mark.parametrize("version", ["7.17.0", "7.17.28", "8.0.0", "8.19.0", "9.1.5"])
def test_versions_from_7_17_to_9_get_the_template(version: str) -> None:
    fake = cluster(version)
    assert prepare(fake) == Prepared("c", version, "connbeat")
    assert put(fake, TEMPLATE)["index_patterns"] == ["connbeat-*"]


@pytest.mark.parametrize("version", ["6.8.23", "7.16.3"])
def test_older_versions_are_refused_before_they_refuse_events(version: str) -> None:
    with pytest.raises(Transient, match="too old"):
        prepare(cluster(version))


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"version":{"number":"x"}}', b"[]"])
def test_what_is_no_elasticsearch_is_told(body: bytes) -> None:
    with pytest.raises(Transient, match="not an answer of Elasticsearch"):
        identify(FakeCluster(root=body))


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_cluster_that_does_not_let_us_in_is_asked_again(status: int) -> None:
    with pytest.raises(Transient, match=str(status)):
        identify(FakeCluster(Answer(status, b"")))


def test_who_may_not_ask_for_the_version_goes_on_without() -> None:
    fake = cluster()
    fake.answers.append(FORBIDDEN)
    assert prepare(fake) == Prepared("unknown", "", "connbeat")
    assert put(fake, TEMPLATE) is not None


def test_a_template_that_is_there_is_left_alone_unless_the_user_wants_ours() -> None:
    for overwrite in (False, True):
        fake = cluster()
        fake.places["GET", TEMPLATE] = OK
        prepare(fake, template_overwrite=overwrite)
        assert (put(fake, TEMPLATE) is not None) is overwrite


def test_a_template_for_other_indices_is_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    fake = cluster()
    for patterns, is_told in (("connbeat-*", False), ("other-*", True)):
        caplog.clear()
        inside = {"index_template": {"index_patterns": [patterns]}}
        body = msgspec.json.encode({"index_templates": [inside]})
        fake.places["GET", TEMPLATE] = Answer(200, body)
        prepare(fake)
        assert ("other indices" in caplog.text) is is_told


@pytest.mark.parametrize(
    ("meta", "schema", "is_told"),
    [
        ({"_meta": {"schema": "ecs"}}, "ecs", False),
        ({"_meta": {"schema": "connbeat"}}, "ecs", True),
        ({"_meta": {"schema": "ecs"}}, "connbeat", True),
        ({"_meta": {}}, "connbeat", False),  # of a version that knew one schema
        ({}, "connbeat", False),
        ({}, "ecs", True),
        ({"_meta": 1}, "ecs", False),  # no template of ours, and no trouble either
    ],
)
def test_a_template_for_another_schema_is_worth_a_line(
    caplog: pytest.LogCaptureFixture, meta: dict[str, Any], schema: SchemaName, is_told: bool
) -> None:
    fake = cluster()
    inside = {"index_template": {"index_patterns": ["connbeat-*"], **meta}}
    fake.places["GET", TEMPLATE] = Answer(200, msgspec.json.encode({"index_templates": [inside]}))
    prepare(fake, schema=schema)
    assert ("another schema" in caplog.text) is is_told


def test_the_template_is_that_of_the_schema() -> None:
    fake = cluster()
    prepare(fake, schema="ecs")
    assert put(fake, TEMPLATE)["_meta"]["schema"] == "ecs"


def test_without_the_right_to_templates_events_still_go_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for method in ("GET", "PUT"):
        caplog.clear()
        fake = cluster()
        fake.places[method, TEMPLATE] = FORBIDDEN
        prepare(fake)
        assert "rights" in caplog.text


@pytest.mark.parametrize("path", [TEMPLATE, "/_ilm/status"])
def test_where_it_is_asked_for_a_missing_right_is_a_failure(path: str) -> None:
    fake = cluster()
    fake.places["GET", path] = FORBIDDEN
    config = ElasticsearchConfig(hosts=("es",), data_stream=True)
    with pytest.raises(Transient, match="our rights do not reach"):
        Preparation(config, None, is_required=True).prepare(fake)


def test_where_it_is_asked_for_a_policy_that_cannot_be_is_a_failure() -> None:
    config = ElasticsearchConfig(hosts=("es",), ilm_enabled=True)
    with pytest.raises(Transient, match="no lifecycle management"):
        Preparation(config, None, is_required=True).prepare(cluster())


def test_a_template_that_the_cluster_refuses_is_told_and_tried_again() -> None:
    fake = cluster()
    refusal = (
        b'{"error":{"type":"illegal_argument_exception","reason":"unknown setting [index.x]"}}'
    )
    fake.places["PUT", TEMPLATE] = Answer(400, refusal)
    with pytest.raises(Transient, match=r"unknown setting \[index\.x\]"):
        prepare(fake, template_settings={"x": 1})


@pytest.mark.parametrize("status", [401, 500, 503])
def test_a_cluster_in_trouble_is_asked_for_its_template_again(status: int) -> None:
    fake = cluster()
    fake.places["GET", TEMPLATE] = Answer(status, b"")
    with pytest.raises(Transient, match=str(status)):
        prepare(fake)


def test_a_template_that_is_not_wanted_is_not_asked_for() -> None:
    fake = cluster()
    prepare(fake, template_enabled=False)
    assert [one.path for one in fake.requests] == ["/"]


def test_names_cannot_break_out_of_the_path() -> None:
    fake = cluster()
    fake.places["GET", "/_index_template/a%2Fb%3Fc"] = OK
    prepare(fake, template_name="a/b?c")
    assert [one.path for one in fake.requests] == ["/", "/_index_template/a%2Fb%3Fc"]


@pytest.mark.parametrize(
    ("enabled", "data_stream", "expected"),
    [
        ("auto", False, None),
        ("auto", True, "connbeat"),
        (True, False, "connbeat"),
        (False, True, None),
    ],
)
def test_who_gets_a_lifecycle_policy(enabled: Any, data_stream: bool, expected: str | None) -> None:
    fake = cluster(has_ilm=True)
    prepare(fake, ilm_enabled=enabled, data_stream=data_stream)
    assert (put(fake, POLICY) is not None) is (expected is not None)
    settings = put(fake, TEMPLATE)["template"]["settings"]
    assert settings.get("index.lifecycle.name") == expected


@pytest.mark.parametrize("enabled", ["auto", True])
def test_a_cluster_without_lifecycle_management_gets_no_policy(
    enabled: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fake = cluster()
    prepare(fake, ilm_enabled=enabled, data_stream=True)
    assert "index.lifecycle.name" not in put(fake, TEMPLATE)["template"]["settings"]
    (record,) = [one for one in caplog.records if "lifecycle" in one.message]
    assert (record.levelno == logging.WARNING) is (enabled is True)


def test_a_policy_that_is_there_is_left_alone_unless_the_user_wants_ours() -> None:
    for overwrite in (False, True):
        fake = cluster(has_ilm=True)
        fake.places["GET", POLICY] = OK
        prepare(fake, data_stream=True, ilm_overwrite=overwrite)
        assert (put(fake, POLICY) is not None) is overwrite
        assert put(fake, TEMPLATE)["template"]["settings"]["index.lifecycle.name"] == "connbeat"


def test_the_users_own_policy_is_put_as_it_is() -> None:
    fake = cluster(has_ilm=True)
    own = {"policy": {"phases": {"delete": {"min_age": "30d"}}}}
    prepare(fake, own, ilm_enabled=True)
    assert put(fake, POLICY) == own


def test_without_the_right_to_policies_there_is_none() -> None:
    for method, path in (("GET", "/_ilm/status"), ("PUT", POLICY)):
        fake = cluster(has_ilm=True)
        fake.places[method, path] = FORBIDDEN
        prepare(fake, data_stream=True)
        assert "index.lifecycle.name" not in put(fake, TEMPLATE)["template"]["settings"]
