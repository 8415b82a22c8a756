import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.config.changes import changed_options, with_changes
from connbeat.config.checking import check
from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.schema import ConnbeatConfig, Settings

LINES = {
    "name": "name: n",
    "fields": "fields: {a: 1}",
    "connbeat.aggregation": "connbeat.aggregation: 5s",
    "queue.mem.flush.timeout": "queue.mem.flush.timeout: 9s",
    "logging.metrics.period": "logging.metrics.period: 7s",
    "path.data": "path.data: /d",
    "output.http.timeout": "output.http.timeout: 5s",
    "output.http.when": "output.http.when.equals.remote_port: 80",
    "output.http.ssl.certificate": "output.http.ssl.certificate: c",
    "output.kafka.topic": "output.kafka.topic: x-%{[beat.name]}",
}
BASE = "output.http.hosts: [a]\noutput.kafka: {hosts: [k], topic: t}\noutput.kafka.key: k\n"


def settings_of(*keys: str) -> Settings:
    lines = [LINES[key] for key in keys]
    base = BASE.replace(", topic: t", "") if "output.kafka.topic" in keys else BASE
    findings = Findings()
    settings = check(parse_document(base + "\n".join(lines), "f.yml", findings), findings)
    findings.raise_faults()
    return settings


@pytest.mark.parametrize("key", LINES)
def test_a_changed_value_is_told_by_its_option(key: str) -> None:
    changed = changed_options(settings_of(), settings_of(key))
    if key == "output.http.ssl.certificate":  # the section came with it, and all of its values
        assert key in changed
        assert all(one.startswith("output.http.ssl.") for one in changed)
    else:
        assert changed == (key,)
    assert set(changed_options(settings_of(key), settings_of())) == set(changed)


@given(st.sets(st.sampled_from(sorted(LINES))), st.sets(st.sampled_from(sorted(LINES))))
def test_with_all_changes_the_old_settings_are_the_new_ones(
    first: set[str], second: set[str]
) -> None:
    old, new = settings_of(*sorted(first)), settings_of(*sorted(second))
    assert changed_options(old, old) == ()
    assert with_changes(old, new, changed_options(old, new)) == new


def test_what_is_not_named_stays_as_it_was() -> None:
    old = Settings(name="a", connbeat=ConnbeatConfig(aggregation_seconds=1, capture="dump"))
    new = Settings(name="b", connbeat=ConnbeatConfig(aggregation_seconds=2, capture="procfs"))
    assert with_changes(old, new, ["connbeat.aggregation"]) == Settings(
        name="a", connbeat=ConnbeatConfig(aggregation_seconds=2, capture="dump")
    )


def test_an_output_that_comes_or_goes_is_told_as_its_switch_alone() -> None:
    both = settings_of("output.http.timeout")
    one = msgspec.structs.replace(both, outputs={"kafka": both.outputs["kafka"]})
    assert changed_options(both, one) == ("output.http.enabled",)
    assert changed_options(one, both) == ("output.http.enabled",)
