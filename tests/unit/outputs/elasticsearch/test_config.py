from typing import Any

import pytest

from connbeat.model.ecs_fields import DATA_STREAM_NAMESPACE, DATA_STREAM_TYPE, DATASET
from connbeat.model.format_strings import FormatString
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.tls_policy import TlsPolicy


def config(*hosts: str, **options: Any) -> ElasticsearchConfig:
    return ElasticsearchConfig(hosts=hosts or ("es",), **options)


def problems(found: ElasticsearchConfig) -> list[str]:
    return [key for key, _ in found.problems()]


def test_a_host_alone_is_http_on_9200() -> None:
    assert config().urls[0].url == "http://es:9200"


def test_hosts_get_what_they_do_not_say() -> None:
    urls = config("a", "http://b:1/x", protocol="https", path="es").urls
    assert [url.url for url in urls] == ["https://a:9200/es", "http://b:1/x"]


def test_hosts_with_tls_options_are_https() -> None:
    assert config(ssl=TlsPolicy()).urls[0].scheme == "https"


def test_what_hosts_have_behind_their_question_mark_is_a_parameter() -> None:
    found = config("es?pipeline=p", parameters={"timeout": "5s"}).query
    assert found == {"timeout": "5s", "pipeline": "p"}


def test_the_index_is_the_originals_unless_a_data_stream_is_wanted() -> None:
    assert config().chosen_index.text == "connbeat-%{+yyyy.MM.dd}"
    assert config(data_stream=True).chosen_index.text == "logs-connbeat-default"
    own = FormatString.parse("own")
    assert config(index=own, data_stream=True).chosen_index is own


def test_the_templates_pattern_follows_the_index() -> None:
    assert config().chosen_pattern == "connbeat-*"
    assert config(data_stream=True).chosen_pattern == "logs-connbeat-default"
    assert config(template_pattern="x-*").chosen_pattern == "x-*"


@pytest.mark.parametrize(
    ("is_stream", "index", "pattern"),
    [
        (False, "connbeat-ecs-%{+yyyy.MM.dd}", "connbeat-ecs-*"),
        (True, "logs-connbeat.connection-default", "logs-connbeat.connection-default"),
    ],
)
def test_each_schema_has_indices_and_a_template_of_its_own(
    is_stream: bool, index: str, pattern: str
) -> None:
    plain = config(data_stream=is_stream)
    assert plain.in_schema("connbeat") is plain
    ecs = plain.in_schema("ecs")
    assert (ecs.chosen_index.text, ecs.chosen_pattern) == (index, pattern)
    assert ecs.template_name == "connbeat-ecs"
    assert ecs.template_wish(policy="", schema="ecs").schema == "ecs"


def test_the_names_the_user_chose_are_those_of_every_schema() -> None:
    own = FormatString.parse("own")
    ecs = config(index=own, template_name="t", template_pattern="x-*").in_schema("ecs")
    assert ecs.chosen_index is own
    assert (ecs.chosen_pattern, ecs.template_name) == ("x-*", "t")


def test_the_data_stream_of_ecs_is_the_one_its_documents_name() -> None:
    name = f"{DATA_STREAM_TYPE}-{DATASET}-{DATA_STREAM_NAMESPACE}"
    assert config(data_stream=True).in_schema("ecs").chosen_index.text == name


def test_what_cannot_be_meant_together_is_told() -> None:
    assert problems(config()) == []
    assert problems(config(api_key="i:k", username="u")) == ["api_key"]
    assert problems(config(password="p")) == ["password"]
    assert problems(config("es", "ES:9200")) == ["hosts"]


@pytest.mark.parametrize(("is_on", "expected"), [(True, ["template.pattern"]), (False, [])])
def test_an_index_that_begins_with_a_field_needs_a_pattern(
    is_on: bool, expected: list[str]
) -> None:
    index = FormatString.parse("%{[beat.name]}-x")
    assert problems(config(index=index, template_enabled=is_on)) == expected
    assert problems(config(index=index, template_pattern="*-x")) == []
