from connbeat.processors.host.processor import (
    HostMetadataConfig,
    host_fields,
    mac_text,
    parse_os_release,
)
from tests.unit.processors.trying import EVENT, Trial

DEBIAN = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
# a comment
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
nonsense
"""
SYSTEM = {"hostname": "h1", "architecture": "x86_64", "kernel": "6.1.0", "machine_id": "m1"}


def test_the_fields_are_those_of_ecs() -> None:
    addresses = {"ip": ["192.0.2.1"], "mac": ["00-00-5E-00-53-23"]}
    assert host_fields(SYSTEM, parse_os_release(DEBIAN), addresses) == {
        "name": "h1",
        "hostname": "h1",
        "architecture": "x86_64",
        "id": "m1",
        "os": {
            "type": "linux",
            "family": "debian",
            "platform": "debian",
            "name": "Debian GNU/Linux",
            "version": "12 (bookworm)",
            "codename": "bookworm",
            "kernel": "6.1.0",
        },
        **addresses,
    }


def test_what_is_not_known_is_left_out() -> None:
    assert host_fields({}, {}, {}) == {"os": {"type": "linux"}}


def test_the_family_is_the_distribution_that_others_come_from() -> None:
    families = {
        'ID="rocky"\nID_LIKE="rhel centos fedora"': "redhat",
        "ID=ubuntu\nID_LIKE=debian": "debian",
        "ID=mint\nID_LIKE='ubuntu debian'": "debian",
        "ID=alpine": "alpine",
    }
    for text, family in families.items():
        assert host_fields({}, parse_os_release(text), {})["os"]["family"] == family


def test_a_mac_is_written_as_ecs_has_it() -> None:
    assert mac_text("00:00:5e:00:53:23") == "00-00-5E-00-53-23"


def test_the_event_says_what_host_it_is_from() -> None:
    trial = Trial("- add_host_metadata: {netinfo.enabled: false, geo.name: rack1}")
    assert trial() == {**EVENT, "host": {"geo": {"name": "rack1"}}}
    trial.services.known_facts = {"id": "m1"}
    assert trial() == {**EVENT, "host": {"id": "m1", "geo": {"name": "rack1"}}}
    trial.services.known_facts = {"id": "m2"}
    assert trial()["host"]["id"] == "m2"
    assert trial.services.asked_for == [HostMetadataConfig(netinfo_enabled=False, geo_name="rack1")]


def test_a_host_that_is_there_may_stay() -> None:
    document = {"host": {"id": "other"}}
    trial = Trial("- add_host_metadata.replace_fields: false")
    trial.services.known_facts = {"id": "m1"}
    assert trial(document) is document
    assert Trial("- add_host_metadata:", trial.services)(document) == {"host": {"id": "m1"}}
