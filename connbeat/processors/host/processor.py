"""add_host_metadata: what host the agent is on, as `host.*` of ECS."""

from collections.abc import Mapping
from typing import Any

from connbeat.model.documents import Document
from connbeat.processors.protocol import Processor, ProcessorConfig, Services

_GEO = (
    "name",
    "location",
    "continent_name",
    "country_name",
    "region_name",
    "city_name",
    "country_iso_code",
    "region_iso_code",
)


class HostMetadataConfig(ProcessorConfig, frozen=True, kw_only=True):
    """What of it, and how old it may be."""

    netinfo_enabled: bool = True
    cache_ttl_seconds: float = 300.0
    replace_fields: bool = True
    geo_name: str = ""
    geo_location: str = ""
    geo_continent_name: str = ""
    geo_country_name: str = ""
    geo_region_name: str = ""
    geo_city_name: str = ""
    geo_country_iso_code: str = ""
    geo_region_iso_code: str = ""


def build(config: HostMetadataConfig, services: Services) -> Processor:
    facts = services.facts(config)
    geo = {key: text for key in _GEO if (text := getattr(config, f"geo_{key}"))}
    replaces = config.replace_fields
    built: list[Mapping[str, Any] | None] = [None, None]

    def host() -> Mapping[str, Any]:
        """The facts with `geo`, put together anew only when there are new ones."""
        known = facts()
        if known is not built[0] or built[1] is None:
            built[:] = known, {**(known or {}), **({"geo": geo} if geo else {})}
        return built[1] or {}

    def add(document: Document) -> Document:
        if not replaces and "host" in document:
            return document
        return {**document, "host": host()}

    return add


def host_fields(
    system: Mapping[str, str], os_release: Mapping[str, str], addresses: Mapping[str, list[str]]
) -> dict[str, Any]:
    """`host.*` of what the system says. `addresses` has `ip` and `mac`, or nothing."""
    os_fields = {
        "type": "linux",
        "family": _family(os_release),
        "platform": os_release.get("ID", ""),
        "name": os_release.get("NAME", ""),
        "version": os_release.get("VERSION", ""),
        "codename": os_release.get("VERSION_CODENAME", ""),
        "kernel": system.get("kernel", ""),
    }
    fields: dict[str, Any] = {
        "name": system.get("hostname", ""),
        "hostname": system.get("hostname", ""),
        "architecture": system.get("architecture", ""),
        "id": system.get("machine_id", ""),
        "os": {key: text for key, text in os_fields.items() if text},
        **{key: list(values) for key, values in addresses.items()},
    }
    return {key: value for key, value in fields.items() if value}


def parse_os_release(text: str) -> dict[str, str]:
    """`/etc/os-release`: KEY=value, the value maybe in quotation marks."""
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, equals, value in pairs if equals}


def mac_text(text: str) -> str:
    """As ECS has it: `00-00-5E-00-53-23`."""
    return text.upper().replace(":", "-")


def _family(os_release: Mapping[str, str]) -> str:
    """The distribution that others come from, as Beats name it."""
    families = {"rhel": "redhat", "fedora": "redhat", "centos": "redhat", "ubuntu": "debian"}
    names = (os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split())
    oldest = names[-1]
    return families.get(oldest, oldest)
