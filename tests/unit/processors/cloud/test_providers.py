from collections.abc import Mapping
from typing import Any

import pytest

from connbeat.processors.cloud.providers import ALIASES, PROVIDERS, chosen, cloud_fields
from tests.unit.processors.cloud.clouds import CLOUDS

EXPECTED: dict[str, dict[str, Any]] = {
    "aws": {
        "provider": "aws",
        "service": {"name": "EC2"},
        "account": {"id": "123456789012"},
        "availability_zone": "us-east-1c",
        "image": {"id": "ami-abcd1234"},
        "instance": {"id": "i-4e123456"},
        "machine": {"type": "t2.medium"},
        "region": "us-east-1",
    },
    "azure": {
        "provider": "azure",
        "service": {"name": "Virtual Machines"},
        "account": {"id": "5tfb04c3"},
        "instance": {"id": "04ab04c3-63de-4709-a9f9-9ab8c0411d5e", "name": "test-az-vm"},
        "machine": {"type": "Standard_D3_v2"},
        "region": "eastus2",
    },
    "gcp": {
        "provider": "gcp",
        "service": {"name": "GCE"},
        "account": {"id": "test-dev"},
        "project": {"id": "test-dev"},
        "availability_zone": "us-east1-b",
        "instance": {"id": "3910564293633576924", "name": "test-gce-dev"},
        "machine": {"type": "f1-micro"},
        "region": "us-east1",
    },
    "digitalocean": {
        "provider": "digitalocean",
        "service": {"name": "Droplets"},
        "instance": {"id": "1111111"},
        "region": "nyc3",
    },
    "openstack": {
        "provider": "openstack",
        "service": {"name": "Nova"},
        "instance": {"id": "i-00011a84", "name": "test-998d932195.mycloud.tld"},
        "machine": {"type": "m2.large"},
        "availability_zone": "xxxx-az-c",
    },
    "hetzner": {
        "provider": "hetzner",
        "instance": {"id": "111111", "name": "my-hetzner-instance"},
        "availability_zone": "hel1-dc2",
        "region": "eu-central",
    },
    "alibaba": {
        "provider": "alibaba",
        "service": {"name": "ECS"},
        "instance": {"id": "i-wz9g2hqiikg0aliyun2b"},
        "region": "cn-shenzhen",
        "availability_zone": "cn-shenzhen-a",
    },
    "tencent": {
        "provider": "tencent",
        "service": {"name": "CVM"},
        "instance": {"id": "ins-qcloudv5"},
        "region": "china-south-gz",
        "availability_zone": "gz-azone2",
    },
}
PAGES = ("", "null", "[1]", "5", "<html>Log in</html>", "x" * 5000, "two\nlines", "[" * 100_000)


class Asked:
    """`Ask` that answers from a table, and remembers the headers."""

    def __init__(self, answers: Mapping[str, str], other: str | None = None) -> None:
        self._answers = answers
        self._other = other
        self.headers: list[tuple[str, Mapping[str, str]]] = []

    def __call__(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> str | None:
        self.headers.append((method, headers or {}))
        return self._answers.get(path, self._other)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.name)
def test_each_cloud_is_told_as_ecs_has_it(provider: Any) -> None:
    found = provider.read(Asked(CLOUDS[provider.name]))
    assert cloud_fields(provider.name, found) == EXPECTED[provider.name]


@pytest.mark.parametrize("page", PAGES, ids=range(len(PAGES)))
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.name)
def test_where_there_is_no_cloud_nothing_is_told(provider: Any, page: str) -> None:
    assert provider.read(Asked({})) is None
    if page not in ("null", "[1]", "5") or provider.name in ("aws", "azure", "gcp", "digitalocean"):
        assert provider.read(Asked({}, page)) is None


def test_aws_wants_a_token_and_gcp_and_azure_a_header() -> None:
    asked = {name: Asked(CLOUDS[name]) for name in ("aws", "gcp", "azure")}
    for provider in PROVIDERS:
        if provider.name in asked:
            provider.read(asked[provider.name])
    assert asked["aws"].headers == [
        ("PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "300"}),
        ("GET", {"X-aws-ec2-metadata-token": "secret"}),
    ]
    assert asked["gcp"].headers == [("GET", {"Metadata-Flavor": "Google"})]
    assert asked["azure"].headers == [("GET", {"Metadata": "true"})]


def test_without_names_those_on_the_link_itself_are_asked_and_openstack_counts_last() -> None:
    names = [one.name for one in chosen(())]
    assert "alibaba" not in names
    assert "tencent" not in names
    assert names[-1] == "openstack"


def test_a_provider_has_other_names() -> None:
    for alias, name in ALIASES.items():
        assert [one.name for one in chosen((alias,))] == [name]
