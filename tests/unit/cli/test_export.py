import json
from pathlib import Path

import pytest
import yaml

from connbeat.cli.export import run
from connbeat.cli.options import Options, PathOverrides


def test_the_merged_configuration_is_yaml_without_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path)
    options = Options(
        command="export config",
        overrides=(
            "output.http={enabled: false, password: hunter2, hosts: ['http://u:p@h/?api_key=k']}",
            "output.console.pretty=on",
        ),
        paths=PathOverrides(home=home),
    )
    assert run(options) == 0
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    assert yaml.safe_load(printed) == {
        "output": {
            "http": {
                "enabled": False,
                "password": "xxxxx",
                "hosts": ["http://xxxxx@h/?api_key=xxxxx"],
            },
            "console": {"pretty": True},
        },
        "path": {"home": home, "config": home, "data": f"{home}/data", "logs": f"{home}/logs"},
    }


def test_the_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(command="export schema")) == 0
    assert "$schema" in json.loads(capsys.readouterr().out)


def test_the_schema_is_that_of_the_chosen_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(command="export schema", overrides=("schema=ecs",))) == 0
    properties = json.loads(capsys.readouterr().out)["properties"]
    assert {"source", "process", "connbeat"} <= properties.keys()
    assert "local_process" not in properties


def test_a_list_in_one_word_is_printed_as_the_list_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(
        command="export config",
        overrides=("tags=a,b", "name=a,b", "output.elasticsearch.hosts=u:p@x,y"),
        paths=PathOverrides(home=str(tmp_path)),
    )
    assert run(options) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["tags"] == ["a", "b"]
    assert printed["name"] == "a,b"
    assert printed["output"]["elasticsearch"]["hosts"] == ["xxxxx@x", "y"]
