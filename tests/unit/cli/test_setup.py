import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.cli.options import Options, PathOverrides
from connbeat.cli.setup import run
from connbeat.errors import ConfigError, OutputError
from connbeat.telemetry.log import take_down
from tests.servers.elasticsearch_server import ElasticsearchServer
from tests.servers.http_server import Answer


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was, for the next test."""
    yield
    take_down()
    logging.getLogger("connbeat").setLevel(logging.NOTSET)


def options(tmp_path: Path, *overrides: str) -> Options:
    return Options(command="setup", overrides=overrides, paths=PathOverrides(config=str(tmp_path)))


def hosts(*urls: str) -> str:
    return f"output.elasticsearch.hosts=[{', '.join(urls)}]"


def test_the_template_is_put_there_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ElasticsearchServer() as server:
        assert run(options(tmp_path, hosts(server.url))) == 0
        assert list(server.templates) == ["connbeat"]
        assert server.bodies() == [], "no event"
    assert capsys.readouterr().out == (
        "Elasticsearch 8.19.0, cluster test: index template connbeat set up\n"
    )


def test_another_host_stands_in_for_one_that_is_down(tmp_path: Path) -> None:
    with ElasticsearchServer() as server:
        assert run(options(tmp_path, hosts("http://127.0.0.1:1", server.url))) == 0
        assert list(server.templates) == ["connbeat"]


def test_missing_rights_are_a_failure_here(tmp_path: Path) -> None:
    with ElasticsearchServer() as server:
        body = b'{"error":{"type":"security_exception","reason":"no"}}'
        server.refuses = Answer(403, body, {"X-elastic-product": "Elasticsearch"})
        with pytest.raises(OutputError, match="our rights do not reach to the index template"):
            run(options(tmp_path, hosts(server.url)))


def test_without_elasticsearch_the_configuration_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"output\.elasticsearch is not on"):
        run(options(tmp_path))
