import json
from pathlib import Path
from typing import Any

import pytest

from connbeat.cli.arguments import parse_arguments
from connbeat.cli.elasticsearch import run
from connbeat.errors import ConfigError

ON = "-E output.elasticsearch.hosts=es"


def exported(capsys: pytest.CaptureFixture[str], words: str) -> Any:
    assert run(parse_arguments(words.split())) == 0
    return json.loads(capsys.readouterr().out)


def test_the_template_needs_no_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    found = exported(capsys, "export template")
    assert found["index_patterns"] == ["connbeat-*"]
    assert found["template"]["mappings"]["properties"]["local_port"]["type"] == "long"


@pytest.mark.parametrize("version", ["6.8.23", "7.16.3", "7"])
def test_no_template_is_printed_that_the_cluster_would_not_take(version: str) -> None:
    with pytest.raises(ConfigError, match=rf"--es\.version: found '{version}', expected 7\.17 or"):
        run(parse_arguments(["export", "template", "--es.version", version]))


@pytest.mark.parametrize(("version", "is_known"), [("7.17.0", False), ("9.1.0", True)])
def test_the_template_is_for_the_version_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], version: str, is_known: bool
) -> None:
    settings = exported(capsys, f"export template --es.version {version}")["template"]["settings"]
    name = "index.mapping.total_fields.ignore_dynamic_beyond_limit"
    assert (name in settings) is is_known


def test_what_is_configured_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = f"export template {ON} -E output.elasticsearch.data_stream=true"
    found = exported(capsys, words)
    assert found["data_stream"] == {}
    assert found["template"]["settings"]["index.lifecycle.name"] == "connbeat"


def test_the_template_is_for_the_chosen_names(capsys: pytest.CaptureFixture[str]) -> None:
    found = exported(capsys, "export template -E schema=ecs")
    assert found["index_patterns"] == ["connbeat-ecs-*"]
    mappings = found["template"]["mappings"]["properties"]
    assert mappings["source"]["properties"]["port"]["type"] == "long"
    assert "local_port" not in mappings


def test_a_version_that_is_none_is_a_wrong_command_line() -> None:
    with pytest.raises(ConfigError, match=r"--es\.version: found 'x'"):
        run(parse_arguments(["export", "template", "--es.version=x"]))


def test_the_policy_is_ours_or_the_users(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "hot" in exported(capsys, "export ilm-policy")["policy"]["phases"]
    path = tmp_path / "policy.json"
    path.write_text('{"policy":{"phases":{"delete":{}}}}')
    own = exported(capsys, f"export ilm-policy {ON} -E setup.ilm.policy_file={path}")
    assert own == {"policy": {"phases": {"delete": {}}}}
