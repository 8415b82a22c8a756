import pytest

from connbeat.config.checking import check
from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.outputs.elasticsearch import OPTIONS, SETUP
from connbeat.errors import ConfigError
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.template import flat_settings

HOSTS = "output.elasticsearch.hosts: [es]\n"


def checked(text: str) -> tuple[ElasticsearchConfig, Findings]:
    findings = Findings()
    settings = check(parse_document(text, "f.yml", findings), findings)
    found = settings.outputs["elasticsearch"]
    assert isinstance(found, ElasticsearchConfig)
    return found, findings


def config_of(text: str) -> ElasticsearchConfig:
    config, findings = checked(text)
    findings.raise_faults()
    return config


def test_keys_are_relative_and_there_once() -> None:
    keys = [option.key for option in OPTIONS]
    assert len(keys) == len(set(keys))
    assert not [key for key in keys if key.startswith("output.")]
    assert all(option.key.startswith("setup.") for option in SETUP)


@pytest.mark.parametrize("section", ["output.elasticsearch", "setup"])
def test_template_and_policy_have_their_old_and_their_new_place(section: str) -> None:
    config = config_of(
        f"{HOSTS}{section}.template: {{enabled: false, name: t, settings: {{index.codec: x}}}}\n"
        f"{section}.ilm: {{enabled: true, policy_name: p, policy_file: /f}}\n"
    )
    assert (config.template_enabled, config.template_name) == (False, "t")
    assert flat_settings(config.template_settings) == {"index.codec": "x"}
    assert (config.ilm_enabled, config.ilm_policy_name, config.ilm_policy_file) == (True, "p", "/f")


def test_setup_alone_turns_nothing_on() -> None:
    findings = Findings()
    settings = check(parse_document("setup.template.name: t", "f.yml", findings), findings)
    assert list(settings.outputs) == ["console"]


def test_a_configuration_of_2017_still_works_and_its_template_files_need_not_exist() -> None:
    config, findings = checked(
        "output.elasticsearch:\n"
        "  hosts: ['es:9200']\n"
        "  index: 'connbeat-%{+yyyy.MM.dd}'\n"
        "  bulk_max_size: 50\n"
        "  flush_interval: 1s\n"
        "  max_retries: 3\n"
        "  save_topology: false\n"
        "  template: {name: connbeat, path: gone.json, overwrite: false,"
        " versions: {2x: {enabled: true, path: gone.json}}}\n"
    )
    findings.raise_faults()
    assert (config.bulk_max_size, config.max_retries) == (50, 3)
    assert config.template_name == "connbeat"


def test_the_dead_letter_index_has_libbeats_name_too() -> None:
    key = "output.elasticsearch.non_indexable_policy.dead_letter_index.index"
    assert config_of(f"{HOSTS}{key}: dead").dead_letter_index == "dead"


def test_what_contradicts_itself_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(f"{HOSTS}output.elasticsearch: {{api_key: 'a:b', username: u}}\n")
    (fault,) = caught.value.faults
    assert fault.startswith("f.yml:2: output.elasticsearch.api_key: expected either")
