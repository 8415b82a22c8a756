import msgspec
import pytest

from connbeat.agent.reload import LIVE, Part, plan
from connbeat.config.options import OPTIONS
from connbeat.config.schema import (
    ConnbeatConfig,
    LogFilesConfig,
    LoggingConfig,
    QueueMemConfig,
    Settings,
)
from connbeat.outputs.configuration import OutputConfig
from connbeat.outputs.file.config import FileConfig
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.logstash.config import LogstashConfig

OLD = Settings(outputs={"http": HttpConfig(hosts=("a",)), "file": FileConfig(path="/x")})


def with_output(name: str, config: OutputConfig, **changes: object) -> Settings:
    new = msgspec.structs.replace(config, **changes)
    return msgspec.structs.replace(OLD, outputs={**OLD.outputs, name: new})


def test_what_did_not_change_concerns_nobody() -> None:
    planned = plan(OLD, OLD)
    assert (planned.settings, planned.live, planned.restart) == (OLD, {}, ())
    assert planned.new_outputs == frozenset()


@pytest.mark.parametrize(
    ("changes", "part", "key"),
    [
        ({"tags": ("a",)}, Part.DOCUMENTS, "tags"),
        (
            {"connbeat": ConnbeatConfig(poll_interval_seconds=9)},
            Part.POLLS,
            "connbeat.poll_interval",
        ),
        (
            {"connbeat": ConnbeatConfig(aggregation_seconds=9)},
            Part.REPORTS,
            "connbeat.aggregation",
        ),
        ({"logging": LoggingConfig(level="debug")}, Part.LOG, "logging.level"),
        ({"logging_files": LogFilesConfig(name="n")}, Part.LOG, "logging.files.name"),
        (
            {"logging": LoggingConfig(metrics_period_seconds=1)},
            Part.SUPERVISOR,
            "logging.metrics.period",
        ),
        (
            {"queue_mem": QueueMemConfig(flush_min_events=1)},
            Part.OUTPUTS,
            "queue.mem.flush.min_events",
        ),
    ],
)
def test_a_live_setting_is_for_the_part_that_has_it_and_is_in_force_then(
    changes: dict[str, object], part: Part, key: str
) -> None:
    new = msgspec.structs.replace(OLD, **changes)
    planned = plan(OLD, new)
    assert (planned.settings, planned.live, planned.restart) == (new, {part: (key,)}, ())


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"connbeat": ConnbeatConfig(capture="dump")}, "connbeat.capture"),
        ({"connbeat": ConnbeatConfig(expose_environ=True)}, "connbeat.expose_environ"),
        ({"queue_mem": QueueMemConfig(events=1)}, "queue.mem.events"),
        ({"outputs": {"http": OLD.outputs["http"]}}, "output.file.enabled"),
    ],
)
def test_any_other_keeps_its_old_value_until_a_restart(
    changes: dict[str, object], key: str
) -> None:
    new = msgspec.structs.replace(OLD, **changes)
    planned = plan(OLD, new)
    assert (planned.settings, planned.live, planned.restart) == (OLD, {}, (key,))
    both = msgspec.structs.replace(new, name="n")
    assert plan(OLD, both).settings == msgspec.structs.replace(OLD, name="n")
    assert plan(OLD, both).restart == (key,)


@pytest.mark.parametrize(
    ("name", "config", "changes", "is_new"),
    [
        ("http", HttpConfig(hosts=("a",)), {"hosts": ("b",)}, True),
        ("http", HttpConfig(hosts=("a",)), {"when": {"equals": {"a": 1}}}, False),
        ("http", HttpConfig(hosts=("a",)), {"max_retries": 3, "bulk_max_size": 7}, False),
        ("http", HttpConfig(hosts=("a",)), {"backoff_max_seconds": 3.0}, False),
        ("http", HttpConfig(hosts=("a",)), {"max_retries": 3, "worker": 7}, True),
    ],
)
def test_an_output_is_made_anew_only_for_what_its_worker_cannot_do(
    name: str, config: OutputConfig, changes: dict[str, object], is_new: bool
) -> None:
    planned = plan(OLD, with_output(name, config, **changes))
    assert planned.new_outputs == (frozenset({name}) if is_new else frozenset())
    assert planned.touches_output(name)
    assert not planned.touches_output("file")


def test_a_client_that_knows_the_size_of_batches_is_made_anew_for_it() -> None:
    old = Settings(outputs={"logstash": LogstashConfig(hosts=("a",))})
    new = Settings(outputs={"logstash": LogstashConfig(hosts=("a",), bulk_max_size=7)})
    assert plan(old, new).new_outputs == {"logstash"}


def test_when_batches_change_every_worker_has_something_to_learn() -> None:
    new = msgspec.structs.replace(OLD, queue_mem=QueueMemConfig(flush_timeout_seconds=5))
    assert plan(OLD, new).touches_output("file")
    assert plan(OLD, new).new_outputs == frozenset()


@pytest.mark.parametrize("pattern", LIVE)
def test_the_table_knows_only_options_that_there_are(pattern: str) -> None:
    assert any(key == pattern or key.startswith(pattern) for key in OPTIONS)
    assert pattern in OPTIONS or pattern.endswith(".")
