import msgspec
import pytest

from connbeat.events.local_ips import LocalIps
from connbeat.events.parties import PartyParts, identity, pod_of
from connbeat.events.policy import DocumentPolicy
from connbeat.model.containers import Container, DockerHost
from connbeat.model.processes import UnknownReason
from tests.reports import CURL, POD, WEB


def parts(local_ips: LocalIps | None = None) -> PartyParts:
    made = PartyParts(local_ips or LocalIps(), str)
    made.set_docker_host(DockerHost("dh", ()))
    made.set_policy(DocumentPolicy(name="h1", hostname="h1", version="1"))
    return made


def test_a_known_process_has_one_mapping_until_the_next_poll() -> None:
    made = parts()
    first = made.process(CURL, 1)
    assert made.process(CURL, 2) is first
    made.begin()
    assert made.process(CURL, 1) is not first
    assert made.process(CURL, 1) == first


@pytest.mark.parametrize("reason", UnknownReason)
def test_an_unknown_one_has_the_inode_of_its_socket(reason: UnknownReason) -> None:
    made = parts()
    assert [made.process(reason, inode)["binary"] for inode in (1, 2)] == [
        "Unknown process with inode 1",
        "Unknown process with inode 2",
    ]


def test_a_container_has_one_mapping_until_another_address_of_it_is_seen() -> None:
    local_ips = LocalIps()
    made = parts(local_ips)
    first = made.container(WEB)
    assert made.container(msgspec.structs.replace(WEB)) is first
    local_ips.add(WEB.id, b"\x0a\x00\x00\x01", 0)
    second = made.container(WEB)
    assert second["local_ips"] == [*first["local_ips"], "10.0.0.1"]
    assert made.container(WEB) is second
    made.begin()
    assert made.container(WEB) is not second


def test_the_other_end_is_told_no_more_than_who_it_is() -> None:
    assert identity(WEB) == {"id": WEB.id, "name": WEB.name, "image": WEB.image}
    assert identity(Container("c")) == {"id": "c"}


def test_a_pod_is_known_by_its_labels() -> None:
    assert pod_of(POD) == {
        "pod": {"name": "web-0", "uid": "2f1c"},
        "namespace": "shop",
        "container": {"name": "nginx"},
    }
    assert pod_of({"app": "x"}) == {}
