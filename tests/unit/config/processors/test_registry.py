"""The contract with who comes from Beats: names of processors and options, and their defaults."""

import msgspec
import pytest

from connbeat.config.processors.declared import Declared
from connbeat.config.processors.registry import ELSEWHERE, PROCESSORS
from connbeat.config.processors.sections import field_of, shown_default
from connbeat.config.tree import Place, plain_node
from tests.unit.config.goldens import ROOT

# From the reference pages of Beats 8 and 9: option=default, ! where it is required. Without what
# cannot be here: ICMP has no connections, an event's id is its own, metadata services have no TLS.
OF_BEATS = {
    "drop_event": "",
    "drop_fields": "fields=! ignore_missing=false",
    "include_fields": "fields=!",
    "rename": "fields=! ignore_missing=false fail_on_error=true",
    "copy_fields": "fields=! ignore_missing=false fail_on_error=true",
    "convert": "fields=! ignore_missing=false fail_on_error=true mode=copy",
    "replace": "fields=! ignore_missing=false fail_on_error=true",
    "truncate_fields": "fields=! max_bytes max_characters ignore_missing=false fail_on_error=true",
    "decode_json_fields": (
        "fields=! process_array=false max_depth=1 target overwrite_keys=false expand_keys=false"
        " add_error_key=false"
    ),
    "add_fields": "fields=! target=fields",
    "add_tags": "tags=! target=tags",
    "add_labels": "labels=!",
    "fingerprint": (
        "fields=! ignore_missing=false target_field=fingerprint method=sha256 encoding=hex"
    ),
    "community_id": (
        "fields.source_ip=source.ip fields.source_port=source.port"
        " fields.destination_ip=destination.ip fields.destination_port=destination.port"
        " fields.iana_number=network.iana_number fields.transport=network.transport"
        " target=network.community_id seed=0"
    ),
    "rate_limit": "limit=! fields",
    "dns": (
        "type fields=! action=append transport=udp success_cache.capacity.initial=1000"
        " success_cache.capacity.max=10000 success_cache.min_ttl=60s"
        " failure_cache.capacity.initial=1000 failure_cache.capacity.max=10000"
        " failure_cache.ttl=60s nameservers timeout=500ms tag_on_failure"
    ),
    "add_host_metadata": (
        "netinfo.enabled=true cache.ttl=300s replace_fields=true geo.name geo.location"
        " geo.continent_name geo.country_name geo.region_name geo.city_name geo.country_iso_code"
        " geo.region_iso_code"
    ),
    "add_cloud_metadata": "timeout=3s providers overwrite=false",
}


def test_the_processors_are_those_of_the_list() -> None:
    assert set(PROCESSORS) == set(OF_BEATS)
    assert not ELSEWHERE & set(PROCESSORS)


@pytest.mark.parametrize("name", OF_BEATS)
def test_every_option_of_beats_is_there_with_its_default(name: str) -> None:
    declared = PROCESSORS[name]
    options = {option.key: option for option in declared.options}
    for text in OF_BEATS[name].split():
        key, _, default = text.partition("=")
        found = shown_default(options[key], declared.config)
        assert bool(options[key].required) == (default == "!")
        assert default in ("", "!") or found == default, key


@pytest.mark.parametrize("declared", PROCESSORS.values(), ids=PROCESSORS)
def test_options_and_fields_of_the_struct_are_the_same(declared: Declared) -> None:
    fields = {field.name for field in msgspec.structs.fields(declared.config)}
    assert {field_of(option) for option in declared.options} == fields


@pytest.mark.parametrize("declared", PROCESSORS.values(), ids=PROCESSORS)
def test_every_default_would_be_accepted_if_somebody_wrote_it(declared: Declared) -> None:
    defaults = {field.name: field.default for field in msgspec.structs.fields(declared.config)}
    for option in declared.options:
        default = defaults[field_of(option)]
        if default not in (None, "", (), {}, 0) and not option.required:
            shown = plain_node(option.kind.show(default), Place("f"))
            assert option.kind.parse(shown) == default


def test_the_page_names_every_processor_of_beats_that_is_not_here() -> None:
    page = (ROOT / "docs" / "processors.md").read_text(encoding="utf-8")
    assert [name for name in sorted(ELSEWHERE) if f"`{name}`" not in page] == []
