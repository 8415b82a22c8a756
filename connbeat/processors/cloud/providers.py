"""How each cloud says what machine this is, and what its answer means. Pure.

A provider is asked through `Ask`, which does the HTTP. It answers None where it is not there: on
another cloud, or on none, somebody else may listen at the same address.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

_LINK_LOCAL = "169.254.169.254"
_MOST_CHARACTERS = 256


class Ask(Protocol):
    """The text of an answer with status 200; None for everything else. May block."""

    def __call__(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> str | None: ...


#: `cloud.*`, with dotted names.
_Read = Callable[[Ask], dict[str, Any] | None]


class Provider(msgspec.Struct, frozen=True):
    """`is_local`: asked without being named, for its address is on the link itself."""

    name: str
    read: _Read
    host: str = _LINK_LOCAL
    is_local: bool = True


def _aws(ask: Ask) -> dict[str, Any] | None:
    token = ask("/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "300"}, method="PUT")
    headers = {"X-aws-ec2-metadata-token": token} if token else None
    found = _object(ask("/latest/dynamic/instance-identity/document", headers))
    if not found.get("instanceId"):
        return None
    return {
        "service.name": "EC2",
        "account.id": found.get("accountId"),
        "availability_zone": found.get("availabilityZone"),
        "image.id": found.get("imageId"),
        "instance.id": found["instanceId"],
        "machine.type": found.get("instanceType"),
        "region": found.get("region"),
    }


def _azure(ask: Ask) -> dict[str, Any] | None:
    path = "/metadata/instance/compute?api-version=2021-02-01"
    found = _object(ask(path, {"Metadata": "true"}))
    if not found.get("vmId"):
        return None
    return {
        "service.name": "Virtual Machines",
        "account.id": found.get("subscriptionId"),
        "availability_zone": found.get("zone"),
        "instance.id": found["vmId"],
        "instance.name": found.get("name"),
        "machine.type": found.get("vmSize"),
        "region": found.get("location"),
    }


def _gcp(ask: Ask) -> dict[str, Any] | None:
    path = "/computeMetadata/v1/?recursive=true&alt=json"
    found = _object(ask(path, {"Metadata-Flavor": "Google"}))
    instance, project = _section(found, "instance"), _section(found, "project")
    if not instance.get("id"):
        return None
    zone = _last_part(instance.get("zone"))
    return {
        "service.name": "GCE",
        "account.id": project.get("projectId"),
        "project.id": project.get("projectId"),
        "availability_zone": zone,
        "instance.id": str(instance["id"]),
        "instance.name": instance.get("name"),
        "machine.type": _last_part(instance.get("machineType")),
        "region": zone.rpartition("-")[0],
    }


def _digitalocean(ask: Ask) -> dict[str, Any] | None:
    found = _object(ask("/metadata/v1.json"))
    if not found.get("droplet_id"):
        return None
    return {
        "service.name": "Droplets",
        "instance.id": str(found["droplet_id"]),
        "region": found.get("region"),
    }


def _by_paths(service: str, paths: Mapping[str, str]) -> _Read:
    """A provider that answers each path with one line."""

    def read(ask: Ask) -> dict[str, Any] | None:
        path = paths["instance.id"]
        instance = _line(ask(path))
        if not instance:
            return None
        found = {name: _line(ask(path)) for name, path in paths.items() if name != "instance.id"}
        return {**({"service.name": service} if service else {}), "instance.id": instance, **found}

    return read


_openstack = _by_paths(
    "Nova",
    {
        "instance.id": "/latest/meta-data/instance-id",
        "instance.name": "/latest/meta-data/hostname",
        "machine.type": "/latest/meta-data/instance-type",
        "availability_zone": "/latest/meta-data/placement/availability-zone",
    },
)
_hetzner = _by_paths(
    "",
    {
        "instance.id": "/hetzner/v1/metadata/instance-id",
        "instance.name": "/hetzner/v1/metadata/hostname",
        "availability_zone": "/hetzner/v1/metadata/availability-zone",
        "region": "/hetzner/v1/metadata/region",
    },
)
_alibaba = _by_paths(
    "ECS",
    {
        "instance.id": "/latest/meta-data/instance-id",
        "region": "/latest/meta-data/region-id",
        "availability_zone": "/latest/meta-data/zone-id",
    },
)
_tencent = _by_paths(
    "CVM",
    {
        "instance.id": "/meta-data/instance-id",
        "region": "/meta-data/placement/region",
        "availability_zone": "/meta-data/placement/zone",
    },
)

#: The first that answers wins. OpenStack's paths are EC2's, which others have as well: it is last.
PROVIDERS = (
    Provider("aws", _aws),
    Provider("azure", _azure),
    Provider("gcp", _gcp),
    Provider("digitalocean", _digitalocean),
    Provider("hetzner", _hetzner),
    Provider("alibaba", _alibaba, "100.100.100.200", is_local=False),
    Provider("tencent", _tencent, "metadata.tencentyun.com", is_local=False),
    Provider("openstack", _openstack),
)
#: Other names of theirs.
ALIASES = {
    "ec2": "aws",
    "ecs": "alibaba",
    "huawei": "openstack",
    "nova": "openstack",
    "qcloud": "tencent",
}


def chosen(names: tuple[str, ...]) -> tuple[Provider, ...]:
    """Those named, or else those that are local, in their order."""
    wanted = {ALIASES.get(name, name) for name in names}
    return tuple(one for one in PROVIDERS if (one.name in wanted if wanted else one.is_local))


def cloud_fields(provider: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """`cloud` as a section of sections, without what the provider did not say."""
    cloud: dict[str, Any] = {"provider": provider}
    for name, value in found.items():
        *parents, last = name.split(".")
        section = cloud
        if value not in (None, ""):
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
    return cloud


def _object(text: str | None) -> dict[str, Any]:
    """Of JSON; empty for everything else."""
    try:
        found = msgspec.json.decode(text or "")
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _section(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = found.get(name)
    return section if isinstance(section, dict) else {}


def _last_part(path: object) -> str:
    """`projects/1/zones/us-east1-b`."""
    return str(path or "").rpartition("/")[2]


def _line(text: str | None) -> str:
    """A short answer of one line; "" for a page of somebody else."""
    text = (text or "").strip()
    is_line = len(text) <= _MOST_CHARACTERS and text.isprintable() and "<" not in text
    return text if is_line else ""
