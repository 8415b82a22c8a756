"""The three configurations that the original shipped, written down from its documentation."""

from pathlib import Path

import pytest

from connbeat.agent import build
from connbeat.agent.build import build_agent
from connbeat.clock import SystemClock
from connbeat.config.load import Loaded, Sources, load
from connbeat.config.option import Status
from connbeat.config.options import OPTIONS
from connbeat.config.schema import ConnbeatConfig
from connbeat.config.tree import Place, plain_node
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.http.config import HttpConfig
from tests.unit.config.goldens import DATA, old_options

EXAMPLES = ("host", "docker", "full")


def example(name: str, **environment: str) -> Loaded:
    path = DATA / "examples" / f"{name}.yml"
    return load(Sources(files=(str(path),), has_strict_permissions=False), environment)


def test_the_host_s_example_means_what_it_meant() -> None:
    settings = example("host").settings
    assert settings.connbeat == ConnbeatConfig(
        expose_cmdline=False, expose_environ=True, aggregation_seconds=10, enable_tcp_diag=True
    )
    assert settings.outputs == {"elasticsearch": ElasticsearchConfig(hosts=("localhost:9200",))}


def test_docker_s_example_takes_its_destinations_from_the_environment() -> None:
    settings = example("docker", CONNBEAT_URL="https://collector/events").settings
    assert settings.connbeat == ConnbeatConfig(
        enable_local_connections=False,
        enable_docker=True,
        docker_environment=("MESOS_TASK_ID", "MARATHON_APP_ID"),
    )
    http = HttpConfig(hosts=("https://collector/events",), max_retries=3)
    assert settings.outputs == {"http": http}
    assert settings.fields == {"cluster": "unknown"}
    several = example("docker", CONNBEAT_URL="a:1/x,b:2", CLUSTER="c1").settings
    assert several.fields == {"cluster": "c1"}


def test_the_full_example_turns_every_output_on_at_once() -> None:
    settings = example("full").settings
    assert set(settings.outputs) == {
        "console", "elasticsearch", "file", "http", "kafka", "logstash", "redis",
    }  # fmt: skip
    assert settings.connbeat.enable_tcp_diag is False
    assert settings.outputs["elasticsearch"].max_retries == 3
    assert settings.outputs["console"].bulk_max_size == 1
    assert settings.path.data == "/var/lib/connbeat"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_warns_of_nothing_but_what_has_no_effect(name: str) -> None:
    no_effect = ("has no meaning any more", "not built yet", "section is empty")
    warnings = example(name).warnings
    assert [text for text in warnings if not any(word in text for word in no_effect)] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_agent_can_be_made_of_an_example(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("0123456789abcdef\n")
    monkeypatch.setattr(build, "_BOOT_ID", boot_id)
    settings = example(name).settings
    environ = {"DOCKERHOST_HOSTNAME": "dh", "DOCKERHOST_IP": "127.0.1.1"}
    agent = build_agent(settings, environ, SystemClock(), dry_run=False)
    assert {worker.name for worker in agent.workers} == set(settings.outputs)


def test_every_default_of_5_6_would_be_accepted_if_somebody_wrote_it() -> None:
    for key, default in old_options():
        option = OPTIONS[key]
        if default and option.status is Status.USED:
            option.kind.parse(plain_node(default, Place("f")))
