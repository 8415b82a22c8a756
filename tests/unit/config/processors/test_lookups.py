import pytest

from tests.unit.processors.trying import faults_of


@pytest.mark.parametrize(
    ("yaml", "fault"),
    [
        ("- dns: {}", "is missing, expected fields such as remote_ip: remote_domain"),
        ("- dns: {fields: {}}", "found a section, expected at least one field: remote_ip"),
        ("- dns: {fields: {a: '@metadata.x'}}", "expected a field of the event"),
        ("- dns: {fields: {a: '@timestamp'}}", "the time of an event is not to be changed"),
        ("- dns: {fields: {a: b}, type: TXT}", "found 'TXT', expected reverse or ptr"),
        ("- dns: {fields: {a: b}, nameservers: [dns.example]}", "found 'dns.example', expected an"),
        ("- dns: {fields: {a: b}, failure_cache.ttl: 0}", "expected a duration such as"),
        ("- add_host_metadata.cache.ttl: -1s", "expected a duration such as"),
        (
            "- add_cloud_metadata.providers: [aws, azur]",
            "found 'azur', expected one of alibaba, aws",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(yaml: str, fault: str) -> None:
    (text,) = faults_of(yaml).values()
    assert fault in text
