import importlib

import pytest

from connbeat.agent.lookups import Lookups
from connbeat.errors import ConfigError
from connbeat.processors.cloud.processor import CloudMetadataConfig
from connbeat.processors.dns.processor import DnsConfig
from connbeat.processors.host.processor import HostMetadataConfig
from connbeat.telemetry.metrics import Metrics
from tests.deliveries import FakeClock
from tests.servers.dns_server import DnsServer


def lookups() -> Lookups:
    return Lookups(FakeClock(), Metrics())


def test_names_are_looked_up_from_the_start_on() -> None:
    with DnsServer({}) as server:
        made = lookups()
        names = made.names(DnsConfig(nameservers=(server.address,)))
        assert names.get("192.0.2.1") is None
        made.start()
        made.close()


def test_facts_of_the_host_are_there_from_the_start_on() -> None:
    made = lookups()
    facts = made.facts(HostMetadataConfig(netinfo_enabled=False))
    assert facts() is None
    made.start()
    found = facts()
    assert found is not None
    assert found["os"]["type"] == "linux"
    made.close()


def test_facts_of_the_cloud_come_when_they_come() -> None:
    made = lookups()
    facts = made.facts(CloudMetadataConfig(host="127.0.0.1:1", providers=("hetzner",)))
    made.start()
    assert facts() is None
    made.close()


def test_a_missing_library_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name, name="dns")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError, match="install connbeat\\[dns\\]"):
        lookups().names(DnsConfig())
