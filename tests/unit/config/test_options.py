import re

import msgspec
import pytest

from connbeat.config.option import Option, Status
from connbeat.config.options import (
    OPTIONS,
    SECTION_NAMES,
    SECTIONS,
    attribute_of,
    default_of,
    section_of,
)
from connbeat.config.schema import Settings
from connbeat.config.tree import Place, plain_node

OUTPUT_SWITCH = re.compile(r"output\.\w+\.(ssl\.)?enabled")
USED = [option for option in OPTIONS.values() if option.status is Status.USED]
# Whether an output is on is whether its section is there; the other fields are the sections.
WITHOUT_FIELD = {option.key for option in USED if OUTPUT_SWITCH.fullmatch(option.key)}


def test_every_option_that_is_used_has_its_field_and_every_field_its_option() -> None:
    structs: dict[str, type[msgspec.Struct]] = {"": Settings, **SECTIONS}
    fields = {
        (name, field.name)
        for name, struct in structs.items()
        for field in msgspec.structs.fields(struct)
    }
    sections = {("", name.replace(".", "_")) for name in SECTIONS} | {("", "outputs")}
    sections |= {(name.removesuffix(".ssl"), "ssl") for name in SECTIONS if name.endswith(".ssl")}
    options = {(section_of(o), attribute_of(o)) for o in USED if o.key not in WITHOUT_FIELD}
    # A shared option that one output cannot have is known there, and not used.
    unused = {
        (section_of(o), attribute_of(o) + suffix)
        for o in OPTIONS.values()
        if o.status is not Status.USED and section_of(o).startswith("output.")
        for suffix in ("", "_seconds")
    }
    assert options - (fields - sections) == set()
    assert fields - sections - unused == options - unused


def test_an_alias_stands_for_an_option_that_is_used() -> None:
    aliases = [option for option in OPTIONS.values() if option.status is Status.ALIAS]
    assert aliases
    assert {OPTIONS[option.stands_for].status for option in aliases} == {Status.USED}


@pytest.mark.parametrize("option", USED, ids=lambda option: option.key)
def test_every_default_would_be_accepted_if_somebody_wrote_it(option: Option) -> None:
    default = default_of(option)
    if default in (None, "", (), {}):
        return
    assert option.kind.parse(plain_node(option.kind.show(default), Place("f"))) == default


def test_no_option_is_a_section_at_the_same_time() -> None:
    assert not SECTION_NAMES & set(OPTIONS)


# From the `config:"..."` tags of connbeat's beater/config.go, libbeat 5.6.9 and beats-output-http.
KEYS_OF_5_6 = """
connbeat.expose_process_info connbeat.expose_cmdline connbeat.expose_environ connbeat.aggregation
connbeat.enable_local_connections connbeat.enable_docker connbeat.docker_environment
connbeat.enable_tcp_diag connbeat.poll_interval
name tags fields fields_under_root queue_size bulk_queue_size max_procs refresh_topology_freq
topology_expire geoip.paths processors path.home path.config path.data path.logs
logging.level logging.selectors logging.to_syslog logging.to_files logging.files.path
logging.files.name logging.files.rotateeverybytes logging.files.keepfiles
logging.files.permissions logging.metrics.enabled logging.metrics.period
dashboards.enabled dashboards.kibana_index dashboards.index dashboards.directory dashboards.file
dashboards.beat dashboards.url dashboards.only_dashboards dashboards.only_index
dashboards.snapshot dashboards.snapshot_url
output.console.enabled output.console.pretty output.console.codec output.console.bulk_max_size
output.console.flush_interval
output.file.enabled output.file.path output.file.filename output.file.rotate_every_kb
output.file.number_of_files output.file.codec output.file.bulk_max_size output.file.flush_interval
output.elasticsearch.hosts output.elasticsearch.worker output.elasticsearch.protocol
output.elasticsearch.path output.elasticsearch.parameters output.elasticsearch.headers
output.elasticsearch.username output.elasticsearch.password output.elasticsearch.proxy_url
output.elasticsearch.loadbalance output.elasticsearch.compression_level
output.elasticsearch.ssl.enabled output.elasticsearch.ssl.certificate output.elasticsearch.index
output.elasticsearch.indices output.elasticsearch.pipeline output.elasticsearch.pipelines
output.elasticsearch.max_retries output.elasticsearch.timeout output.elasticsearch.save_topology
output.elasticsearch.template.enabled output.elasticsearch.template.name
output.elasticsearch.template.path output.elasticsearch.template.overwrite
output.elasticsearch.template.versions.2x.enabled output.elasticsearch.template.versions.2x.path
output.elasticsearch.template.versions.6x.enabled output.elasticsearch.template.versions.6x.path
output.kafka.hosts output.kafka.ssl.key output.kafka.timeout output.kafka.worker
output.kafka.metadata.retry.max output.kafka.key output.kafka.topic output.kafka.topics
output.kafka.partition output.kafka.keep_alive output.kafka.max_message_bytes
output.kafka.required_acks output.kafka.broker_timeout output.kafka.compression
output.kafka.version output.kafka.max_retries output.kafka.client_id
output.kafka.channel_buffer_size output.kafka.username output.kafka.password output.kafka.codec
output.logstash.hosts output.logstash.index output.logstash.port output.logstash.loadbalance
output.logstash.bulk_max_size output.logstash.slow_start output.logstash.timeout
output.logstash.pipelining output.logstash.compression_level output.logstash.max_retries
output.logstash.ssl.verification_mode output.logstash.proxy_url
output.logstash.proxy_use_local_resolver
output.redis.hosts output.redis.password output.redis.index output.redis.key output.redis.keys
output.redis.port output.redis.loadbalance output.redis.timeout output.redis.max_retries
output.redis.ssl.enabled output.redis.proxy_url output.redis.proxy_use_local_resolver
output.redis.db output.redis.datatype output.redis.host_topology output.redis.password_topology
output.redis.db_topology output.redis.codec
output.http.hosts output.http.protocol output.http.path output.http.parameters
output.http.username output.http.password output.http.proxy_url output.http.loadbalance
output.http.compression_level output.http.tls.enabled output.http.tls.key_passphrase
output.http.max_retries output.http.timeout output.http.worker
"""


def test_every_option_of_5_6_is_known() -> None:
    assert [key for key in KEYS_OF_5_6.split() if key not in OPTIONS] == []
