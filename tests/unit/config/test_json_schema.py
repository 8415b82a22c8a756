"""The schema beside the agent's own checks: what those take, it takes."""

import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
import yaml

from connbeat.config.json_schema import config_schema
from connbeat.config.options import OPTIONS
from connbeat.config.reference_file import reference_file
from tests.unit.config.goldens import DATA, ROOT

SCHEMA = config_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
EXAMPLES = [
    *ROOT.glob("connbeat*.yml"),
    *ROOT.glob("docker/*.yml"),
    *ROOT.glob("packages/connbeat*.yml"),
    *(DATA / "old").glob("*.yml"),
    *(DATA / "examples").glob("*.yml"),
]


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_it_takes_the_reference() -> None:
    assert errors(reference_file()) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_it_takes_every_file_that_comes_with_connbeat(path: Path) -> None:
    assert errors(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "connbeat:",
        "connbeat: {poll_interval: 1s}",
        "connbeat.poll_interval: 1s",
        "output: {file.path: /x}",
        "output.file: {path: /x, rotate_every_kb: 10}",
        "output: {kafka: {hosts: [a], metadata: {retry.backoff: 1s}}}",
        "output: {kafka: {hosts: [a], metadata.retry: {backoff: 1s}}}",
        "queue.mem.events: ${EVENTS:100}",
        "output.http: ${HTTP}",
        "fields: {a: {b: [1]}}",
        "fields.a.b: [1]",
        "output.file: {path: /x, when.equals.remote_port: 80}",
        "output.kafka.partition.hash: {reachable_only: false}",
        "fields.dc: a",
        "output: {file: {path: /x, when.equals.remote_port: 80}}",
        "output.elasticsearch.headers.X-Thing: a",
        "processors:",
        "processors: [{drop_fields: {fields: [container.env]}}]",
        "processors: [{add_host_metadata: ~}, {drop_event.when.equals.remote_port: 80}]",
        "processors: [{add_tags: {tags: [a], when.network.remote_ip: public}}]",
        "processors: [{if.equals.remote_port: 80, then: {drop_event: ~}, else: [{drop_event: }]}]",
        "queue_size: 1000",
    ],
)
def test_it_takes_every_way_to_write_a_key(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "connbeat: {poll_intervall: 1s}",
        "connbeat.poll_intervall: 1s",
        "output: {fiel.path: /x}",
        "connbeat: fast",
        "connbeat.poll_interval: fast",
        "output: {file: {number_of_files: 1}}",
        "logging.level: loud",
        "tags: {a: b}",
        "fieldz.dc: a",
        "processors: [{drop_feilds: {fields: [a]}}]",
        "processors: [{drop_fields: {feilds: [a]}}]",
        "processors: [{if.equals.remote_port: 80}]",
        "processors: [drop_event]",
        "[]",
    ],
)
def test_it_refuses_what_is_broken(text: str) -> None:
    assert errors(text)


def _misspelt() -> list[Path]:
    """The broken files in which the agent finds a key it does not know."""
    messages = (DATA / "broken").glob("*.txt")
    return [
        path.with_suffix(".yml")
        for path in sorted(messages)
        if "unknown key" in path.read_text(encoding="utf-8") and _is_yaml(path.with_suffix(".yml"))
    ]


def _is_yaml(path: Path) -> bool:
    """The agent goes on where the parser has to give up."""
    try:
        yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        return False
    return True


@pytest.mark.parametrize("path", _misspelt(), ids=lambda path: path.stem)
def test_a_key_the_agent_does_not_know_is_refused(path: Path) -> None:
    assert errors(path.read_text(encoding="utf-8"))


def test_editors_get_descriptions_and_defaults_and_know_what_is_of_yesterday() -> None:
    definitions: dict[str, Any] = SCHEMA["definitions"]
    assert definitions["connbeat.aggregation"]["default"] == "30s"
    assert all("description" in definitions[key] for key in OPTIONS)
    assert definitions["queue_size"]["deprecated"] is True
    assert "default" not in definitions["step.drop_fields.fields"]
    assert "deprecated" not in definitions["connbeat.aggregation"]


def _blocks(page: str) -> list[str]:
    """The configurations that a page shows; what is indented is part of one."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```ya?ml\n(\S.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["configuration.md", "outputs.md", "queues.md", "processors.md"])
def test_what_the_pages_show_is_right(page: str) -> None:
    assert _blocks(page)
    wrong = {block: errors(block) for block in _blocks(page) if errors(block)}
    assert wrong == {}
