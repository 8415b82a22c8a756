import pytest

from connbeat.model.community_id import community_id
from tests.builders import address
from tests.unit.processors.trying import EVENT, tried

ECS = {
    "source": {"ip": "128.232.110.120", "port": 34855},
    "destination": {"ip": "66.35.250.204", "port": 80},
}


def test_the_fields_of_ecs_are_hashed() -> None:
    assert tried("- community_id:", ECS)["network"] == {
        "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
    }


def test_or_connbeats_own_where_there_are_none() -> None:
    own = community_id(*address("172.18.0.3:45678"), *address("172.18.0.2:80"))
    assert tried("- community_id: {target: x}") == {**EVENT, "x": own}


def test_fields_seed_and_target_may_be_others() -> None:
    document = {"a": "66.35.250.204", "b": "80", "c": "128.232.110.120", "d": 34855}
    options = (
        "fields: {source_ip: a, source_port: b, destination_ip: c, destination_port: d},"
        " seed: 1, target: hash"
    )
    result = tried(f"- community_id: {{{options}}}", document)
    assert result["hash"] == "1:3V71V58M3Ksw/yuFALMcW0LAHvc="


@pytest.mark.parametrize(
    "network", [{"transport": "UDP"}, {"iana_number": "17"}, {"iana_number": 17}]
)
def test_the_protocol_is_what_the_event_says(network: dict[str, object]) -> None:
    document = {
        "source": {"ip": "192.168.1.52", "port": 54585},
        "destination": {"ip": "8.8.8.8", "port": 53},
        "network": network,
    }
    result = tried("- community_id:", document)["network"]
    assert result == {**network, "community_id": "1:d/FP5EW3wiY1vCndhwleRRKHowQ="}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"local_ip": "1.2.3.4", "local_port": 5},
        {**ECS, "source": {"ip": "no address", "port": 1}},
        {**ECS, "source": {"ip": "1.2.3.4", "port": 65536}},
        {**ECS, "source": {"ip": "1.2.3.4"}},
        {**ECS, "network": {"transport": "icmp"}},
        {**ECS, "network": {"iana_number": "x"}},
    ],
)
def test_an_event_without_a_flow_stays_as_it_is(document: dict[str, object]) -> None:
    assert tried("- community_id:", document) is document
